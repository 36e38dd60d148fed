/** How a webhook looks to people; its secret is nowhere here. */
import type { Webhook } from '../webhooks/webhooks.ts'
import { stamp } from './client-view.ts'
import type { Cell } from './output.ts'

export function webhookFields(webhook: Webhook): [string, string | string[]][] {
  const { overflowedAt, oldSecretUntil } = webhook
  return [
    ['ID', webhook.id],
    ['URL', webhook.url],
    ['State', webhook.disabledAt ? `off since ${stamp(webhook.disabledAt)}` : 'on'],
    ['Events', webhook.events],
    ['Waiting', String(webhook.pending)],
    ['Failed', String(webhook.failed)],
    ['Left out', overflowedAt ? `last at ${stamp(overflowedAt)}, too much waited` : ''],
    ['Old secret', oldSecretUntil ? `signs too until ${stamp(oldSecretUntil)}` : ''],
    ['Note', webhook.note ?? ''],
  ]
}

export function webhookRow(webhook: Webhook): Cell[] {
  const { id, url, events, pending, failed, note, disabledAt } = webhook
  const state: Cell = disabledAt ? { text: 'off', style: 'dim' } : { text: 'on', style: 'green' }
  return [id, state, url, events.join(' '), String(pending), String(failed), note ?? '']
}

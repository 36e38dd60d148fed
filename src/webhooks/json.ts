/** How a webhook looks to programs; its secret is nowhere here. */
import type { Webhook } from './webhooks.ts'

export function webhookJson(webhook: Webhook) {
  const { id, url, events, note, pending, failed, createdAt, disabledAt } = webhook
  return {
    id,
    url,
    events,
    note,
    pending,
    failed,
    created_at: createdAt.toISOString(),
    disabled_at: disabledAt?.toISOString() ?? null,
    old_secret_until: webhook.oldSecretUntil?.toISOString() ?? null,
    overflowed_at: webhook.overflowedAt?.toISOString() ?? null,
  }
}

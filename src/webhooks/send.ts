/**
 * Signs and sends (Standard Webhooks 1.0): `webhook-id` stays the same however often a message comes, `webhook-timestamp` is
 * that of the attempt, `webhook-signature` holds one for each live secret. Anything but 2xx is tried again.
 */
import { createHmac } from 'node:crypto'
import { type Keyring, newId } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import type { Logger } from '../logger.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import type { OutgoingFetch } from '../outgoing/outgoing.ts'
import { type Delivery, type Outcome, scheduleNext, settle, takeDue } from './deliveries.ts'
import { openWebhook } from './webhooks.ts'

type Deps = { db: Db; keyring: Keyring; fetch: OutgoingFetch }

/** A job ends after so long, so that receivers with much to hear take turns with mails. */
const longestRoundMs = 5000

/** The job: what is due for one receiver. */
export function createWebhookSender(
  deps: Deps & { logger: Pick<Logger, 'warn'> },
): (payload: { webhookId: string }) => Promise<void> {
  const { db, logger } = deps
  return async function sendWebhooks({ webhookId }) {
    const until = Date.now() + longestRoundMs
    while (Date.now() < until) {
      const webhook = await openWebhook(deps, webhookId)
      // What waits goes on when it is switched on again.
      if (!webhook) return
      const due = await takeDue(db, webhookId)
      if (due.length === 0) break
      await Promise.all(due.map((delivery) => deliver(delivery, webhook)))
    }
    await scheduleNext(db, webhookId)
  }

  async function deliver(
    delivery: Delivery,
    webhook: { url: string; secrets: string[] },
  ): Promise<void> {
    const outcome = await call(deps.fetch, webhook, delivery)
    if (!outcome.ok) {
      const { id, webhookId, attempts } = delivery
      logger.warn({ id, webhookId, attempts, ...outcome }, 'a webhook was not delivered')
    }
    await settle(db, delivery, outcome)
  }
}

/** One message of no event, now and once. Undefined when there is no such webhook, or it is switched off. */
export async function testWebhook(
  deps: Deps,
  webhookId: string,
): Promise<(Outcome & { id: string }) | undefined> {
  const webhook = await openWebhook(deps, webhookId)
  if (!webhook) return undefined
  const id = newId()
  const type = 'webhook.test'
  const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data: {} })
  return { ...(await call(deps.fetch, webhook, { id, body })), id }
}

async function call(
  fetch: OutgoingFetch,
  { url, secrets }: { url: string; secrets: string[] },
  { id, body }: Pick<Delivery, 'id' | 'body'>,
): Promise<Outcome> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signatures = secrets.map((secret) => sign(secret, `${id}.${timestamp}.${body}`))
  try {
    const { status } = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signatures.join(' '),
      },
      body,
      statusOnly: true,
      timeoutMs: 5000,
    })
    if (status >= 200 && status < 300) return { ok: true }
    // 410 is how a receiver says that it will never want it.
    return { ok: false, error: `http_${status}`, final: status === 410 }
  } catch (error) {
    if (error instanceof OutgoingError)
      return { ok: false, error: error.reason, final: error.refused }
    throw error
  }
}

function sign(secret: string, content: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(content).digest('base64')}`
}

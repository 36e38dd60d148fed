/**
 * The services that are told what happens here: where they listen, what they want to hear, and the secrets that sign it
 * (Standard Webhooks). A secret is told once, kept sealed, and after a rotation signs beside its successor for a day.
 */
import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { type Actor, type Origin, record } from '../audit/audit.ts'
import { publishedTypes } from '../audit/published.ts'
import type { Keyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { AppError } from '../errors.ts'
import { askForRound } from './deliveries.ts'

export type Webhook = {
  id: string
  url: string
  events: string[]
  note: string | null
  createdAt: Date
  updatedAt: Date
  disabledAt: Date | null
  /** Until when the secret before the newest signs too. */
  oldSecretUntil: Date | null
  /** When something was last left out because too much waited. */
  overflowedAt: Date | null
  pending: number
  failed: number
}

export type WebhookChange = {
  url?: string | undefined
  events?: string[] | undefined
  note?: string | undefined
  disabled?: boolean | undefined
  /** A new secret, told once. */
  rotate?: boolean | undefined
}

type Deps = { db: Db; keyring: Keyring }
type By = { actor: Actor; origin?: Origin | undefined }

const purpose = 'webhook-secret'
const rotationHours = 24

/** Throws `webhook_url_invalid`, `webhook_events_invalid` and `webhook_note_too_long` (all 400). */
export function createWebhook(
  { db, keyring }: Deps,
  { url, events, note }: { url: string; events: string[]; note?: string | undefined },
  { actor, origin }: By,
): Promise<{ secret: string; webhook: Webhook }> {
  return transact(db, async (trx) => {
    const id = randomBytes(5).toString('hex')
    const secret = drawSecret()
    const values = { url: checkUrl(url), events: checkEvents(events), note: checkNote(note) }
    await trx
      .insertInto('webhooks')
      .values({ id, ...values, secretSealed: keyring.seal(purpose, id, secret) })
      .execute()
    await record(trx, { type: 'webhook.created', actor, origin, detail: { id, ...values } })
    return { secret, webhook: (await findWebhook(trx, id)) as Webhook }
  })
}

/** `secret` after a rotation. Undefined when there is no such webhook; throws as createWebhook does. */
export function updateWebhook(
  { db, keyring }: Deps,
  id: string,
  change: WebhookChange,
  { actor, origin }: By,
): Promise<{ secret?: string; webhook: Webhook } | undefined> {
  return transact(db, async (trx) => {
    const { url, events, note, disabled, rotate } = change
    const secret = rotate ? drawSecret() : undefined
    const values = {
      ...(url === undefined ? {} : { url: checkUrl(url) }),
      ...(events === undefined ? {} : { events: checkEvents(events) }),
      ...(note === undefined ? {} : { note: checkNote(note) }),
    }
    const changed = await trx
      .updateTable('webhooks')
      .set({
        ...values,
        ...(disabled === undefined ? {} : { disabledAt: disabled ? sql<Date>`now()` : null }),
        ...(secret === undefined
          ? {}
          : {
              oldSecretSealed: sql<Buffer>`secret_sealed`,
              oldSecretUntil: sql<Date>`now() + make_interval(hours => ${rotationHours})`,
              secretSealed: keyring.seal(purpose, id, secret),
            }),
        updatedAt: sql<Date>`now()`,
      })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst()
    if (!changed) return undefined
    const detail = { id, ...values, disabled, rotated: rotate }
    await record(trx, { type: 'webhook.updated', actor, origin, detail })
    if (disabled === false) await askForRound(trx, id)
    const webhook = (await findWebhook(trx, id)) as Webhook
    return { webhook, ...(secret === undefined ? {} : { secret }) }
  })
}

/** With everything that waits for it. False when there was none. */
export function deleteWebhook(db: Db, id: string, { actor, origin }: By): Promise<boolean> {
  return transact(db, async (trx) => {
    const gone = await trx
      .deleteFrom('webhooks')
      .where('id', '=', id)
      .returning('url')
      .executeTakeFirst()
    if (!gone) return false
    await record(trx, { type: 'webhook.deleted', actor, origin, detail: { id, ...gone } })
    return true
  })
}

export function listWebhooks(db: Db): Promise<Webhook[]> {
  return readWebhooks(db, sql`true`)
}

export async function findWebhook(db: Db, id: string): Promise<Webhook | undefined> {
  return (await readWebhooks(db, sql`w.id = ${id}`))[0]
}

/** What to sign with, the newest first, and where to; undefined when it is gone or switched off. */
export async function openWebhook(
  { db, keyring }: Deps,
  id: string,
): Promise<{ url: string; secrets: string[] } | undefined> {
  const row = await db
    .selectFrom('webhooks')
    .select(['url', 'secretSealed'])
    .select(
      sql<Buffer | null>`case when old_secret_until > now() then old_secret_sealed end`.as('old'),
    )
    .where('id', '=', id)
    .where('disabledAt', 'is', null)
    .executeTakeFirst()
  if (!row) return undefined
  const sealed = [row.secretSealed, ...(row.old ? [row.old] : [])]
  return { url: row.url, secrets: sealed.map((one) => keyring.open(purpose, id, one).toString()) }
}

/** 256 bits, in the form that Standard Webhooks gives them. */
function drawSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`
}

/** Whether it may be called is judged when it is (outgoing/): names move. */
function checkUrl(text: string): string {
  const url = URL.parse(text)
  const plain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.hash
  if (!plain || text.length > 2000) throw new AppError('webhook_url_invalid', 400)
  return url.href
}

function checkEvents(events: string[]): string[] {
  const all = [...new Set(events)]
  const kinds = publishedTypes.map((type) => `${type.split('.')[0]}.*`)
  const wrong = all.find((type) => ![...publishedTypes, ...kinds, '*'].includes(type))
  if (wrong !== undefined || all.length === 0) {
    throw new AppError('webhook_events_invalid', 400, {
      detail: `${wrong ?? 'nothing'} is no event; there are: ${publishedTypes.join(' ')}`,
    })
  }
  return all
}

function checkNote(note: string | undefined): string | null {
  if ((note ?? '').length > 200) throw new AppError('webhook_note_too_long', 400)
  return note || null
}

async function readWebhooks(db: Db, condition: ReturnType<typeof sql>): Promise<Webhook[]> {
  const { rows } = await sql<Webhook>`
    select w.id, w.url, w.events, w.note, w.created_at, w.updated_at, w.disabled_at, w.overflowed_at,
      case when w.old_secret_until > now() then w.old_secret_until end as old_secret_until,
      (select count(*)::int from webhook_deliveries d where d.webhook_id = w.id and d.state = 'pending') as pending,
      (select count(*)::int from webhook_deliveries d where d.webhook_id = w.id and d.state = 'failed') as failed
    from webhooks w where ${condition} order by w.created_at, w.id`.execute(db)
  return rows
}

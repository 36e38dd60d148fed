/**
 * Who we are to an authenticator: the domain that passkeys are made for, and where they may be used. When the issuer moves
 * to another domain the old one stays their domain, and its `/.well-known/webauthn` names the new (WebAuthn §5.11).
 */
import { isIP } from 'node:net'
import { type Actor, record } from '../audit/audit.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

export type RelyingParty = {
  /** A domain: passkeys work there, and nowhere else but at its related origins. */
  id: string
  name: string
  /** Exactly as browsers say it. */
  origin: string
}

/** Undefined where the issuer is a bare address: browsers make no passkeys for those (WebAuthn §5.1.3). */
export function relyingPartyOf({
  issuer,
  brandName,
}: Pick<Config, 'issuer' | 'brandName'>): RelyingParty | undefined {
  const { hostname, origin } = new URL(issuer)
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return undefined
  return { id: hostname, name: brandName, origin }
}

/** The same, with the domain that an operator has kept. */
export async function findRelyingParty(db: Db, own: RelyingParty): Promise<RelyingParty> {
  const kept = await db.selectFrom('passkeyDomain').select('rpId').executeTakeFirst()
  return kept ? { ...own, id: kept.rpId } : own
}

/** Lower case, with a dot, and no bare address. */
export function isDomain(text: string): boolean {
  return /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(text)
}

/** Undefined: the issuer's own again. False when nothing changed. */
export function keepDomain(db: Db, rpId: string | undefined, actor: Actor): Promise<boolean> {
  return transact(db, async (trx) => {
    const before = await trx.deleteFrom('passkeyDomain').returning('rpId').executeTakeFirst()
    if (rpId) await trx.insertInto('passkeyDomain').values({ rpId }).execute()
    if (before?.rpId === rpId) return false
    await record(trx, { type: 'passkey_domain.changed', actor, detail: { rpId: rpId ?? null } })
    return true
  })
}

/** Who may use the passkeys of our domain beside us, as browsers read it. */
export async function listRelatedOrigins(db: Db): Promise<string[]> {
  const rows = await db.selectFrom('passkeyOrigins').select('origin').orderBy('origin').execute()
  return rows.map(({ origin }) => origin)
}

/** https alone, without a path. */
export function isRelatedOrigin(text: string): boolean {
  const url = URL.parse(text)
  return url !== null && url.protocol === 'https:' && url.origin === text && isDomain(url.hostname)
}

/** False when it was allowed. */
export function allowOrigin(db: Db, origin: string, actor: Actor): Promise<boolean> {
  return transact(db, async (trx) => {
    const added = await trx
      .insertInto('passkeyOrigins')
      .values({ origin })
      .onConflict((conflict) => conflict.doNothing())
      .returning('origin')
      .executeTakeFirst()
    if (added) await record(trx, { type: 'passkey_origin.added', actor, detail: { origin } })
    return added !== undefined
  })
}

/** False when it was not there. */
export function removeOrigin(db: Db, origin: string, actor: Actor): Promise<boolean> {
  return transact(db, async (trx) => {
    const removed = await trx
      .deleteFrom('passkeyOrigins')
      .where('origin', '=', origin)
      .returning('origin')
      .executeTakeFirst()
    if (removed) await record(trx, { type: 'passkey_origin.removed', actor, detail: { origin } })
    return removed !== undefined
  })
}

/** How many passkeys there are for each domain, the most first. */
export async function countByDomain(db: Db): Promise<{ rpId: string; passkeys: number }[]> {
  const rows = await db
    .selectFrom('passkeys')
    .select(({ fn }) => ['rpId', fn.countAll<string>().as('passkeys')])
    .groupBy('rpId')
    .orderBy('passkeys', 'desc')
    .execute()
  return rows.map(({ rpId, passkeys }) => ({ rpId, passkeys: Number(passkeys) }))
}

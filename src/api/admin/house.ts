/** Signing keys and settings by a program of an admin. */
import { sql } from 'kysely'
import {
  changeBreachSetting,
  readBreachSetting,
  readRangeAddress,
} from '../../credentials/breached-passwords.ts'
import { changeSignInPolicy, readSignInPolicy } from '../../credentials/policy-setting.ts'
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { AppError } from '../../errors.ts'
import { keyJson } from '../../oidc/key-json.ts'
import { discardKeys, replaceLeaked } from '../../oidc/key-leak.ts'
import { retireKey, rotateKeys } from '../../oidc/key-rotation.ts'
import { listKeys } from '../../oidc/key-times.ts'
import { signingAlgorithms } from '../../oidc/signing-keys.ts'
import { assertMayEverything } from '../../roles/may-grant.ts'
import { changeAuditRetention, readAuditRetention } from '../../settings/audit-retention.ts'
import { demandMatch, tagged } from '../etags.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import type { houseOperations } from './house-operations.ts'
import { listPage } from './pages.ts'
import { notFound } from './refusals.ts'

export function houseHandlers({
  config: { jwksMaxAgeSeconds },
  keyring,
}: Pick<AdminDeps, 'config' | 'keyring'>): AdminHandlers<typeof houseOperations> {
  return {
    'keys.list'(call) {
      return listPage(call, {
        async fetch({ limit, after: [after] = [] }) {
          const keys = await listKeys(call.db, jwksMaxAgeSeconds)
          const from = after === undefined ? 0 : keys.findIndex(({ kid }) => kid === after) + 1
          return keys.slice(from, from + limit)
        },
        keysOf: ({ kid }) => [kid],
        toJson: (key) => ({ ...keyJson(key), public_jwk: key.publicJwk }),
      })
    },

    async 'keys.rotate'({ db, by, body }) {
      const keys = { db, keyring, jwksMaxAgeSeconds }
      const algs = body.alg ? [body.alg] : signingAlgorithms
      if (body.leaked) return { rotated: await replaceLeaked(keys, algs, by.actor) }
      const done = await rotateKeys(keys, algs, by.actor)
      if (done.ok) return { rotated: done.rotated }
      const left = Math.max(...done.waiting.map(({ secondsLeft }) => secondsLeft))
      throw new AppError('key_waits', 409, { retryAfterSeconds: left })
    },

    async 'keys.retire'({ db, by, params: { kid = '' }, query }) {
      const keys = { db, keyring, jwksMaxAgeSeconds }
      if (query.leaked) {
        if ((await discardKeys(keys, [kid], by.actor)).length === 0) throw notFound('key_not_found')
        return
      }
      const done = await retireKey(keys, kid, by.actor)
      if (done.ok) return
      if (done.reason === 'unknown') throw notFound('key_not_found')
      throw new AppError('key_in_use', 409)
    },

    async 'settings.get'({ ctx, db }) {
      return tagged(ctx, await readAll(db))
    },

    async 'settings.update'({ ctx, db, by, body }) {
      const { actor } = by
      const { second_factor: when, second_factors: factors, remember_days: rememberDays } = body
      const policy = Object.entries({ when, factors, rememberDays }).filter(
        ([, value]) => value !== undefined,
      )
      const { breached_passwords: where, audit_retention_days: days } = body
      await transact(db, async (trx) => {
        // The same lock for all of them, so that a tag is about what is changed.
        await sql`select pg_advisory_xact_lock(hashtext('settings second-factor'))`.execute(trx)
        demandMatch(ctx, await readAll(trx), { required: true })
        if (policy.length > 0) await changeSignInPolicy(trx, Object.fromEntries(policy), actor)
        if (where !== undefined) await changeBreachSetting(trx, breachOf(where), actor)
        if (days !== undefined) {
          // Whoever may shorten the trail could hide in it what they did.
          await assertMayEverything(trx, by)
          await changeAuditRetention(trx, { days }, actor)
        }
      })
      return tagged(ctx, await readAll(db))
    },
  }
}

/** Throws `invalid_request` (400) for what is no address of a range service. */
function breachOf(where: string | null) {
  const url = where === null ? null : readRangeAddress(where)
  if (url !== undefined) return { url }
  const fields = [{ field: 'breached_passwords', code: 'invalid' }]
  throw new AppError('invalid_request', 400, { fields })
}

async function readAll(db: Db) {
  const { when, factors, rememberDays } = await readSignInPolicy(db)
  return {
    second_factor: when,
    second_factors: [...factors],
    remember_days: rememberDays,
    breached_passwords: (await readBreachSetting(db)).url,
    audit_retention_days: (await readAuditRetention(db)).days,
  }
}

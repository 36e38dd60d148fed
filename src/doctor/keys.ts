/** The keys that sign: their states and age, and whether SECRET_KEY opens them and whatever else is sealed. */
import type { Keyring } from '../crypto.ts'
import { createKeyring } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { listProviders, openSecret } from '../federation/providers.ts'
import { type KeyView, listKeys } from '../oidc/key-times.ts'
import { opensLastingSecrets } from '../oidc/lasting-secrets.ts'
import { loadSigningKeys, SecretKeyError, signingAlgorithms } from '../oidc/signing-keys.ts'
import { listWebhooks, openWebhook } from '../webhooks/webhooks.ts'
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

const day = 24 * 60 * 60
/** The schedule comes every hour; a day late means that it does not come. */
const lateSeconds = -day

export async function checkKeys({ database, config }: Patient): Promise<Finding[]> {
  if (!database) return []
  return judgeKeys(await listKeys(database.db, config.jwksMaxAgeSeconds))
}

export function judgeKeys(
  keys: Pick<KeyView, 'kid' | 'alg' | 'state' | 'secondsLeft'>[],
): Finding[] {
  const findings: Finding[] = []
  for (const alg of signingAlgorithms) {
    const states = keys.filter((key) => key.alg === alg).map(({ state }) => state)
    for (const state of ['current', 'next'] as const) {
      if (states.includes(state)) continue
      findings.push(
        broken('keys.states', `${alg} has no ${state} key`, {
          expected: 'one key that signs and one that stands by',
          fix: 'restart the server: it makes what is missing',
        }),
      )
    }
  }
  if (findings.length === 0)
    findings.push(ok('keys.states', `${keys.length} keys, each in its place`))
  const late = keys.filter(
    ({ state, secondsLeft }) =>
      ['current', 'previous'].includes(state) && secondsLeft < lateSeconds,
  )
  for (const { kid, alg, state, secondsLeft } of late) {
    const days = Math.floor(-secondsLeft / day)
    findings.push(
      warning('keys.age', `${alg} ${kid} (${state}) should have gone ${days} days ago`, {
        expected: 'rotation by itself every 90 days, by a server that runs',
        fix: state === 'current' ? `idp keys rotate --alg ${alg}` : `idp keys retire ${kid}`,
      }),
    )
  }
  if (late.length === 0) findings.push(ok('keys.age', 'none is older than it should be'))
  return findings
}

/** Signing keys, the secret behind pairwise subjects, the newest authenticator apps, the secrets of providers and webhooks. */
export async function checkSealed({ database, config }: Patient): Promise<Finding[]> {
  const check = 'keys.secret'
  if (!database) return []
  if (config.secretKeys.length === 0) return [skipped(check, 'there is no SECRET_KEY yet')]
  const keyring = createKeyring(config.secretKeys)
  const closed = await listClosed(database.db, keyring)
  if (closed.length === 0) return [ok(check, 'SECRET_KEY opens what is sealed')]
  return [
    broken(check, `SECRET_KEY does not open ${closed.join(', ')}`, {
      expected: 'the key that sealed them',
      fix: 'put it behind the new one: SECRET_KEY="new old" (deploy/runbook.md, "A new SECRET_KEY")',
    }),
  ]
}

async function listClosed(db: Db, keyring: Keyring): Promise<string[]> {
  const closed: string[] = []
  try {
    await loadSigningKeys(db, keyring)
  } catch (error) {
    if (!(error instanceof SecretKeyError)) throw error
    closed.push('the signing keys')
  }
  if (!(await opensLastingSecrets(db, keyring))) closed.push('the secret of pairwise subjects')
  const rows = await db
    .selectFrom('authenticators')
    .select(['id', 'accountId', 'secretSealed'])
    .orderBy('createdAt', 'desc')
    .limit(50)
    .execute()
  const shut = rows.filter(({ id, accountId, secretSealed }) =>
    fails(() => keyring.open('totp-secret', `${id} ${accountId}`, secretSealed)),
  )
  if (shut.length > 0) closed.push(`${shut.length} authenticator apps`)
  const providers = (await listProviders(db)).filter((each) =>
    fails(() => openSecret(keyring, each)),
  )
  if (providers.length > 0) closed.push(`the secrets of ${providers.length} providers`)
  const webhooks = await Promise.all(
    (await listWebhooks(db)).map(({ id }) =>
      openWebhook({ db, keyring }, id).then(
        () => true,
        () => false,
      ),
    ),
  )
  const shutWebhooks = webhooks.filter((opens) => !opens).length
  if (shutWebhooks > 0) closed.push(`the secrets of ${shutWebhooks} webhooks`)
  return closed
}

function fails(open: () => unknown): boolean {
  try {
    open()
    return false
  } catch {
    return true
  }
}

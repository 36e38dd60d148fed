/** Fills our database with the people, apps and API of a run, through the functions that admins use. */
import { createAccount } from '../../src/accounts/accounts.ts'
import { createApi } from '../../src/clients/apis.ts'
import { type ClientInput, createClient } from '../../src/clients/create-client.ts'
import { createPasswordHasher } from '../../src/credentials/password-hasher.ts'
import { createKeyring, sha256 } from '../../src/crypto.ts'
import type { Database } from '../../src/database/connection.ts'
import { ensureSigningKeys, loadSigningKeys } from '../../src/oidc/signing-keys.ts'
import type { Cast, Credentials, Person } from './cast.ts'

const actor = { kind: 'operator' } as const
const password = 'correct horse battery staple 9'
const redirectUri = 'https://app.bench.test/callback'
const api = { identifier: 'https://api.bench.test', scope: 'files:read', tokenLifetimeSeconds: 600 }

export async function seed(
  database: Database,
  options: { secretKey: string; people: number; services: number },
): Promise<Cast> {
  const { db } = database
  const keyring = createKeyring([options.secretKey])
  await ensureSigningKeys(db, keyring)
  const { keys } = await loadSigningKeys(db, keyring)
  const { identifier, scope, tokenLifetimeSeconds } = api
  await createApi(db, { identifier, scopes: [scope], tokenLifetimeSeconds }, { actor })
  const app = await register(database, {
    name: 'Bench app',
    preset: 'generic',
    redirectUris: [redirectUri],
    firstParty: true,
  })
  const service = await register(database, {
    name: 'Bench service',
    preset: 'service',
    apis: [identifier],
  })
  return {
    keys,
    people: await makePeople(database, options.people),
    password,
    app: { ...app, redirectUri },
    services: [service, ...(await copyService(database, service, options.services - 1))],
    api,
  }
}

async function register({ db }: Database, input: ClientInput): Promise<Credentials> {
  const made = await createClient(db, input, { actor })
  if (!made.ok || made.secret === undefined) {
    throw new Error(`${input.name} was refused: ${JSON.stringify(made)}`)
  }
  return { clientId: made.client.id, secret: made.secret }
}

/** One hash for all: making them is not what is measured. */
async function makePeople({ db }: Database, count: number): Promise<Person[]> {
  const passwordHash = await createPasswordHasher().hash(password)
  const people: Person[] = []
  for (let number = 1; number <= count; number++) {
    const username = nameOf(number, 'bench')
    const email = `${username}@bench.test`
    const name = `Person ${number}`
    const made = await createAccount(
      db,
      { username, passwordHash, name, locale: 'en', address: { email, canonical: email } },
      actor,
    )
    if (!made.ok) throw new Error(`${username} was refused: ${JSON.stringify(made.errors)}`)
    people.push({ id: made.id, username, email, name })
  }
  return people
}

/** A username for each number, none of which looks like another. */
export function nameOf(number: number, kind: 'bench' | 'joined'): string {
  const alphabet = 'abcdefghjkmpqrstxyz'
  let rest = number
  let text = ''
  while (rest > 0) {
    text = alphabet[rest % alphabet.length] + text
    rest = Math.floor(rest / alphabet.length)
  }
  return `${kind}_${text}`
}

/** As rows, all at once. */
async function copyService(
  { pool }: Database,
  { clientId }: Credentials,
  count: number,
): Promise<Credentials[]> {
  const copies = Array.from({ length: count }, (_, index) => ({
    clientId: `${clientId}-${index}`,
    secret: sha256(`${clientId} ${index}`).toString('base64url'),
  }))
  const ids = copies.map((copy) => copy.clientId)
  await pool.query(
    `insert into clients select (jsonb_populate_record(c, jsonb_build_object('id', copy, 'name', copy))).*
     from clients c, unnest($2::text[]) copy where c.id = $1`,
    [clientId, ids],
  )
  await pool.query(
    'insert into client_secrets (client_id, hash) select * from unnest($1::text[], $2::bytea[])',
    [ids, copies.map(({ secret }) => sha256(secret))],
  )
  await pool.query(
    `insert into client_apis select (jsonb_populate_record(a, jsonb_build_object('client_id', copy))).*
     from client_apis a, unnest($2::text[]) copy where a.client_id = $1`,
    [clientId, ids],
  )
  return copies
}

/** The same access tokens under more names. */
export async function copyTokens(
  { pool }: Database,
  pairs: [token: string, copy: string][],
): Promise<void> {
  const step = 5_000
  for (let at = 0; at < pairs.length; at += step) {
    const part = pairs.slice(at, at + step)
    await pool.query(
      `insert into access_tokens
       select (jsonb_populate_record(t, jsonb_build_object('id_hash', copy))).*
       from unnest($1::bytea[], $2::bytea[]) as pair (token, copy) join access_tokens t on t.id_hash = token`,
      [part.map(([token]) => sha256(token)), part.map(([, copy]) => sha256(copy))],
    )
  }
}

export async function expireTokens({ pool }: Database, tokens: string[]): Promise<void> {
  await pool.query(
    `update access_tokens set expires_at = now() - interval '1 minute' where id_hash = any($1::bytea[])`,
    [tokens.map((token) => sha256(token))],
  )
}

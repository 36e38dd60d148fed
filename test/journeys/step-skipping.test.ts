/**
 * AC-20: every page of a way through sign-in, asked for in every state that the way can be in. A page that is not open
 * leads back to where the person is, and posting to it moves nothing: no code, no session, no other state.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { allOperations } from '../../src/api/doors.ts'
import type { Operation } from '../../src/api/operations.ts'
import { sha256 } from '../../src/crypto.ts'
import type { Visitor } from '../../src/demo/visitor.ts'
import { keepProof } from '../../src/federation/proofs.ts'
import { accountPages } from '../../src/oidc/account-client.ts'
import { type Step, stepsOf } from '../../src/pages/steps.ts'
import { setClientAccess } from '../../src/roles/client-access.ts'
import { createRole } from '../../src/roles/roles.ts'
import { codeOf, createHolder, type Holder, keyringOf } from '../support/factors.ts'
import { nowhere } from '../support/own-api.ts'
import { beginWithoutPassword } from '../support/passkeys.ts'
import { createBrowser, createPerson, type Person, stepwise } from '../support/person.ts'
import { type App, createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'
import { addProvider, noticed } from '../support/upstream.ts'

const server = await startTestServer()
const { origin } = server
const { db, pool } = server.database
const keyring = keyringOf(server)
let app: App
let foreign: App
let strict: App
let mailing: App
let closed: App
let holder: Holder
let plain: Person
let keyholders = 0
const by = { actor: { kind: 'operator' } } as const

const paths: Record<Step, string> = {
  'sign-in': '',
  register: '/register',
  'verify-email': '/verify-email',
  'first-passkey': '/first-passkey',
  'reset-password': '/reset-password',
  'select-account': '/select-account',
  'no-access': '/no-access',
  consent: '/consent',
  code: '/code',
  'mail-code': '/mail-code',
  'recovery-code': '/recovery-code',
  authenticator: '/authenticator',
  passkey: '/passkey',
  'add-passkey': '/add-passkey',
  'new-here': '/new-here',
  'link-provider': '/link-provider',
}
const steps = Object.keys(paths) as Step[]
/** Everything that some page takes, none of it a proof. */
const noProof = {
  identifier: 'nobody',
  password: 'not the password of anybody',
  code: '000000',
  choice: 'continue',
  decision: 'allow',
  ticket: 'x.0.y',
  answer: '{}',
}

beforeAll(async () => {
  app = await createApp(server, { firstParty: true })
  foreign = await createApp(server, {})
  strict = await createApp(server, { firstParty: true, secondFactor: 'always' })
  mailing = await createApp(server, {
    firstParty: true,
    secondFactor: 'always',
    secondFactors: ['mail-code'],
  })
  closed = await createApp(server, { firstParty: true })
  await createRole(db, { name: 'staff' }, by)
  await setClientAccess(db, closed.id, { roles: ['staff'], groups: [] }, by)
  holder = await createHolder(server)
  plain = await createPerson(server)
  await addProvider(server, { issuer: 'http://localhost:1' })
  await noticed()
})

type Way = { visitor: Visitor; flow: string }
type State = { name: string; open: Step[]; begin(): Promise<Way> }

async function at(
  of: App,
  person?: Person,
  parameters = {},
  visitor = createBrowser(server),
  more: Record<string, string> = {},
) {
  let page = await visitor.get(of.begin(parameters).url)
  if (person && page.body.includes('id="password"')) {
    const { username: identifier, password } = person
    page = await visitor.press(page, 'continue', { identifier, password, ...more })
  }
  return { visitor, flow: /\/sign-in\/([\w-]+)/.exec(page.url)?.[1] ?? '' }
}

async function signedIn(person: Person): Promise<Visitor> {
  const { visitor } = await at(app, person)
  return visitor
}

/** As if the flow came back from an upstream that knows somebody whom nobody here is linked to. */
async function knownElsewhere(begun: Promise<Way>): Promise<Way> {
  const way = await begun
  const identity = { providerId: 'work', issuer: 'i', subject: 's', emailTrusted: true, roles: [] }
  const email = 'elsewhere@example.org'
  await keepProof({ db, keyring }, way.flow, { ...identity, email })
  await pool.query(
    `update interactions set progress = progress || '{"upstream": "work"}' where id_hash = $1`,
    [sha256(way.flow)],
  )
  return way
}

const always: Step[] = ['sign-in', 'register', 'reset-password']
const essential = { claims: '{"id_token":{"acr":{"essential":true,"value":"2fa"}}}' }

const states: State[] = [
  { name: 'nobody is known', open: always, begin: () => at(app) },
  {
    name: 'the password is proven, and a code is asked for',
    open: [...always, 'code'],
    begin: () => at(app, holder),
  },
  {
    name: 'the password is proven, and something has to be set up',
    open: [...always, 'authenticator'],
    begin: () => at(strict, plain),
  },
  {
    name: 'the password is proven, and a code by mail is asked for',
    open: [...always, 'mail-code'],
    begin: () => at(mailing, plain),
  },
  {
    name: 'five codes were wrong',
    open: always,
    begin: async () => {
      const way = await at(app, holder)
      const page = await way.visitor.get(`${origin}/sign-in/${way.flow}/code`)
      for (let i = 0; i < 5; i++) await way.visitor.press(page, 'continue', { code: '000000' })
      return way
    },
  },
  {
    name: 'the password was proven long ago',
    open: always,
    begin: async () => {
      const way = await at(app, holder)
      await pool.query(
        `update interactions set progress = jsonb_set(progress, '{proven,at}', '0') where id_hash = $1`,
        [sha256(way.flow)],
      )
      return way
    },
  },
  {
    name: 'the mailbox is proven, and a first passkey has to be made',
    open: [...always, 'verify-email', 'first-passkey'],
    begin: async () => {
      const way = await at(app)
      const signIn = await way.visitor.get(`${origin}/sign-in/${way.flow}`)
      const username = `keyholder${++keyholders}`
      const proof = await beginWithoutPassword(way.visitor, signIn, username)
      const code = await server.mailedCode(`${username}@example.org`)
      await way.visitor.press(proof, 'continue', { code })
      return way
    },
  },
  {
    name: 'a mailbox has to be proven, of whoever goes without a password',
    open: [...always, 'verify-email'],
    begin: async () => {
      const way = await at(app)
      const signIn = await way.visitor.get(`${origin}/sign-in/${way.flow}`)
      await beginWithoutPassword(way.visitor, signIn, `keyholder${++keyholders}`)
      return way
    },
  },
  {
    name: 'let in, and offered a passkey',
    open: [...always, 'add-passkey'],
    begin: () => at(app, plain, {}, createBrowser(server), { passkeys: 'yes' }),
  },
  {
    name: 'proven by an upstream, and nobody here yet',
    open: [...always, 'new-here'],
    begin: () => knownElsewhere(at(app)),
  },
  {
    name: 'let in, after an upstream has proven somebody',
    open: [...always, 'add-passkey', 'link-provider'],
    begin: () => knownElsewhere(at(app, plain, {}, createBrowser(server), { passkeys: 'yes' })),
  },
  {
    name: 'an app asks whoever is signed in for consent',
    open: [...always, 'consent', 'select-account'],
    begin: async () => at(foreign, undefined, {}, await signedIn(plain)),
  },
  {
    name: 'an app lets others in, and not who is signed in',
    open: [...always, 'no-access'],
    begin: async () => at(closed, undefined, {}, await signedIn(plain)),
  },
  {
    name: 'an app asks which account',
    open: [...always, 'select-account'],
    begin: async () => at(app, undefined, { prompt: 'select_account' }, await signedIn(plain)),
  },
  {
    name: 'whoever is signed in has to sign in anew',
    open: always,
    begin: async () => at(app, undefined, { prompt: 'login' }, await signedIn(plain)),
  },
  {
    name: 'whoever is signed in is asked for more',
    open: [...always, 'code'],
    begin: async () => {
      const visitor = createBrowser(server)
      const { flow } = await at(app, holder, {}, visitor)
      const page = await visitor.get(`${origin}/sign-in/${flow}/code`)
      await pool.query('update authenticators set last_step = 0')
      await visitor.press(page, 'continue', { code: codeOf(holder.secret) })
      await pool.query(`update sessions set acr = '1fa', amr = '{pwd}' where account_id = $1`, [
        holder.id,
      ])
      return at(app, undefined, essential, visitor)
    },
  },
]

async function stateOf(flow: string) {
  const { rows } = await pool.query(
    `select consumed_at, result, login_account_id, progress - 'guesses' - 'locale' as progress
     from interactions where id_hash = $1`,
    [sha256(flow)],
  )
  return rows[0]
}

const sessions = async () =>
  (await pool.query('select count(*)::int as count from sessions where account_id is not null'))
    .rows[0].count

describe.each(states)('$name', ({ open, begin }) => {
  test.each(steps)('%s', async (step) => {
    const { visitor, flow } = await begin()
    expect(flow).not.toBe('')
    const address = `${origin}/sign-in/${flow}${paths[step]}`
    const before = await stateOf(flow)
    const signed = await sessions()
    const page = await visitor.get(address)
    if (!open.includes(step)) {
      expect(page.url).not.toBe(address)
      expect(page.url).toContain(`/sign-in/${flow}`)
    }
    expect(await stateOf(flow)).toEqual(before)
    // A POST with the proof of a page of ours, but none of a person.
    const form = await visitor.get(`${origin}/sign-in/${flow}`)
    const csrf = /name="csrf" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
    const asForm = { ...form, body: formOf(address, csrf) }
    const mayMove = open.includes(step) && ['consent', 'select-account', 'no-access'].includes(step)
    if (mayMove) return
    const posted = await visitor.press(asForm, 'continue')
    expect(posted.url).not.toMatch(/[?&]code=/)
    expect(posted.url).toContain(origin)
    const after = await stateOf(flow)
    expect(after).toEqual(before)
    expect(await sessions()).toBe(signed)
  })
})

/** What only scripts and buttons post to, and the step that each belongs to. */
const acts: Record<string, Step> = {
  '/with': 'sign-in',
  '/with-passkey': 'sign-in',
  '/first-passkey/options': 'first-passkey',
  '/passkey/options': 'passkey',
  '/add-passkey/options': 'add-passkey',
}

test.each(states)('$name: what is posted to without a page of its own', async ({ open, begin }) => {
  const { visitor, flow } = await begin()
  const before = await stateOf(flow)
  const signed = await sessions()
  const form = await visitor.get(`${origin}/sign-in/${flow}`)
  const csrf = /name="csrf" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
  for (const [path, step] of Object.entries(acts)) {
    const body = formOf(`${origin}/sign-in/${flow}${path}`, csrf)
    const posted = await visitor.press({ ...form, body }, 'continue')
    expect([path, posted.url]).toEqual([path, expect.stringContaining(`${origin}/sign-in/`)])
    if (!open.includes(step))
      expect([path, posted.body.includes('"challenge"')]).toEqual([path, false])
    expect([path, await stateOf(flow)]).toEqual([path, before])
  }
  expect(await sessions()).toBe(signed)
})

const half = [
  'the password is proven, and a code is asked for',
  'the mailbox is proven, and a first passkey has to be made',
  'proven by an upstream, and nobody here yet',
]

describe.each(half)('MF-05 half signed in can do nothing else: %s', (name) => {
  test('neither at the account pages, nor at the API, nor at the engine', async () => {
    const { visitor, flow } = await (states.find((state) => state.name === name) as State).begin()
    const form = await visitor.get(`${origin}/sign-in/${flow}`)
    const csrf = /name="csrf" value="([^"]+)"/.exec(form.body)?.[1] ?? ''
    const slow = stepwise(visitor)
    for (const path of [...Object.values(accountPages), ...ownActs]) {
      const got = await slow.get(origin + path)
      if (got.status !== 405 && got.status !== 404)
        expect([path, got.status, got.url]).toEqual([
          path,
          303,
          expect.stringContaining('/sign-in?'),
        ])
      const posted = await slow.press({ ...form, body: formOf(origin + path, csrf) }, 'continue')
      expect([path, posted.status, posted.url]).toEqual([
        path,
        expect.toBeOneOf([303, 404, 405, 415]),
        expect.not.stringMatching(/success|done|code=/),
      ])
    }
    const silent = app.begin({ prompt: 'none' })
    expect(app.answerOf(silent, await visitor.get(silent.url)).error).toBe('login_required')
    expect((await visitor.get(`${origin}/oauth2/authorize/${flow}`)).url).not.toContain('code=')
    // Cookies that are taken along to where no browser would bring them, and the flow's id for a token.
    const cookie = [...visitor.cookies.values()].map((c) => `${c.name}=${c.value}`).join('; ')
    const scoped = Object.entries<Operation>(allOperations).filter(([, { scope }]) => scope)
    expect(scoped.length).toBeGreaterThan(40)
    for (const [id, { method, path }] of scoped) {
      const headers = { cookie, authorization: `Bearer ${flow}` }
      const address = origin + path.replaceAll(/\{\w+\}/g, nowhere)
      const { status } = await fetch(address, { method: method.toUpperCase(), headers })
      expect([id, status]).toEqual([id, 401])
    }
    const headers = { cookie, authorization: `Bearer ${flow}` }
    expect((await fetch(`${origin}/oauth2/userinfo`, { headers })).status).toBe(401)
  })
})

const ownActs = [
  '/account/picture',
  '/account/data/download',
  '/account/authenticators/new',
  '/account/passkeys/options',
]

function formOf(address: string, csrf: string): string {
  const fields = Object.entries({ ...noProof, csrf })
  const inputs = fields.map(([name, value]) => `<input name="${name}" value="${value}">`)
  return `<form action="${address}">${inputs.join('')}<button id="continue"></button></form>`
}

test('the matrix holds every step that there is', () => {
  const flow = {
    prompt: { name: 'consent', reasons: [], details: {} },
    account: { id: 'a' },
    session: undefined,
    login: { accountId: 'a', at: 0 },
    progress: {
      registrationId: 'r',
      upstream: 'u',
      proven: { accountId: 'a', amr: ['pwd'], at: Date.now(), since: null, next: 'totp' as const },
    },
  }
  const known = new Set<Step>(steps)
  expect(stepsOf(flow).filter((step) => !known.has(step))).toEqual([])
})

/** The same person by a second copy of us as the upstream: linking is asked and never silent, by pages alone. */
import { expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import { listIdentities } from '../../src/federation/identities.ts'
import { revokeSessions } from '../../src/sessions/end-sessions.ts'
import { ageSessions, isSignedIn, mailTo } from '../support/account.ts'
import { auditOf } from '../support/audit.ts'
import { codeOf, createHolder } from '../support/factors.ts'
import { createPerson, type Person } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { addProvider, atBoth, comeBy, connectCopy, noticed } from '../support/upstream.ts'

const env = { ALLOW_PRIVATE_TARGETS: '127.0.0.0/8,::1/128' }
const upstream = await startTestServer({ env })
const server = await startTestServer({ env })
const { db, pool } = server.database
// One that is believed about addresses, and one that is not.
await connectCopy(server, upstream, { trustEmail: true })
await connectCopy(server, upstream, { id: 'club', name: 'Club' })

const atSignIn = (visitor: Visitor) => visitor.get(`${server.origin}/sign-in`)
const home = `${server.origin}/account`
const operator = { kind: 'operator' } as const
let count = 0
const twins = async (): Promise<[there: Person, here: Person]> => {
  const username = `twin${++count}`
  return [await createPerson(upstream, { username }), await createPerson(server, { username })]
}
const give = (visitor: Visitor, page: Page, { username, password }: Person) =>
  visitor.press(page, 'continue', { identifier: username, password })

test('somebody new chooses a username and has an account, without a password', async () => {
  const there = await createPerson(upstream, { username: 'mei' })
  const visitor = atBoth(server, upstream)
  const welcome = await comeBy(visitor, await atSignIn(visitor), there)
  expect(welcome.url).toContain('/new-here')
  expect(welcome.body).toContain('mei@example.org')
  expect(welcome.body).toContain('value="mei"')
  const refused = await visitor.press(welcome, 'continue', { username: 'admin' })
  expect([refused.status, refused.error]).toEqual([422, expect.stringContaining('kept')])
  const made = await visitor.press(refused, 'continue', { username: 'mei-here' })
  expect(made.url).toBe(home)
  expect(made.body).toContain('mei-here')

  // In another browser: straight in.
  const other = atBoth(server, upstream)
  expect((await comeBy(other, await atSignIn(other), there)).url).toBe(home)
  const account = await db
    .selectFrom('accounts')
    .selectAll()
    .where('username', '=', 'mei-here')
    .executeTakeFirstOrThrow()
  expect(account).toMatchObject({ status: 'active', passwordHash: null, email: 'mei@example.org' })
  const events = await auditOf(db, 'identity.linked')
  expect(events.filter(({ accountId }) => accountId === account.id)).toHaveLength(1)
})

test('what the session and the app are told is that somebody was here, and no password', async () => {
  const there = await createPerson(upstream)
  const visitor = atBoth(server, upstream)
  await visitor.press(await comeBy(visitor, await atSignIn(visitor), there), 'continue')
  const { rows } = await pool.query(
    `select acr, amr from sessions where account_id = (select account_id from identities where label = $1)`,
    [there.email],
  )
  expect(rows).toEqual([{ acr: '1fa', amr: ['user'] }])
})

test('AC-15 an equal address opens nobody’s account: its owner signs in here, is asked, and then it is linked', async () => {
  const [there, here] = await twins()
  const visitor = atBoth(server, upstream)
  const asked = await comeBy(visitor, await atSignIn(visitor), there)
  expect(asked.url).toContain('/new-here')
  expect(asked.body).toContain('An account here has the same address')
  expect(asked.body).not.toContain('id="username"')
  // Whoever forces the form has nothing of it either.
  const form = await visitor.get(asked.url.replace('/new-here', ''))
  const forced = { ...form, body: form.body.replace(/action="[^"]*"/, `action="${asked.url}"`) }
  const refused = await visitor.press(forced, 'continue', { username: 'somebody-else' })
  expect(refused.status).toBe(422)
  expect(await isSignedIn(server, visitor)).toBe(false)
  expect(await listIdentities(db, here.id)).toEqual([])

  const signIn = await visitor.follow(asked, 'sign-in')
  expect(signIn.body).toContain('we’ll ask whether to link')
  const question = await give(visitor, signIn, here)
  expect(question.url).toContain('/link-provider')
  expect(await listIdentities(db, here.id)).toEqual([])
  const done = await visitor.press(question, 'link')
  expect(done.url).toBe(home)
  expect(await listIdentities(db, here.id)).toMatchObject([
    { label: there.email, provider: 'Work' },
  ])
  expect(await mailTo(server, here.email, /An account on another site was linked/)).toBeTruthy()
  const other = atBoth(server, upstream)
  expect((await comeBy(other, await atSignIn(other), there)).url).toBe(home)
})

test('whoever says "not now" is let in, and nothing is linked', async () => {
  const [there, here] = await twins()
  const visitor = atBoth(server, upstream)
  const asked = await comeBy(visitor, await atSignIn(visitor), there)
  const question = await give(visitor, await visitor.follow(asked, 'sign-in'), here)
  expect((await visitor.press(question, 'later')).url).toBe(home)
  expect(await listIdentities(db, here.id)).toEqual([])
})

test('AC-19 an upstream that is not believed: the address is proven to us first, and who has one is not told', async () => {
  const there = await createPerson(upstream)
  const visitor = atBoth(server, upstream)
  const welcome = await comeBy(visitor, await atSignIn(visitor), there, 'club')
  const form = await visitor.follow(welcome, 'register')
  expect(form.body).not.toContain('id="password"')
  expect(form.body).toContain(`value="${there.email}"`)
  const proof = await visitor.press(form, 'continue', { username: `${there.username}-club` })
  expect(proof.url).toContain('/verify-email')
  expect(await isSignedIn(server, visitor)).toBe(false)
  const code = await server.mailedCode(there.email)
  const done = await visitor.press(proof, 'continue', { code })
  expect(done.url).toBe(home)
  const other = atBoth(server, upstream)
  expect((await comeBy(other, await atSignIn(other), there, 'club')).url).toBe(home)

  // Word for word the same page where the address is somebody's here.
  const [known] = await twins()
  const curious = atBoth(server, upstream)
  const same = await comeBy(curious, await atSignIn(curious), known, 'club')
  const plain = (page: Page, { username, email }: Person) =>
    page.body
      .replaceAll(email, '')
      .replaceAll(username, '')
      .replace(/(\/sign-in\/|nonce=")[\w-]+|value="[^"]*"/g, '')
  expect(plain(same, known)).toBe(plain(welcome, there))
})

test('AC-17 a stranger who has registered with the address first has nothing of it', async () => {
  const there = await createPerson(upstream, { username: 'victim' })
  const mallory = atBoth(server)
  const page = await mallory.get(`${server.origin}/register`)
  const waiting = await mallory.press(page, 'continue', {
    username: 'mallory',
    email: there.email,
    password: 'a stranger in the house',
  })
  expect(waiting.url).toContain('/verify-email')
  const visitor = atBoth(server, upstream)
  const welcome = await comeBy(visitor, await atSignIn(visitor), there)
  expect((await visitor.press(welcome, 'continue')).url).toBe(home)
  const late = await mallory.press(waiting, 'continue', {
    code: await server.mailedCode(there.email).catch(() => '000000'),
  })
  expect(late.url).not.toContain('/account')
  const signIn = await give(mallory, await atSignIn(mallory), {
    id: '',
    email: '',
    username: 'mallory',
    password: 'a stranger in the house',
  })
  expect(signIn.url).not.toBe(home)
})

test('a second factor of ours is asked for as ever', async () => {
  const holder = await createHolder(server)
  const there = await createPerson(upstream, { username: `${holder.username}-up` })
  const visitor = atBoth(server, upstream)
  const asked = await comeBy(visitor, await atSignIn(visitor), there, 'club')
  const code = await give(visitor, await visitor.follow(asked, 'sign-in'), holder)
  expect(code.url).toContain('/code')
  const question = await visitor.press(code, 'continue', { code: codeOf(holder.secret) })
  await visitor.press(question, 'link')
  await pool.query('update authenticators set last_step = 0')
  const other = atBoth(server, upstream)
  const second = await comeBy(other, await atSignIn(other), there, 'club')
  expect(second.url).toContain('/code')
  expect(await isSignedIn(server, other)).toBe(false)
  const done = await other.press(second, 'continue', { code: codeOf(holder.secret) })
  expect(done.url).toBe(home)
  const { rows } = await pool.query(
    `select count(*)::int from upstream_sessions u join sessions s on s.uid = u.session_uid where u.account_id = $1`,
    [holder.id],
  )
  expect(rows).toEqual([{ count: 1 }])
})

test('somebody who is switched off stays out', async () => {
  const there = await createPerson(upstream)
  const visitor = atBoth(server, upstream)
  await visitor.press(await comeBy(visitor, await atSignIn(visitor), there), 'continue')
  const { id } = await db
    .selectFrom('accounts')
    .select('id')
    .where('email', '=', there.email)
    .executeTakeFirstOrThrow()
  await disableAccount(db, id, 'test', operator)
  const page = await comeBy(visitor, await atSignIn(visitor), there)
  expect(page.error).toContain('switched off')
  expect(await isSignedIn(server, visitor)).toBe(false)
})

test('the own account: linked by proving it, unlinked, and never the last way in', async () => {
  const [there, here] = await twins()
  const visitor = atBoth(server, upstream)
  await give(visitor, await atSignIn(visitor), here)
  const path = `${server.origin}/account/providers`
  const page = await visitor.get(path)
  const there1 = await visitor.press(page, 'link-work')
  const linked = await give(visitor, there1, there)
  expect(linked.url).toBe(path)
  expect(linked.body).toContain('From now on that account signs you in')
  const [identity] = await listIdentities(db, here.id)
  // Somebody else cannot have it, nor take it away.
  const stranger = await createPerson(server)
  const thief = atBoth(server, upstream)
  await give(thief, await atSignIn(thief), stranger)
  const refused = await give(thief, await thief.press(await thief.get(path), 'link-work'), there)
  expect(refused.error).toContain('somebody else')
  const forged = { ...refused, body: refused.body.replaceAll('name="provider"', 'name="identity"') }
  const gone = await thief.press(forged, 'link-work', {
    act: 'unlink',
    identity: `${identity?.id}`,
  })
  expect(gone.error).toContain('unlinked already')
  expect(await listIdentities(db, here.id)).toHaveLength(1)

  await ageSessions(server, 15)
  expect((await visitor.get(path)).url).toContain('/sign-in/')
  await pool.query('update sessions set signed_in_at = now()')
  await pool.query('update accounts set password_hash = null where id = $1', [here.id])
  const last = await visitor.press(await visitor.get(path), `unlink-${identity?.id}`)
  expect([last.status, last.error]).toEqual([409, expect.stringContaining('only way')])
  await pool.query(`update accounts set password_hash = 'x' where id = $1`, [here.id])
  const unlinked = await visitor.press(last, `unlink-${identity?.id}`)
  expect(unlinked.body).toContain('can no longer be used to sign in')
  expect(await listIdentities(db, here.id)).toEqual([])
  expect(await mailTo(server, here.email, /can no longer sign you in/)).toBeTruthy()
})

test('from the door of registration straight to the upstream', async () => {
  const there = await createPerson(upstream)
  const visitor = atBoth(server, upstream)
  const door = await visitor.get(`${server.origin}/register`)
  const welcome = await comeBy(visitor, door, there)
  expect(welcome.url).toContain('/new-here')
  // Only this once.
  expect((await atSignIn(visitor)).body).toContain('id="password"')
})

test('signing out here asks whether to sign out there', async () => {
  const there = await createPerson(upstream)
  const visitor = atBoth(server, upstream)
  await visitor.press(await comeBy(visitor, await atSignIn(visitor), there), 'continue')
  const out = await visitor.press(await visitor.get(home), 'sign-out')
  expect(await isSignedIn(upstream, visitor)).toBe(true)
  const asked = await visitor.press(out, 'upstream')
  expect(asked.url).toContain(`${upstream.origin}/oauth2/logout`)
  expect(asked.body).toContain(there.username)
  // Once: the hint is gone with it.
  expect((await visitor.press(out, 'upstream')).url).toContain(server.origin)
})

test('the end of the session there is the end of the session here, and of no other', async () => {
  const there = await createPerson(upstream)
  const [visitor, local] = [atBoth(server, upstream), atBoth(server)]
  await visitor.press(await comeBy(visitor, await atSignIn(visitor), there), 'continue')
  const { id } = await db
    .selectFrom('accounts')
    .select('id')
    .where('email', '=', there.email)
    .executeTakeFirstOrThrow()
  const { passwordHash } = await db
    .selectFrom('accounts')
    .select('passwordHash')
    .where('id', '=', (await createPerson(server)).id)
    .executeTakeFirstOrThrow()
  await db.updateTable('accounts').set({ passwordHash }).where('id', '=', id).execute()
  await give(local, await atSignIn(local), { ...there, username: there.email })
  expect([await isSignedIn(server, visitor), await isSignedIn(server, local)]).toEqual([true, true])
  await revokeSessions(upstream.database.db, { accountId: there.id }, { actor: operator })
  await expect.poll(() => isSignedIn(server, visitor), { timeout: 10_000 }).toBe(false)
  expect(await isSignedIn(server, local)).toBe(true)
  for (const token of ['', 'a.b.c', `${'x'.repeat(20_000)}`]) {
    const answer = await fetch(`${server.origin}/sign-in/backchannel-logout/work`, {
      method: 'POST',
      body: new URLSearchParams({ logout_token: token }),
    })
    expect(answer.status).toBe(400)
  }
})

test('AC-23 a provider that is switched off signs nobody in, on the way there or back', async () => {
  const there = await createPerson(upstream)
  await addProvider(server, { id: 'gone', name: 'Gone', issuer: upstream.origin })
  await noticed()
  const visitor = atBoth(server)
  const page = await atSignIn(visitor)
  expect(page.body).toContain('with-gone')
  const away = await visitor.press(page, 'with-gone')
  expect(away.url).toContain(upstream.origin)
  await pool.query(`update providers set enabled = false where id = 'gone'`)
  await pool.query(`update versions set version = version + 1 where name = 'settings'`)
  await noticed()
  expect((await visitor.press(page, 'with-gone')).url).toContain('/sign-in/')
  expect((await atSignIn(visitor)).body).not.toContain('with-gone')
  const { state = '' } = Object.fromEntries(new URL(away.url).searchParams)
  const back = await visitor.get(`${server.origin}/sign-in/callback/gone?code=x&state=${state}`)
  expect(back.status).toBe(410)
  expect(there.id).toBeTruthy()
})

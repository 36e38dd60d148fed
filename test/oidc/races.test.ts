/** The same thing many times at once, on one node and on two. What may happen once happens once. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { describe, expect, test } from 'vitest'
import { disableAccount } from '../../src/accounts/accounts.ts'
import { newId, sha256 } from '../../src/crypto.ts'
import type { Page } from '../../src/demo/visitor.ts'
import { removeExpired } from '../../src/sessions/cleanup.ts'
import { listSessions } from '../../src/sessions/sessions.ts'
import { startNodes } from '../support/nodes.ts'
import {
  authorize,
  createBrowser,
  createPerson,
  isConsent,
  obtainCode,
  password,
  stepwise,
} from '../support/person.ts'
import { type Answer, createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'

describe.each([
  ['one node', 1],
  ['two nodes', 2],
])('on %s', async (_, count) => {
  const server = await startNodes(count)
  const { origin } = server
  const { db, pool } = server.database
  const person = await createPerson(server)
  const visitor = createBrowser(server)
  const app = await createApp(server)
  const operator = { kind: 'operator' } as const

  const atOnce = <T>(times: number, act: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: times }, (_, index) => act(index)))
  const succeeded = (answers: Answer[]) => answers.filter(({ status }) => status === 200)

  async function eachRound(work: (round: number) => Promise<void>): Promise<void> {
    for (let round = 0; round < rounds; round++) await work(round)
  }

  test('RC-01: one code redeemed by twenty at once: one success, and nothing of it lives', () =>
    eachRound(async () => {
      const { request, code } = await obtainCode(visitor, app, person)
      const answers = await atOnce(20, () => app.redeem(request, code))
      const [won, ...more] = succeeded(answers)
      expect(more).toEqual([])
      expect(won).toBeDefined()
      const lost = answers.filter(({ status }) => status !== 200)
      expect(
        lost.every(({ status, body }) => status === 400 && body.error === 'invalid_grant'),
      ).toBe(true)
      expect((await app.userinfo(won?.body.access_token)).status).toBe(401)
      expect((await app.refresh(won?.body.refresh_token)).body.error).toBe('invalid_grant')
    }))

  test('RC-02: one refresh token used by twenty at once: the same successor for all', () =>
    eachRound(async () => {
      const { answer } = await authorize(createBrowser(server), app, person)
      const answers = await atOnce(20, () => app.refresh(answer.body.refresh_token))
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
      const successors = [...new Set(answers.map(({ body }) => body.refresh_token))]
      expect(successors).toHaveLength(1)
      const next = await app.refresh(successors[0])
      expect(next.status).toBe(200)
      expect(next.body.refresh_token).not.toBe(successors[0])
      expect((await app.userinfo(next.body.access_token)).status).toBe(200)
      const { rows } = await pool.query(
        'select count(*)::int as count from refresh_tokens where grant_id = (select grant_id from refresh_tokens where id_hash = $1)',
        [sha256(answer.body.refresh_token ?? '')],
      )
      expect(rows).toEqual([{ count: 3 }])
    }))

  test('RC-03: refreshes against a revocation, an end of the account: nothing lives afterwards', () =>
    eachRound(async (round) => {
      const victim = await createPerson(server)
      const { answer } = await authorize(createBrowser(server), app, victim)
      const { refresh_token: token } = answer.body
      const end = () =>
        round % 2 === 0 ? app.revoke(token) : disableAccount(db, victim.id, 'left', operator)
      const [, ...answers] = await Promise.all([
        end(),
        ...Array.from({ length: 8 }, () => app.refresh(token)),
      ])
      for (const { body } of succeeded(answers)) {
        expect((await app.userinfo(body.access_token)).status).toBe(401)
        expect((await app.refresh(body.refresh_token)).body.error).toBe('invalid_grant')
      }
    }))

  test('RC-03: redemption against sign-out: what does not outlive the session is dead', () =>
    eachRound(async () => {
      const browser = createBrowser(server)
      const { request, code } = await obtainCode(browser, app, person, { scope: 'openid email' })
      const page = await browser.get(app.logoutUrl())
      const [answer] = await Promise.all([
        app.redeem(request, code),
        browser.press(page, 'continue'),
      ])
      expect((await app.userinfo(answer.body.access_token)).status).toBe(401)
    }))

  test('twenty apps open at once in one session: all are signed in, and the session knows them all', async () => {
    const apps = await atOnce(20, () => createApp(server, { firstParty: true }))
    await eachRound(async () => {
      const browser = createBrowser(server)
      await authorize(browser, app, person)
      const answers = await Promise.all(
        apps.map(async (house) => {
          const request = house.begin({ scope: 'openid' })
          const { code } = house.answerOf(request, await browser.get(request.url))
          return { house, answer: await house.redeem(request, code) }
        }),
      )
      const expectAll = async (status: number) => {
        const checked = answers.map(({ house, answer }) => house.userinfo(answer.body.access_token))
        for (const userinfo of await Promise.all(checked)) expect(userinfo.status).toBe(status)
      }
      await expectAll(200)
      const done = await browser.press(await browser.get(app.logoutUrl()), 'continue')
      expect(done.status).toBeLessThan(400)
      await expectAll(401)
    })
  })

  test('two tabs sign in and consent at once: both are in, each with its own app', () =>
    eachRound(async () => {
      const somebody = await createPerson(server)
      const browser = createBrowser(server)
      const apps = [await createApp(server), await createApp(server)] as const
      const tabs = []
      for (const own of apps) {
        const request = own.begin({ scope: 'openid' })
        tabs.push({ own, request, page: await browser.get(request.url) })
      }
      const fields = { identifier: somebody.username, password }
      const consents = await Promise.all(
        tabs.map(({ page }) => browser.press(page, 'continue', fields)),
      )
      expect(consents.map(isConsent), consents.map(({ url }) => url).join()).toEqual([true, true])
      const backs = await Promise.all(consents.map((page) => browser.press(page, 'continue')))
      for (const [index, { own, request }] of tabs.entries()) {
        const { code } = own.answerOf(request, backs[index] as Page)
        const answer = await own.redeem(request, code)
        expect((await own.userinfo(answer.body.access_token)).body.sub).toBe(somebody.id)
      }
      // One session, and it is the one that the browser holds.
      const again = apps[0].begin({ scope: 'openid', prompt: 'none' })
      expect(apps[0].answerOf(again, await browser.get(again.url)).code).toBeTruthy()
    }))

  test('of two tabs that sign in at once the session which the browser has lost opens nothing, is seen, and ends', async () => {
    const somebody = await createPerson(server)
    const browser = createBrowser(server)
    const apps = [
      await createApp(server, { firstParty: true }),
      await createApp(server, { firstParty: true }),
    ] as const
    const steps = stepwise(browser)
    const tabs = []
    for (const own of apps) {
      const request = own.begin({ scope: 'openid' })
      const page = await browser.get(request.url)
      const fields = { identifier: somebody.username, password }
      tabs.push({ own, request, resume: await steps.press(page, 'continue', fields) })
    }
    const answers = await Promise.all(
      tabs.map(async ({ own, request, resume }) => {
        const { code } = own.answerOf(request, await browser.get(resume.url))
        return own.redeem(request, code)
      }),
    )
    // Whoever holds the browser is one session; the other's cookie was replaced and is nowhere.
    const { rows } = await pool.query(
      `select uid, id_hash, previous_id_hash, expires_at from sessions where account_id = $1`,
      [somebody.id],
    )
    const held = [...browser.cookies.values()].map(({ value }) => sha256(value).toString('hex'))
    const lost = rows.filter(({ id_hash: hash }) => !held.includes(hash.toString('hex')))
    expect([rows.length, lost.length]).toEqual([2, 1])
    for (const { expires_at: end } of lost) {
      expect(end.getTime()).toBeLessThanOrEqual(Date.now() + 30 * 24 * 3_600_000)
    }
    // It stands among the person's sessions, where it can be ended; its own end takes what hangs on it.
    const seen = (await listSessions(db, { accountId: somebody.id })).map(({ uid }) => uid)
    expect(seen).toEqual(expect.arrayContaining(lost.map(({ uid }) => uid)))
    for (const { uid } of lost) {
      await pool.query(
        `update sessions set expires_at = now() - interval '1 second' where uid = $1`,
        [uid],
      )
    }
    const statuses = await Promise.all(
      tabs.map(
        async ({ own }, index) => (await own.userinfo(answers[index]?.body.access_token)).status,
      ),
    )
    expect(statuses.filter((status) => status === 401)).toHaveLength(lost.length)
    await removeExpired(pool)
    const left = await pool.query('select uid from sessions where account_id = $1', [somebody.id])
    expect(left.rows).toHaveLength(1)
  })

  test('two tabs of a session sign in again at once: both are in, and the browser holds the session', () =>
    eachRound(async () => {
      const browser = createBrowser(server)
      await authorize(browser, app, person)
      const steps = stepwise(browser)
      const tabs = []
      for (let tab = 0; tab < 2; tab++) {
        const request = app.begin({ prompt: 'login' })
        const page = await browser.get(request.url)
        const resume = await steps.press(page, 'continue', {
          identifier: person.username,
          password,
        })
        tabs.push({ request, resume: resume.url })
      }
      const answers = await Promise.all(
        tabs.map(async ({ request, resume }) => {
          const { code } = app.answerOf(request, await browser.get(resume))
          return app.redeem(request, code)
        }),
      )
      for (const { body } of answers) {
        expect((await app.userinfo(body.access_token)).status).toBe(200)
      }
      const silent = app.begin({ prompt: 'none' })
      expect(app.answerOf(silent, await browser.get(silent.url)).code).toBeTruthy()
      const { rows } = await pool.query(
        "select count(*)::int as count from sessions where account_id = $1 and created_at > now() - interval '5 seconds'",
        [person.id],
      )
      expect(rows[0].count).toBeGreaterThan(0)
    }))

  test('one interaction resumed by four at once gives one code', () =>
    eachRound(async () => {
      const browser = createBrowser(server)
      const house = await createApp(server, { firstParty: true })
      const request = house.begin()
      const page = await browser.get(request.url)
      const resume = await stepwise(browser).press(page, 'continue', {
        identifier: person.username,
        password,
      })
      const pages = await atOnce(4, () => browser.get(resume.url))
      expect(pages.filter(({ url }) => url.includes('code='))).toHaveLength(1)
      for (const other of pages.filter(({ url }) => !url.includes('code='))) {
        expect(other.body).toContain('id="continue"')
      }
    }))

  test('RC-12: consent sent ten times at once is one row, with all of it', () =>
    eachRound(async () => {
      const somebody = await createPerson(server)
      const browser = createBrowser(server)
      const own = await createApp(server)
      const request = own.begin()
      const consent = await browser.press(await browser.get(request.url), 'continue', {
        identifier: somebody.username,
        password,
      })
      const pages = await atOnce(10, () => browser.press(consent, 'continue'))
      expect(pages.filter(({ url }) => url.includes('code='))).toHaveLength(1)
      expect(pages.every(({ status }) => status < 500)).toBe(true)
      const rows = await db
        .selectFrom('consents')
        .select('scopes')
        .where('clientId', '=', own.id)
        .execute()
      expect(rows).toHaveLength(1)
      expect([...(rows[0]?.scopes ?? [])].sort()).toEqual([
        'email',
        'groups',
        'offline_access',
        'openid',
        'profile',
      ])
    }))

  test('RC-08, TK-12: one signed assertion sent twenty times at once is taken once', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'k1' }
    const signer = await createApp(server, {
      preset: 'service',
      authMethod: 'private_key_jwt',
      jwks: { keys: [jwk] },
    })
    const assertion = (claims = {}) =>
      new SignJWT({ jti: newId(), ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
        .setIssuer(signer.id)
        .setSubject(signer.id)
        .setAudience(origin)
        .setIssuedAt()
        .setExpirationTime('1m')
        .sign(privateKey)
    const send = (client_assertion: string) =>
      signer.post('token', {
        grant_type: 'client_credentials',
        client_id: undefined,
        client_secret: undefined,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion,
      })
    await eachRound(async () => {
      const once = await assertion()
      const answers = await atOnce(20, () => send(once))
      expect(succeeded(answers)).toHaveLength(1)
      expect(
        new Set(answers.filter(({ status }) => status !== 200).map(({ body }) => body.error)),
      ).toEqual(new Set(['invalid_client']))
      expect((await send(once)).body.error).toBe('invalid_client')
    })
  })
})

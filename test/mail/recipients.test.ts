/** What one mailbox can be made to receive: every kind of mail is counted by who gets it, and asked for often goes out once. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { tell } from '../../src/accounts/notices.ts'
import { tellOfFactor } from '../../src/credentials/factor-mails.ts'
import { beginProof, resendProof } from '../../src/credentials/mail-proofs.ts'
import { askForSignInCode, spendSignInCode } from '../../src/credentials/sign-in-codes.ts'
import { createLimits } from '../../src/http/limits.ts'
import { createInvite } from '../../src/invites/invites.ts'
import { enqueue, type TaskName } from '../../src/jobs/tasks.ts'
import { jobsDone, mailsTo } from '../support/account.ts'
import { ask } from '../support/asking-app.ts'
import { auditOf } from '../support/audit.ts'
import { keyringOf } from '../support/factors.ts'
import { createPerson, password } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { rounds } from '../support/rounds.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer({ env: { LIMIT_FACTOR: '1' } })
const { origin } = server
const { db, pool } = server.database
const keyring = keyringOf(server)
const deps = { db, keyring }
const flowHash = (name: string) => createHash('sha256').update(name).digest()
const codeIn = /^ {4}(\d{6})$/m

type MailTask = Extract<TaskName, `mail.${string}`>

test('AC-13, DS-10: of no kind is there one more than a mailbox may get', async () => {
  const person = await createPerson(server)
  const { id: accountId, email } = person
  const address = { email, canonical: email }
  const stranger = 'stranger@example.org'
  const till = await createApp(server, { preset: 'ciba' })
  const by = { actor: { kind: 'operator' } } as const
  const kinds: Record<MailTask, () => Promise<unknown>> = {
    'mail.verification': () =>
      fetch(`${origin}/api/registrations`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ username: 'stranger', email: stranger, password }),
      }),
    'mail.invite': () => {
      const given = { uses: 1, lifetimeSeconds: null, roles: [], email, sendIn: 'en' as const }
      return createInvite(deps, given, by)
    },
    'mail.proof': () => beginProof(db, { purpose: 'reset-password', address, locale: 'en' }),
    'mail.notice': () => tell(db, { accountId, kind: 'password_changed' }),
    'mail.question': () => ask(till, { login_hint: person.username }),
    'mail.passkey': () => {
      const old = { accountId, passkeyId: 'p', change: 'added', name: 'x' } as const
      return enqueue(db, 'mail.passkey', old)
    },
    'mail.factor': () => tellOfFactor(db, { accountId, what: 'added', factor: 'totp' }),
    'mail.sign-in-code': () => askForSignInCode(deps, { flowHash: flowHash('full'), accountId }),
  }
  const limits = createLimits({ pool, keyring, factor: 1 })
  for (const name of ['mail-recipient', 'notice-recipient', 'question-recipient'] as const)
    for (const to of [email, stranger]) while (await limits.allows(name, to));

  for (const [kind, put] of Object.entries(kinds)) {
    const before = (await auditOf(db, 'mail.held_back')).length
    await put()
    await jobsDone(server)
    expect([kind, (await auditOf(db, 'mail.held_back')).length]).toEqual([kind, before + 1])
  }
  expect(await mailsTo(server, email)).toEqual([])
  expect(await mailsTo(server, stranger)).toEqual([])
})

test('what is asked for many times at once goes out once', async () => {
  const { id: accountId, email } = await createPerson(server)
  const at = { flowHash: flowHash('often'), accountId }
  const many = <T>(act: () => Promise<T>) => Promise.all(Array.from({ length: 20 }, act))
  const asked = await many(() => askForSignInCode(deps, at))
  expect(asked.filter((each) => each?.sent)).toHaveLength(1)
  await jobsDone(server)
  expect(await mailsTo(server, email)).toHaveLength(1)
  const purpose = 'reset-password'
  const address = { email, canonical: email }
  const id = await beginProof(db, { purpose, address, locale: 'en' })
  await pool.query('update mail_proofs set next_mail_at = now() where id = $1', [id])
  expect((await many(() => resendProof(db, { id, purpose }))).filter(Boolean)).toHaveLength(1)
  await jobsDone(server)
  // The first may have left before the second was asked for.
  expect((await mailsTo(server, email)).length).toBeLessThanOrEqual(3)
})

test('MF-02, MF-03: a mailed code lets one of many in who send it at once, and dies of five wrong ones', async () => {
  const { id: accountId, email } = await createPerson(server)
  const many = rounds * 10
  const right = { flowHash: flowHash('right'), accountId }
  await askForSignInCode(deps, right)
  await jobsDone(server)
  const code = codeIn.exec((await mailsTo(server, email))[0] ?? '')?.[1] ?? ''
  // Of somebody else it is none.
  const other = await createPerson(server)
  expect(await spendSignInCode(deps, { ...right, accountId: other.id }, code)).toBe(false)
  const spent = await Promise.all(
    Array.from({ length: many }, () => spendSignInCode(deps, right, code)),
  )
  expect(spent.filter(Boolean)).toHaveLength(1)

  const guessed = { flowHash: flowHash('guessed'), accountId }
  await askForSignInCode(deps, guessed)
  await jobsDone(server)
  const next = codeIn.exec((await mailsTo(server, email))[0] ?? '')?.[1] ?? ''
  const wrong = next === '000000' ? '000001' : '000000'
  await Promise.all(Array.from({ length: many }, () => spendSignInCode(deps, guessed, wrong)))
  const { rows } = await pool.query('select guesses from sign_in_codes where flow_hash = $1', [
    guessed.flowHash,
  ])
  expect(rows).toEqual([{ guesses: 5 }])
  expect(await spendSignInCode(deps, guessed, next)).toBe(false)
})

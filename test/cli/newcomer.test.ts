/** Done-when 5: from nothing to a working app by what `idp --help` prints, and by nothing else. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { createBrowser, isConsent } from '../support/person.ts'
import { startTestServer } from '../support/server.ts'
import { createIdp, type Ran } from './support.ts'

const server = await startTestServer()
const idp = createIdp(server.database.url, {
  ISSUER: server.origin,
  SECRET_KEY: server.config.secretKeys.join(','),
})
const password = 'a long and quiet river'

/** As it is typed; `< file` gives the password, and what a pipe does with the answer is left out. */
async function type(line: string): Promise<Ran> {
  const [command = ''] = line.split(' | ')
  const words = command.replace(/ < .*$/, '').match(/"[^"]*"|\S+/g) ?? []
  return idp(
    words.map((word) => word.replaceAll('"', '')),
    / < /.test(command) ? { stdin: password } : {},
  )
}

const examplesOf = (help: string) =>
  [...help.matchAll(/^ {2}\$ idp (.*)$/gm)].map(([, line]) => String(line))

test('every step that the help names works in its order, and then people sign in to the app', async () => {
  const overview = (await type('--help')).stdout
  const lines = examplesOf(overview)
  const admin = lines.find((line) => line.startsWith('users create')) ?? ''
  const app = lines.find((line) => line.startsWith('clients create Notes')) ?? ''
  expect((await type(admin)).code).toBe(0)
  const made = await type(app)
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)])

  // What was printed is all that the app is given.
  const said = (name: RegExp) => name.exec(made.stdout)?.[1] ?? ''
  const [id, secret] = [said(/client id +(\S+)/i), said(/client secret +(\S+)/i)]
  expect([id.startsWith('notes'), secret.length > 20]).toEqual([true, true])
  expect(made.stdout).toContain(server.origin)
  const tested = lines.find((line) => line.startsWith('clients test')) ?? ''
  const walked = await type(tested.replace('Cloud', 'Notes'))
  expect([walked.code, walked.stderr]).toEqual([0, expect.any(String)])

  const redirectUri = 'https://notes.example.org/callback'
  const verifier = 'v'.repeat(43)
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: id,
    redirect_uri: redirectUri,
    scope: 'openid email',
    state: 's',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  })
  const visitor = createBrowser(server)
  const page = await visitor.get(`${server.origin}/oauth2/authorize?${query}`)
  let next = await visitor.press(page, 'continue', { identifier: 'ada', password })
  if (isConsent(next)) next = await visitor.press(next, 'continue')
  const code = new URL(next.url).searchParams.get('code') ?? ''
  const answer = await fetch(`${server.origin}/oauth2/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    }),
  })
  expect(await answer.json()).toMatchObject({ id_token: expect.any(String), token_type: 'Bearer' })
})

test('each further command of the overview runs, or says in words what it misses', async () => {
  const lines = examplesOf((await type('--help')).stdout)
  for (const line of lines.filter(
    (one) => !/^(users create|clients (create Notes|test))/.test(one),
  )) {
    const { code, stderr } = await type(line)
    expect([line, stderr.includes('our fault')]).toEqual([line, false])
    if (!/^(doctor|users import)/.test(line)) expect([line, code]).toEqual([line, 0])
  }
})

test('whoever mistypes is told what was meant, at every level', async () => {
  for (const [typed, meant] of [
    ['client list', 'clients'],
    ['users improt x', 'import'],
    ['backup creat x', 'create'],
  ]) {
    const { code, stderr } = await type(typed ?? '')
    expect([code, stderr]).toEqual([2, expect.stringContaining(meant ?? '')])
  }
})

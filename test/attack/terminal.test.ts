/** What strangers sent, read by an admin at a terminal: it neither moves the cursor nor becomes a command. */
import { expect, test } from 'vitest'
import { createIdp } from '../cli/support.ts'
import { createBrowser } from '../support/person.ts'
import { createApp } from '../support/relying-party.ts'
import { startTestServer } from '../support/server.ts'

const server = await startTestServer()
const app = await createApp(server)

async function explained(parameters: Record<string, string>): Promise<string> {
  const page = await createBrowser(server).get(app.begin(parameters).url)
  expect(page.status).toBe(400)
  const reference = /[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}/.exec(page.body)?.[0] ?? ''
  const { code, stdout } = await createIdp(server.database.url, { ISSUER: server.origin })([
    'explain',
    reference,
  ])
  expect(code).toBe(0)
  return stdout
}

test('IN-07: what a stranger sent moves no cursor and writes no clipboard', async () => {
  const controlCharacter = '\u001b]52;c;ZXZpbA==\u0007\u001b[2J\u009b31m\u202e'
  for (const parameters of [
    { redirect_uri: `${app.redirectUri}/${controlCharacter}`, scope: `openid ${controlCharacter}` },
    { client_id: `nobody${controlCharacter}` },
  ]) {
    const lines = (await explained(parameters)).split('\n')
    for (const line of lines) expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  }
})

test('AD-09: the command that is offered is one word per word, whatever a stranger sent', async () => {
  for (const tail of ['/x;reboot', '/$(reboot)', '/`reboot`', "/x'|reboot|'", '/&reboot', '/x y']) {
    const told = await explained({ redirect_uri: app.redirectUri + tail })
    const command = told.split('\n').find((line) => line.includes('--add-redirect-uri')) ?? ''
    const [, argument = ''] = command.split('--add-redirect-uri ')
    // In single quotes a shell reads everything as it is written.
    const outside = argument.replaceAll("'\\''", '').replace(/'[^']*'/g, '')
    expect(outside, command).not.toMatch(/[;$`|&\s'"\\()<>]/)
  }
})

/**
 * What the modules of the Basic plan share, which run twice as in the suite: answered in the query of the redirect, and
 * by a form that the browser posts (Form Post plan). The apps send no PKCE, since the suite does not either.
 */
import { expect } from 'vitest'
import type { Page, Visitor } from '../../../src/demo/visitor.ts'
import { createKey, type Key } from '../../support/client-keys.ts'
import { createBrowser, walk } from '../../support/person.ts'
import type { Answer, App, Parameters, Request } from '../../support/relying-party.ts'
import { createApp, createPerson, startListener, verifyIdToken, writeKeys } from '../cast.ts'
import { type Provider, startProvider } from '../support.ts'

export type Mode = 'query' | 'form_post'
type Callback = Record<string, string>

export type Op = {
  provider: Provider
  person: { username: string; email: string; password: string }
  /** `client_secret_basic`; signs requests with `key` where a module wants that. */
  app: App
  key: Key
  /** The suite's second client. */
  second: App
  /** `client_secret_post`. */
  postApp: App
  browser(): Visitor
  begin(parameters?: Parameters, app?: App): Request
  /** Signs in and consents where asked; what the app is told, `state` and `iss` checked. */
  callback(visitor: Visitor, request: Request, app?: App): Promise<Callback>
  /** What a page that leads to the app tells it. */
  deliver(page: Page, request: Request, app?: App): Promise<Callback>
  redeem(code: string | undefined, app?: App): Promise<Answer>
  /** The whole flow, in a fresh browser unless one is given; the ID token is verified. */
  grant(parameters?: Parameters, visitor?: Visitor, app?: App): Promise<Granted>
}

export type Granted = {
  visitor: Visitor
  code: string
  body: Answer['body']
  claims: Awaited<ReturnType<typeof verifyIdToken>>
}

const everything = 'openid profile email address phone offline_access'

export async function startOp(mode: Mode): Promise<Op> {
  const provider = await startProvider()
  const ear = await startCallback(provider)
  const key = await createKey('ES256')
  const flags = ['--preset', 'generic', '--pkce', 'optional', '--scope', everything]
  const contact = ['--phone', '+44 20 7946 0000', '--street-address', '12 St James’s Square']
  const town = ['--locality', 'London', '--postal-code', 'SW1Y 4JH', '--country', 'United Kingdom']
  const [person, app, second, postApp] = await Promise.all([
    createPerson(provider, 'ada', [...contact, ...town]),
    createApp(provider, [...flags, '--jwks-file', writeKeys(provider, key)], ear),
    createApp(provider, flags, ear),
    createApp(provider, [...flags, '--auth-method', 'client_secret_post'], ear),
  ])
  const browser = () => createBrowser(provider)
  const plain = { code_challenge: undefined, code_challenge_method: undefined }

  const begin = (parameters: Parameters = {}, by = app) =>
    by.begin({
      ...plain,
      scope: 'openid',
      ...(mode === 'form_post' ? { response_mode: 'form_post' } : {}),
      ...parameters,
    })

  async function deliver(page: Page, request: Request, to = app): Promise<Callback> {
    const told = mode === 'query' ? to.answerOf(request, page) : await ear.post(page)
    expect(told).toMatchObject({ state: request.state, iss: provider.origin })
    return told
  }

  const callback = async (visitor: Visitor, request: Request, to = app) =>
    deliver(await walk(visitor, request, person), request, to)

  const redeem = (code: string | undefined, by = app) =>
    by.redeem(begin({}, by), code, { code_verifier: undefined })

  async function grant(parameters: Parameters = {}, visitor = browser(), by = app) {
    const request = begin(parameters, by)
    const { code = '' } = await callback(visitor, request, by)
    const { status, body } = await redeem(code, by)
    expect([status, body.error]).toEqual([200, undefined])
    const nonce = request.parameters.get('nonce') ?? undefined
    return { visitor, code, body, claims: await verifyIdToken(provider, by, body.id_token, nonce) }
  }

  return {
    ...{ provider, person, app, key, second, postApp },
    ...{ browser, begin, callback, deliver, redeem, grant },
  }
}

/** The app's own side of a form post. */
async function startCallback(provider: Provider) {
  const { origin, heard } = await startListener(provider)
  const redirectUri = `${origin}/callback`

  /** Presses the one button that the form shows to browsers without scripts. */
  async function post(page: Page): Promise<Callback> {
    expect(page.body).toMatch(/<noscript>[\s\S]*<button[^>]* type="submit"/)
    expect(page.body).toContain(`<form method="post" action="${redirectUri}">`)
    const fields = [...page.body.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)]
    const body = new URLSearchParams(fields.map(([, name = '', value = '']) => [name, value]))
    expect(new URL(page.url).search).not.toContain('code=')
    expect((await fetch(redirectUri, { method: 'POST', body })).status).toBe(200)
    return heard.at(-1)?.fields ?? {}
  }
  return { redirectUri, post }
}

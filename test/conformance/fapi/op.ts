/**
 * What the FAPI 2.0 plans share. Their modules run twice as in the suite: with plain requests and answers (Security
 * Profile), and with signed ones (Message Signing). The app proves itself and its tokens by keys of its own.
 */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expect } from 'vitest'
import type { Page, Visitor } from '../../../src/demo/visitor.ts'
import {
  type Claims,
  createKey,
  createProver,
  type Key,
  type Prover,
  signRequest,
} from '../../support/client-keys.ts'
import { createBrowser, walk } from '../../support/person.ts'
import {
  type Answer,
  type App,
  byReference,
  type Parameters,
  playApp,
  type Request,
} from '../../support/relying-party.ts'
import { createApp, createPerson, verifyIdToken, writeKeys } from '../cast.ts'
import { type Provider, startProvider } from '../support.ts'

export type Profile = 'fapi2' | 'fapi2-message-signing'

/** An app with the key that it signs with, and the one that its tokens are bound to. */
export type Bank = App & { key: Key; prover: Prover }

export type Op = {
  provider: Provider
  profile: Profile
  person: { username: string; password: string }
  visitor: Visitor
  bank: Bank
  /** The suite's second client. */
  other: Bank
  begin(parameters?: Parameters, by?: App): Request
  /** To the pushed request endpoint, signed where the profile wants it; `fields` stand beside. */
  push(
    request: Request,
    by?: Bank,
    fields?: Parameters,
    headers?: Record<string, string>,
  ): Promise<Answer>
  /** What `answer` gave, as the browser brings it. */
  reference(answer: Answer, request: Request, by?: App): Request
  /** What the app is told by this page. */
  told(page: Page, request: Request, by?: App): Promise<Record<string, string>>
  obtain(
    parameters?: Parameters,
    by?: Bank,
    fields?: Parameters,
    headers?: Record<string, string>,
  ): Promise<{ request: Request; code: string | undefined }>
  grant(
    parameters?: Parameters,
    by?: Bank,
  ): Promise<{
    request: Request
    code: string
    body: Answer['body']
    claims: Awaited<ReturnType<typeof verifyIdToken>>
  }>
  /** The same app, but it shows no key where it asks for tokens or pushes. */
  bare(by?: Bank): App
  /** The same app with another key for its tokens. */
  withProver(prover: Prover, by?: Bank): App
}

/** Signed objects carry the parameters; nothing but the client's name stands outside. */
export async function signed(
  by: Bank,
  audience: string | undefined,
  request: Request,
  changes: Claims = {},
  header: Claims = {},
  key: Key = by.key,
) {
  const about = { clientId: by.id, audience: audience ?? '' }
  return signRequest(key, about, request.parameters, changes, header)
}

export async function startOp(profile: Profile): Promise<Op> {
  const provider = await startProvider()
  const { origin, metadata } = provider
  const [person, bank, other] = await Promise.all([
    createPerson(provider, 'ada'),
    createBank(provider, profile),
    createBank(provider, profile),
  ])
  const keySet = createRemoteJWKSet(new URL(String(metadata.jwks_uri)))
  const visitor = createBrowser(provider)

  const begin = (parameters: Parameters = {}, by: App = bank) =>
    by.begin({
      ...(profile === 'fapi2' ? {} : { response_mode: 'jwt' }),
      ...parameters,
    })

  async function push(request: Request, by = bank, fields: Parameters = {}, headers = {}) {
    const parameters =
      profile === 'fapi2'
        ? Object.fromEntries(request.parameters)
        : { request: await signed(by, origin, request) }
    return bare(by).post('par', { ...parameters, ...fields }, headers)
  }

  function reference(answer: Answer, request: Request, by: App = bank): Request {
    expect([answer.status, answer.body.error]).toEqual([201, undefined])
    expect(Number(answer.body.expires_in)).toBeLessThan(600)
    return byReference(by, request, String(answer.body.request_uri))
  }

  async function told(page: Page, request: Request, by: App = bank) {
    const query = Object.fromEntries(new URL(page.url).searchParams)
    expect(page.url.startsWith(by.redirectUri), page.url).toBe(true)
    if (profile === 'fapi2') {
      expect(query.iss).toBe(origin)
      expect(query.state ?? '').toBe(request.state)
      return query
    }
    expect(Object.keys(query)).toEqual(['response'])
    const { payload, protectedHeader } = await jwtVerify(query.response ?? '', keySet, {
      issuer: origin,
      audience: by.id,
      requiredClaims: ['exp'],
    })
    expect(protectedHeader.alg).toBe('ES256')
    expect(payload.state ?? '').toBe(request.state)
    return payload as unknown as Record<string, string>
  }

  async function obtain(
    parameters: Parameters = {},
    by = bank,
    fields: Parameters = {},
    headers = {},
  ) {
    const request = begin(parameters, by)
    const { url } = reference(await push(request, by, fields, headers), request, by)
    const { code } = await told(await walk(visitor, { url }, person), request, by)
    expect(code).toBeTruthy()
    return { request, code: String(code) }
  }

  async function grant(parameters: Parameters = {}, by = bank) {
    const { request, code } = await obtain(parameters, by)
    const { status, body } = await by.redeem(request, code)
    expect([status, body.error]).toEqual([200, undefined])
    const nonce = request.nonce || undefined
    const claims = await verifyIdToken(provider, by, body.id_token, nonce)
    return { request, code, body, claims }
  }

  const play = (by: Bank, prover?: Prover) =>
    playApp({
      ...{ origin, id: by.id, secret: undefined, method: 'private_key_jwt', key: by.key },
      ...{ redirectUri: by.redirectUri, ...(prover ? { prover } : {}) },
    })
  const bare = (by = bank) => play(by)
  const withProver = (prover: Prover, by = bank) => play(by, prover)

  return {
    ...{ provider, profile, person, visitor, bank, other },
    ...{ begin, push, reference, told, obtain, grant, bare, withProver },
  }
}

export async function createBank(
  provider: Provider,
  profile: Profile,
  alg = 'ES256',
): Promise<Bank> {
  const key = await createKey(alg)
  const prover = await createProver()
  const flags = ['--preset', 'web', '--profile', profile, '--jwks-file', writeKeys(provider, key)]
  return { ...(await createApp(provider, flags, { key, prover })), key, prover }
}

/** The algorithm that an ID token names is one that FAPI 2.0 §5.4.1 allows. */
export function expectStrong(alg: string): void {
  expect(['PS256', 'ES256', 'EdDSA']).toContain(alg)
}

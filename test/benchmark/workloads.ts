/** W1 to W8: what is asked, and what each answer must hold. */
import { introspect, offlineScope, signInAgain, signInScope, token, unexpected } from './app.ts'
import { checkIdToken, checkReplay, refresh, verifySignature } from './checks.ts'
import type { MailSink } from './mail-sink.ts'
import { passwordWorkloads } from './password-workloads.ts'
import type { Target } from './target.ts'

export type Workload = {
  name: string
  title: string
  baseline: 'engine' | 'raw hash'
  prepare?(target: Target): Promise<void>
  /** `lane` has its own part of the people and tokens. */
  operation(target: Target, lane: number, index: number): Promise<void>
  /** What is checked apart, once. */
  finish?(target: Target): Promise<void>
}

/** In their order. */
export const workloadNames = ['W1', 'W2', 'W3-opaque', 'W3-jwt', 'W4', 'W5', 'W6', 'W7', 'W8']

/** An element that no other lane uses. */
function own<T>(list: T[], lanes: number, lane: number, index: number): T {
  const each = Math.floor(list.length / lanes)
  const element = list[lane + lanes * (index % each)]
  if (element === undefined) throw new Error('too few to go round')
  return element
}

export function createWorkloads(lanes: number, mail: MailSink): Workload[] {
  const documents = new Map<string, string>()
  const visitorOf = (target: Target, lane: number, index: number) =>
    own(target.visitors, lanes, lane, index)
  const tokenOf = (target: Target, lane: number, index: number) =>
    own(target.tokens, lanes, lane, index)
  const serviceOf = (target: Target, lane: number, index: number) =>
    own(target.cast.services, lanes, lane, index)

  return [
    {
      name: 'W1',
      title: 'authorize with a live session, then token',
      baseline: 'engine',
      async operation(target, lane, index) {
        const visitor = visitorOf(target, lane, index)
        const { asked, tokens } = await signInAgain(target, visitor, signInScope)
        if (index % 100 === 0) await checkIdToken(target, visitor, asked, tokens)
      },
    },
    {
      name: 'W2',
      title: 'refresh with rotation',
      baseline: 'engine',
      async prepare(target) {
        for (const visitor of target.visitors) {
          visitor.refreshToken = (
            await signInAgain(target, visitor, offlineScope)
          ).tokens.refresh_token
        }
      },
      async operation(target, lane, index) {
        await refresh(target, visitorOf(target, lane, index))
      },
      finish: checkReplay,
    },
    {
      name: 'W3-opaque',
      title: 'client credentials, opaque token',
      baseline: 'engine',
      async operation(target, lane, index) {
        const service = serviceOf(target, lane, index)
        const { access_token } = await token(target, service, { grant_type: 'client_credentials' })
        if (index % 1000 === 0 && !(await introspect(target, service, access_token)).active) {
          throw new Error('a new token is not active')
        }
      },
    },
    {
      name: 'W3-jwt',
      title: 'client credentials, JWT for an API (ES256)',
      baseline: 'engine',
      async operation(target, lane, index) {
        const { api } = target.cast
        const { access_token } = await token(target, serviceOf(target, lane, index), {
          grant_type: 'client_credentials',
          resource: api.identifier,
          scope: api.scope,
        })
        if (index % 100 === 0) {
          await verifySignature(target, access_token, {
            audience: api.identifier,
            algorithms: ['ES256'],
          })
        }
      },
    },
    {
      name: 'W4',
      title: 'userinfo',
      baseline: 'engine',
      async operation(target, lane, index) {
        const { value, sub } = tokenOf(target, lane, index)
        const answer = await target.http.send({
          target: '/oauth2/userinfo',
          headers: { Authorization: `Bearer ${value}` },
        })
        if (answer.status !== 200) throw unexpected('userinfo', answer)
        const claims = JSON.parse(answer.body) as { sub: string; email?: string }
        if (claims.sub !== sub || !claims.email)
          throw unexpected('the claims of somebody else', answer)
      },
    },
    {
      name: 'W5',
      title: 'introspection, 5 % expired, 5 % unknown',
      baseline: 'engine',
      async operation(target, lane, index) {
        const kind = index % 20
        const live = tokenOf(target, lane, index)
        const value =
          kind === 0
            ? (target.expired[index % target.expired.length] as string)
            : kind === 1
              ? `unknown${live.value.slice(7)}`
              : live.value
        const { active, sub } = await introspect(target, target.cast.app, value)
        if (active !== kind > 1 || (active && sub !== live.sub)) {
          throw new Error(`a token that is ${['expired', 'unknown'][kind] ?? 'live'}: ${active}`)
        }
      },
    },
    ...passwordWorkloads(visitorOf, mail),
    {
      name: 'W8',
      title: 'discovery and JWKS',
      baseline: 'engine',
      async operation(target, _lane, _index) {
        for (const path of ['/.well-known/openid-configuration', '/oauth2/jwks']) {
          const answer = await target.http.send({ target: path })
          if (answer.status !== 200) throw unexpected(path, answer)
          const key = target.origin + path
          const known = documents.get(key)
          if (known === undefined) documents.set(key, answer.body)
          else if (known !== answer.body) throw new Error(`${path} has changed`)
        }
      },
    },
  ]
}

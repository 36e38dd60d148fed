/**
 * What Prometheus is told. Every label has few values, known beforehand: nothing that a request brings becomes
 * one, neither name nor path nor id (IN-08). Each process counts for itself.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { RegistrationStatus } from '../database/tables.ts'
import type { RequestObservation } from './request-log.ts'

export type SignInResult =
  | 'success'
  | 'wrong_credentials'
  | 'wrong_code'
  | 'not_active'
  | 'limited'
  | 'busy'

/** What is asked at the moment of a scrape. */
export type Sources = {
  hashQueue(): { running: number; waiting: number }
  pool: { totalCount: number; idleCount: number; waitingCount: number }
  countLiveSessions(): Promise<number>
  /** Since when the keys that this process signs with do so, by algorithm. */
  signingSince(): Partial<Record<string, Date>>
}

export type Metrics = {
  registry: Registry
  signIn(result: SignInResult): void
  /** Fits `RegistrationDeps.observer`. */
  registration: {
    transition(from: RegistrationStatus | null, to: RegistrationStatus, seconds: number): void
    finished(status: 'verified' | 'failed', seconds: number): void
    fault(error: unknown, step: RegistrationStatus): void
  }
  accountCreated(by: 'registration' | 'operator'): void
  /** One question to the service that knows stolen passwords. */
  breachLookUp(result: 'breached' | 'clear' | 'failed'): void
  /** One answer of the token endpoint. */
  tokensIssued(grantType: string): void
  request(observation: RequestObservation): void
  /** A request was stopped by a block of its address. */
  blockedRequest(by: 'rule' | 'behaviour'): void
  addressBlocked(behaviour: 'many_names' | 'many_codes'): void
}

const grantTypes = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:device_code',
  'urn:openid:params:grant-type:ciba',
  'urn:ietf:params:oauth:grant-type:token-exchange',
]
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
const requestBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]
const personBuckets = [0.1, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 86_400]
const sessionsCacheMs = 15_000

export function createMetrics(sources: Sources): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `idp_${name}`, help, labelNames, registers })
  const histogram = <L extends string>(
    name: string,
    help: string,
    labelNames: L[],
    buckets: number[],
  ) => new Histogram({ name: `idp_${name}`, help, labelNames, buckets, registers })
  watch(registry, sources)

  const signIns = counter('sign_ins_total', 'Sign-ins with a password, by result', ['result'])
  const reached = counter('registrations_total', 'Registrations that reached a status', ['status'])
  const between = histogram(
    'registration_transition_seconds',
    'Time between one status of a registration and the next',
    ['from', 'to'],
    personBuckets,
  )
  const whole = histogram(
    'registration_seconds',
    'Time of a whole registration',
    ['status'],
    personBuckets,
  )
  const failed = counter('registration_failed_steps_total', 'Failed steps of registrations', [
    'step',
  ])
  const accounts = counter('accounts_created_total', 'Accounts created', ['by'])
  const lookUps = counter(
    'breached_password_look_ups_total',
    'New passwords looked up among stolen ones, by result',
    ['result'],
  )
  const tokens = counter('tokens_total', 'Answers with tokens, by grant', ['grant'])
  const stopped = counter(
    'blocked_requests_total',
    'Requests stopped by a block of their address',
    ['by'],
  )
  const blocks = counter('blocked_addresses_total', 'Addresses blocked by how they behaved', [
    'behaviour',
  ])
  const requests = histogram(
    'http_request_seconds',
    'Time of a request, by endpoint',
    ['method', 'route', 'status'],
    requestBuckets,
  )

  return {
    registry,
    signIn: (result) => signIns.inc({ result }),
    registration: {
      transition(from, to, seconds) {
        reached.inc({ status: to })
        between.observe({ from: from ?? 'none', to }, seconds)
      },
      finished: (status, seconds) => whole.observe({ status }, seconds),
      fault: (_error, step) => failed.inc({ step }),
    },
    breachLookUp: (result) => lookUps.inc({ result }),
    accountCreated: (by) => accounts.inc({ by }),
    tokensIssued: (grantType) =>
      tokens.inc({ grant: grantTypes.includes(grantType) ? grantType : 'other' }),
    blockedRequest: (by) => stopped.inc({ by }),
    addressBlocked: (behaviour) => blocks.inc({ behaviour }),
    request({ method, route, status, seconds }) {
      const labels = {
        method: methods.includes(method) ? method : 'other',
        route,
        status: `${Math.floor(status / 100)}xx`,
      }
      requests.observe(labels, seconds)
    },
  }
}

/** Gauges that look when they are asked. */
function watch(registry: Registry, sources: Sources): void {
  const { hashQueue, pool, countLiveSessions, signingSince } = sources
  const registers = [registry]
  new Gauge({
    name: 'idp_password_hashes',
    help: 'Password hashes running and waiting',
    labelNames: ['state'],
    registers,
    collect() {
      const { running, waiting } = hashQueue()
      this.set({ state: 'running' }, running)
      this.set({ state: 'waiting' }, waiting)
    },
  })
  new Gauge({
    name: 'idp_database_connections',
    help: 'Connections of the pool, and requests that wait for one',
    labelNames: ['state'],
    registers,
    collect() {
      this.set({ state: 'total' }, pool.totalCount)
      this.set({ state: 'idle' }, pool.idleCount)
      this.set({ state: 'waiting' }, pool.waitingCount)
    },
  })
  new Gauge({
    name: 'idp_signing_key_age_seconds',
    help: 'How long the keys that sign have done so',
    labelNames: ['alg'],
    registers,
    collect() {
      for (const [alg, since] of Object.entries(signingSince()))
        if (since) this.set({ alg }, (Date.now() - since.getTime()) / 1000)
    },
  })
  let countedAt = Number.NEGATIVE_INFINITY
  new Gauge({
    name: 'idp_live_sessions',
    help: 'Browsers signed in, over all processes',
    registers,
    async collect() {
      if (performance.now() - countedAt < sessionsCacheMs) return
      countedAt = performance.now()
      // A scrape still tells the rest when the database cannot be asked.
      this.set(await countLiveSessions().catch(() => Number.NaN))
    },
  })
}

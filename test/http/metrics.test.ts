import { expect, test } from 'vitest'
import { createMetrics, type Sources } from '../../src/http/metrics.ts'

const sources: Sources = {
  hashQueue: () => ({ running: 1, waiting: 2 }),
  pool: { totalCount: 5, idleCount: 3, waitingCount: 0 },
  countLiveSessions: async () => 7,
  signingSince: () => ({ RS256: new Date(Date.now() - 60_000) }),
}

test('everything that an operator asks about is there', async () => {
  const metrics = createMetrics(sources)
  metrics.signIn('success')
  metrics.signIn('wrong_credentials')
  metrics.signIn('wrong_credentials')
  metrics.registration.transition(null, 'initiated', 0)
  metrics.registration.transition('verification_sent', 'verified', 42)
  metrics.registration.finished('verified', 60)
  metrics.registration.fault(new Error('x'), 'system_user_created')
  metrics.accountCreated('registration')
  metrics.tokensIssued('refresh_token')
  metrics.request({ method: 'GET', route: '/sign-in/:flow', status: 200, seconds: 0.02 })
  const lines = (await metrics.registry.metrics()).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      'idp_sign_ins_total{result="success"} 1',
      'idp_sign_ins_total{result="wrong_credentials"} 2',
      'idp_registrations_total{status="verified"} 1',
      'idp_registration_transition_seconds_sum{from="verification_sent",to="verified"} 42',
      'idp_registration_transition_seconds_count{from="none",to="initiated"} 1',
      'idp_registration_seconds_sum{status="verified"} 60',
      'idp_registration_failed_steps_total{step="system_user_created"} 1',
      'idp_accounts_created_total{by="registration"} 1',
      'idp_tokens_total{grant="refresh_token"} 1',
      'idp_live_sessions 7',
      expect.stringMatching(/^idp_signing_key_age_seconds\{alg="RS256"\} 60(\.\d+)?$/),
      'idp_password_hashes{state="running"} 1',
      'idp_password_hashes{state="waiting"} 2',
      'idp_database_connections{state="total"} 5',
      'idp_database_connections{state="idle"} 3',
      'idp_http_request_seconds_bucket{le="0.025",method="GET",route="/sign-in/:flow",status="2xx"} 1',
    ]),
  )
  expect(lines.some((line) => line.startsWith('process_resident_memory_bytes '))).toBe(true)
})

test('IN-08: nothing that a request brings becomes a label', async () => {
  const metrics = createMetrics(sources)
  metrics.tokensIssued('hush')
  metrics.request({ method: 'HUSH', route: 'unmatched', status: 404, seconds: 1 })
  const text = await metrics.registry.metrics()
  expect(text).not.toMatch(/hush/i)
  expect(text).toContain('idp_tokens_total{grant="other"} 1')
})

test('a scrape goes on when the sessions cannot be counted, and counts them rarely', async () => {
  let counted = 0
  const metrics = createMetrics({
    ...sources,
    countLiveSessions: () => {
      counted++
      return Promise.reject(new Error('database gone'))
    },
  })
  expect(await metrics.registry.metrics()).toContain('idp_live_sessions Nan')
  await metrics.registry.metrics()
  expect(counted).toBe(1)
})

import { describe, expect, test } from 'vitest'
import type { RegistrationStatus } from '../../src/database/tables.ts'
import {
  canProceed,
  machine,
  mayMove,
  mayRetry,
  nextStatus,
  type ProvisioningStatus,
  progressOf,
} from '../../src/registration/machine.ts'

const statuses = Object.keys(machine) as RegistrationStatus[]
const ends: RegistrationStatus[] = ['verified', 'failed']

const optional: RegistrationStatus[] = [
  'system_user_created',
  'mail_configured',
  'verification_sent',
]
const isOnWay = (way: RegistrationStatus[]) => (status: RegistrationStatus) => way.includes(status)

/** The whole way, spelt out for each house that could be configured. */
const ways: { configured: ProvisioningStatus[]; way: RegistrationStatus[] }[] = [
  {
    configured: [],
    way: ['initiated', 'username_validated', 'user_created', 'verification_sent', 'verified'],
  },
  {
    configured: ['system_user_created'],
    way: [
      'initiated',
      'username_validated',
      'user_created',
      'system_user_created',
      'verification_sent',
      'verified',
    ],
  },
  {
    configured: ['mail_configured'],
    way: [
      'initiated',
      'username_validated',
      'user_created',
      'mail_configured',
      'verification_sent',
      'verified',
    ],
  },
  {
    configured: ['mail_configured', 'system_user_created'],
    way: [
      'initiated',
      'username_validated',
      'user_created',
      'system_user_created',
      'mail_configured',
      'verification_sent',
      'verified',
    ],
  },
]

describe.each(ways)('with $configured', ({ configured, way }) => {
  test('each status is followed by one, up to the end', () => {
    const walked: RegistrationStatus[] = ['initiated']
    for (let at: RegistrationStatus | undefined = 'initiated'; at; ) {
      at = nextStatus(at, configured)
      if (at) walked.push(at)
    }
    expect(walked).toEqual(way)
  })

  test('of all pairs of statuses, those on the way are allowed, failing, and nothing else', () => {
    const allowed = new Set([
      ...way.slice(1).map((to, index) => `${way[index]} ${to}`),
      ...statuses.filter((from) => !ends.includes(from)).map((from) => `${from} failed`),
      // Whoever stood there when the step was still configured goes on.
      ...optional
        .filter((from) => !way.includes(from))
        .map((from) => `${from} ${optional.slice(optional.indexOf(from) + 1).find(isOnWay(way))}`),
    ])
    for (const from of statuses.filter((status) => status !== 'failed')) {
      for (const to of statuses) {
        const move = mayMove({ from, to }, { lastStep: from, configured })
        expect(move, `${from} → ${to}`).toBe(allowed.has(`${from} ${to}`))
      }
    }
  })

  test('progress grows on the way and ends at 100', () => {
    const percents = way.map((status) => progressOf({ status, lastStep: status }))
    expect(percents).toEqual([...new Set(percents)].sort((a, b) => a - b))
    expect(percents.at(-1)).toBe(100)
  })
})

test('a retry leads back to the last step and nowhere else', () => {
  for (const lastStep of statuses.filter((status) => !ends.includes(status))) {
    for (const to of statuses) {
      const move = mayMove({ from: 'failed', to }, { lastStep, configured: [] })
      expect(move, `failed at ${lastStep} → ${to}`).toBe(to === lastStep)
    }
  }
})

test('what has ended well cannot fail, be retried or be walked again', () => {
  for (const to of statuses) {
    expect(mayMove({ from: 'verified', to }, { lastStep: 'verified', configured: [] })).toBe(false)
  }
  expect(mayRetry({ status: 'verified', error: null })).toBe(false)
})

test('a failure keeps the progress of its last step, and may be retried unless it is final', () => {
  expect(progressOf({ status: 'failed', lastStep: 'user_created' })).toBe(45)
  expect(canProceed({ status: 'failed', error: 'internal' })).toBe(true)
  for (const error of ['username_taken', 'email_taken', 'account_disabled']) {
    expect(mayRetry({ status: 'failed', error })).toBe(false)
    expect(canProceed({ status: 'failed', error })).toBe(false)
  }
})

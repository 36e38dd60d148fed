/** What comes next in a sign-in, decided without a page: every level against every state. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { levels, reaches } from '../../src/clients/levels.ts'
import {
  type Factor,
  factors,
  levelOf,
  nextFactor,
  proofOf,
  reachableLevels,
  shortfall,
} from '../../src/credentials/step-up.ts'

const all = Object.keys(factors) as Factor[]
const essential = (...values: string[]) => ({ values, essential: true })
const wish = (...values: string[]) => ({ values, essential: false })

describe('what was proven', () => {
  test.each<[string[], string | undefined]>([
    [[], undefined],
    [['otp'], undefined],
    [['swk'], undefined],
    [['mfa'], undefined],
    [['pwd'], '1fa'],
    [['pwd', 'mfa'], '1fa'],
    [['pwd', 'otp'], '2fa'],
    [['user'], '1fa'],
    [['user', 'otp'], '2fa'],
    [['pwd', 'user'], '1fa'],
    [['swk', 'user'], 'phr'],
    [['hwk', 'user'], 'phr'],
    [['pwd', 'hwk', 'user'], 'phr'],
  ])('%j is %s', (amr, level) => {
    expect(levelOf(amr)).toBe(level)
  })

  test('a session says mfa exactly when it is more than one factor', () => {
    expect(proofOf(['pwd'])).toEqual({ acr: '1fa', amr: ['pwd'] })
    expect(proofOf(['otp'], ['pwd'])).toEqual({ acr: '2fa', amr: ['pwd', 'otp', 'mfa'] })
    expect(proofOf(['hwk', 'user'])).toEqual({ acr: 'phr', amr: ['hwk', 'user', 'mfa'] })
    expect(proofOf(['pwd'], ['pwd', 'mfa'])).toEqual({ acr: '1fa', amr: ['pwd'] })
    expect(() => proofOf(['otp'])).toThrow('nothing is proven')
  })
})

describe('what comes next', () => {
  type Row = [string, Parameters<typeof nextFactor>[0], ReturnType<typeof nextFactor>]
  const password: Factor[] = ['password']
  const rows: Row[] = [
    ['nobody asked', { amr: [], available: password }, { kind: 'ask', factor: 'password' }],
    [
      'nobody asked, and it is done',
      { amr: ['pwd'], available: password },
      { kind: 'enough', acr: '1fa' },
    ],
    [
      'an essential second factor that nobody has',
      { asked: essential('2fa'), amr: ['pwd'], available: password },
      { kind: 'unreachable' },
    ],
    [
      'the same before anything was proven',
      { asked: essential('2fa'), amr: [], available: password },
      { kind: 'unreachable' },
    ],
    [
      'the same as a wish',
      { asked: wish('2fa'), amr: ['pwd'], available: password },
      { kind: 'enough', acr: '1fa' },
    ],
    [
      'the same as a wish, at the beginning',
      { asked: wish('phr'), amr: [], available: password },
      { kind: 'ask', factor: 'password' },
    ],
    [
      'a second factor that is there',
      { asked: essential('2fa'), amr: ['pwd'], available: ['password', 'totp'] },
      { kind: 'ask', factor: 'totp' },
    ],
    [
      'the shortest way from here',
      { asked: essential('2fa'), amr: ['pwd'], available: ['password', 'passkey', 'totp'] },
      { kind: 'ask', factor: 'passkey' },
    ],
    [
      'the first step of two',
      { asked: essential('2fa'), amr: [], available: ['password', 'totp'] },
      { kind: 'ask', factor: 'password' },
    ],
    [
      'what cannot be phished, for whoever has only codes',
      { asked: essential('phr'), amr: ['pwd', 'otp'], available: ['password', 'totp'] },
      { kind: 'unreachable' },
    ],
    [
      'the app\u2019s second choice',
      { asked: essential('phr', '2fa'), amr: ['pwd'], available: ['password', 'totp'] },
      { kind: 'ask', factor: 'totp' },
    ],
    [
      'more than was asked is told as what was asked',
      { asked: essential('2fa'), amr: ['hwk', 'user'], available: [] },
      { kind: 'enough', acr: '2fa' },
    ],
    [
      'and as itself where that was asked too',
      { asked: essential('2fa', 'phr'), amr: ['hwk', 'user'], available: [] },
      { kind: 'enough', acr: 'phr' },
    ],
    [
      'an essential level that is none of ours',
      { asked: essential('urn:gold'), amr: ['pwd'], available: all },
      { kind: 'unreachable' },
    ],
    [
      'one of them is ours',
      { asked: essential('urn:gold', '1fa'), amr: ['pwd'], available: all },
      { kind: 'enough', acr: '1fa' },
    ],
    [
      'a wish that is none of ours',
      { asked: wish('urn:gold'), amr: ['pwd'], available: all },
      { kind: 'enough', acr: '1fa' },
    ],
    [
      'an essential nothing',
      { asked: essential(), amr: ['pwd'], available: all },
      { kind: 'unreachable' },
    ],
    ['nobody can do anything', { amr: [], available: [] }, { kind: 'unreachable' }],
  ]
  test.each(rows)('%s', (_, state, next) => {
    expect(nextFactor(state)).toEqual(next)
  })

  test('whoever does what is asked arrives, and never at less than what is essential', () => {
    const state = fc.record({
      available: fc.subarray(all),
      values: fc.subarray([...levels, 'urn:gold'], { minLength: 1 }),
      essential: fc.boolean(),
      start: fc.subarray(['pwd', 'otp', 'swk', 'user', 'mfa']),
    })
    fc.assert(
      fc.property(state, ({ available, values, essential: must, start }) => {
        let amr: string[] = start
        for (let step = 0; step <= all.length; step++) {
          const next = nextFactor({ asked: { values, essential: must }, amr, available })
          if (next.kind === 'unreachable') return
          if (next.kind === 'enough') {
            const reached = levelOf(amr)
            expect(reached && reaches(reached, next.acr)).toBe(true)
            if (must) expect(values).toContain(next.acr)
            return
          }
          expect(available).toContain(next.factor)
          amr = [...amr, ...factors[next.factor].amr[0]]
        }
        throw new Error('the steps do not end')
      }),
    )
  })

  test('what is offered says what can be reached', () => {
    expect(reachableLevels(['password'])).toEqual(['1fa'])
    expect(reachableLevels(['password', 'totp'])).toEqual(['1fa', '2fa'])
    expect(reachableLevels(['totp'])).toEqual([])
    expect(reachableLevels(['passkey'])).toEqual(['1fa', '2fa', 'phr'])
  })
})

describe('what a token lacks', () => {
  const now = 1_000_000
  test.each<[string, object, object, object | undefined]>([
    ['nothing is asked', {}, {}, undefined],
    ['strong enough', { acr: 'phr' }, { acr: '2fa' }, undefined],
    ['too weak', { acr: '1fa' }, { acr: '2fa' }, { acr_values: '2fa' }],
    ['no level at all', {}, { acr: '1fa' }, { acr_values: '1fa' }],
    ['a level of somebody else\u2019s', { acr: 'gold' }, { acr: '1fa' }, { acr_values: '1fa' }],
    ['recent enough', { authTime: now - 60 }, { maxAgeSeconds: 60 }, undefined],
    ['too old', { authTime: now - 61 }, { maxAgeSeconds: 60 }, { max_age: 60 }],
    ['no time at all', {}, { maxAgeSeconds: 60 }, { max_age: 60 }],
    ['a time that is none', { authTime: 'now' }, { maxAgeSeconds: 60 }, { max_age: 60 }],
    [
      'both',
      { acr: '1fa', authTime: 0 },
      { acr: 'phr', maxAgeSeconds: 60 },
      { acr_values: 'phr', max_age: 60 },
    ],
  ])('%s', (_, token, demand, lacks) => {
    expect(shortfall(token, demand, now)).toEqual(lacks)
  })
})

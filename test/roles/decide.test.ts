/** The decision itself, on generated input: nothing unnamed is allowed, conditions only narrow, own is the owner's. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { conditionNames } from '../../src/roles/conditions.ts'
import { explainDecision, type Holdings, isAllowed, type Question } from '../../src/roles/decide.ts'
import {
  covers,
  formatPermission,
  type Permission,
  parsePermission,
} from '../../src/roles/permission.ts'

const noon = new Date('2026-11-20T12:00:00Z')
const ask = (
  action: string,
  resource: Question['resource'],
  context: Question['context'] = { time: noon },
) => ({ action, resource, context })

function holding(...permissions: string[]): Holdings {
  return {
    names: ['ada-id', 'ada'],
    held: permissions.map((text) => {
      const permission = parsePermission(text)
      if (!permission) throw new Error(`no permission: ${text}`)
      return { role: 'tested', permission }
    }),
  }
}

const words = fc.constantFrom('read', 'write', 'notes', 'files', '*')
const hours = fc.record({
  days: fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }).map((days) => days.sort()),
  from: fc.integer({ min: 0, max: 1439 }),
  to: fc.integer({ min: 0, max: 1439 }),
  zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
})
const conditions = fc.record(
  {
    hours: hours.filter(({ from, to }) => from !== to),
    after: fc.integer({ min: 1.7e12, max: 1.9e12 }),
    before: fc.integer({ min: 1.7e12, max: 1.9e12 }),
    acr: fc.constantFrom('1fa' as const, '2fa' as const, 'phr' as const),
    clients: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }),
    addresses: fc.uniqueArray(
      fc.constantFrom('10.0.0.0/8', '10.1.0.0/16', '192.0.2.7', '2001:db8::/32'),
      { minLength: 1 },
    ),
  },
  { requiredKeys: [] },
)
const permissions: fc.Arbitrary<Permission> = fc
  .record({
    action: words,
    type: words,
    conditions,
    which: fc.constantFrom({}, { own: true as const }, { id: '7' }, { id: 'a:b' }),
  })
  .map(({ which, ...rest }) => ({ ...rest, ...which }))
const questions: fc.Arbitrary<Question> = fc.record({
  action: words,
  resource: fc.record(
    { type: words, id: fc.constantFrom('7', '8', 'a:b'), owner: fc.constantFrom('ada', 'bob') },
    { requiredKeys: ['type'] },
  ),
  context: fc.record(
    {
      time: fc.date({ min: new Date(1.7e12), max: new Date(1.9e12), noInvalidDate: true }),
      acr: fc.constantFrom('1fa', '2fa', 'phr', 'nonsense'),
      client: fc.constantFrom('a', 'b', 'x'),
      address: fc.constantFrom('10.1.2.3', '10.2.0.1', '192.0.2.7', '2001:db8::1', 'nonsense'),
    },
    { requiredKeys: [] },
  ),
})
const held = fc.array(permissions, { maxLength: 6 }).map((list) => ({
  names: ['ada-id', 'ada'],
  held: list.map((permission) => ({ role: 'tested', permission })),
}))

describe('for whatever is held and asked', () => {
  test('nothing is allowed that no permission names', () => {
    fc.assert(
      fc.property(held, questions, (holdings, question) => {
        if (!isAllowed(holdings, question)) return
        const named = holdings.held.filter(
          ({ permission: { action, type, id, own } }) =>
            ['*', question.action].includes(action) &&
            ['*', question.resource.type].includes(type) &&
            (id === undefined || id === question.resource.id) &&
            (!own || question.resource.owner === 'ada'),
        )
        expect(named).not.toEqual([])
      }),
    )
  })

  test('a condition only takes away', () => {
    fc.assert(
      fc.property(permissions, questions, (permission, question) => {
        const one = (each: Permission) => ({
          names: ['ada'],
          held: [{ role: 'tested', permission: each }],
        })
        if (!isAllowed(one(permission), question)) return
        for (const name of Object.keys(permission.conditions)) {
          const { [name as 'acr']: _, ...fewer } = permission.conditions
          expect(isAllowed(one({ ...permission, conditions: fewer }), question)).toBe(true)
        }
      }),
    )
  })

  test('more permissions never allow less', () => {
    fc.assert(
      fc.property(held, permissions, questions, (holdings, permission, question) => {
        if (!isAllowed(holdings, question)) return
        const more = [{ role: 'more', permission }, ...holdings.held]
        expect(isAllowed({ ...holdings, held: more }, question)).toBe(true)
      }),
    )
  })

  test('what one permission covers allows nothing beyond it', () => {
    fc.assert(
      fc.property(permissions, permissions, questions, (have, other, question) => {
        const one = (permission: Permission) => ({
          names: ['ada'],
          held: [{ role: 'tested', permission }],
        })
        // Two of them seldom meet by chance: the second has much of the first.
        const want = { ...have, ...other, conditions: { ...have.conditions, ...other.conditions } }
        for (const wanted of [want, { ...want, action: have.action, type: have.type }, have]) {
          if (!covers(have, wanted) || !isAllowed(one(wanted), question)) continue
          expect(isAllowed(one(have), question)).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('a permission reads as it is written', () => {
    fc.assert(
      fc.property(permissions, (permission) => {
        expect(parsePermission(formatPermission(permission))).toEqual(permission)
      }),
    )
  })

  test('the explanation agrees with the decision', () => {
    fc.assert(
      fc.property(held, questions, (holdings, question) => {
        const { allowed, because } = explainDecision(holdings, question)
        expect(allowed).toBe(isAllowed(holdings, question))
        expect(because.every(({ lacks }) => (lacks.length === 0) === allowed)).toBe(true)
      }),
    )
  })
})

test('own is the owner’s, and of nobody where the owner is not said', () => {
  const ada = holding('write:notes:own')
  expect(isAllowed(ada, ask('write', { type: 'notes', owner: 'ada-id' }))).toBe(true)
  expect(isAllowed(ada, ask('write', { type: 'notes', owner: 'ada' }))).toBe(true)
  expect(isAllowed(ada, ask('write', { type: 'notes', owner: 'bob' }))).toBe(false)
  expect(isAllowed(ada, ask('write', { type: 'notes', id: 'own' }))).toBe(false)
})

test('one id is that id, and not a list of all', () => {
  const ada = holding('read:notes:42')
  expect(isAllowed(ada, ask('read', { type: 'notes', id: '42' }))).toBe(true)
  expect(isAllowed(ada, ask('read', { type: 'notes', id: '43' }))).toBe(false)
  expect(isAllowed(ada, ask('read', { type: 'notes' }))).toBe(false)
})

test.each([
  ['hours=09:00-17:00/UTC', '2026-11-20T09:00:00Z', '2026-11-20T17:00:00Z'],
  ['hours=mon-fri/09:00-17:00/Europe/Berlin', '2026-11-20T08:30:00Z', '2026-11-21T08:30:00Z'],
  ['hours=fri/22:00-02:00/UTC', '2026-11-21T01:59:00Z', '2026-11-20T01:59:00Z'],
  ['after=2026-11-20T00:00:00Z', '2026-11-20T00:00:00Z', '2026-11-19T23:59:59Z'],
  ['before=2026-11-20T00:00:00+01:00', '2026-11-19T22:59:59Z', '2026-11-19T23:00:00Z'],
])('%s lets in at %s and not at %s', (condition, inside, outside) => {
  const ada = holding(`read:notes if ${condition}`)
  expect(isAllowed(ada, ask('read', { type: 'notes' }, { time: new Date(inside) }))).toBe(true)
  expect(isAllowed(ada, ask('read', { type: 'notes' }, { time: new Date(outside) }))).toBe(false)
})

test.each([
  ['acr=2fa', { acr: 'phr' }, { acr: '1fa' }],
  ['client=cloud,forum', { client: 'forum' }, { client: 'other' }],
  ['address=10.0.0.0/8', { address: '10.9.8.7' }, { address: '11.0.0.1' }],
  ['address=10.0.0.0/8', { address: '::ffff:10.9.8.7' }, { address: '10.0.0.0/8' }],
])('%s lets in with %j, not with %j nor with nothing', (condition, inside, outside) => {
  const ada = holding(`read:notes if ${condition}`)
  const may = (context: object) => isAllowed(ada, ask('read', { type: 'notes' }, context))
  expect([may(inside), may(outside), may({})]).toEqual([true, false, false])
})

test('all conditions have to be met, and the explanation names those that are not', () => {
  const ada = holding('read:notes if acr=2fa and address=10.0.0.0/8')
  const question = ask('read', { type: 'notes' }, { acr: '2fa', address: '192.0.2.1' })
  expect(explainDecision(ada, question)).toMatchObject({
    allowed: false,
    because: [{ lacks: ['address'] }],
  })
  expect(conditionNames).toContain('address')
})

test.each([
  '',
  'read',
  'read:',
  ':notes',
  'read:notes:',
  'read:notes:*',
  'read notes',
  'read:notes if',
  'read:notes if acr=3fa',
  'read:notes if acr=1fa or acr=2fa',
  'read:notes if acr=1fa and acr=2fa',
  'read:notes if hours=9-17',
  'read:notes if hours=09:00-24:00',
  'read:notes if hours=09:00-17:00/Middle/Earth',
  'read:notes if hours=fri-mon/09:00-17:00',
  'read:notes if before=yesterday',
  'read:notes if address=10.0.0.0/33',
  'read:notes if address=everywhere',
  'read:notes if client=a b',
  'read:notes if magic=on',
  `read:notes:${'x'.repeat(256)}`,
  'ré:notes',
])('%j is no permission', (text) => {
  expect(parsePermission(text)).toBeUndefined()
})

import { expect, test } from 'vitest'
import {
  addBlock,
  blockForBehaviour,
  findBlock,
  listBlocks,
  removeBlock,
  removeEndedBlocks,
} from '../../src/blocks/blocks.ts'
import { createSuspects } from '../../src/http/suspects.ts'
import { auditOf } from '../support/audit.ts'
import { createDatabase } from '../support/database.ts'
import { rounds } from '../support/rounds.ts'

const { db } = await createDatabase({ poolSize: 10 })
const by = { actor: { kind: 'operator', id: 'ada' } } as const
const rule = (network: string) =>
  addBlock(db, { network, scope: 'entry', reason: 'a test', lifetimeSeconds: null }, by)
const minutesLeft = async (network: string) => {
  const block = (await listBlocks(db, { ended: true })).find((one) => one.network === network)
  return Math.round(((block?.expiresAt?.getTime() ?? 0) - Date.now()) / 60_000)
}
const endEarlier = (network: string, ago: number) =>
  db
    .updateTable('blocks')
    .set({ expiresAt: new Date(Date.now() - ago) })
    .where('network', '=', network)
    .execute()

test('a rule is kept in its plain form; the same again changes it', async () => {
  const first = await rule('192.0.2.77/24')
  const second = await addBlock(
    db,
    { network: '192.0.2.0/24', scope: 'entry', reason: 'another', lifetimeSeconds: 60 },
    by,
  )
  expect([first.network, second.id]).toEqual(['192.0.2.0/24', first.id])
  expect(await findBlock(db, first.id)).toMatchObject({ reason: 'another', live: true })
  expect(await removeBlock(db, first.id, by)).toMatchObject({ network: '192.0.2.0/24' })
  expect(await removeBlock(db, first.id, by)).toBeUndefined()
  expect(await auditOf(db, 'block.removed')).toMatchObject([{ actorId: 'ada' }])
})

test.each([
  ['nonsense', 'network_invalid'],
  ['0.0.0.0/0', 'network_too_wide'],
  ['::/8', 'network_too_wide'],
  ['127.0.0.1', 'network_loopback'],
  ['127.0.0.0/8', 'network_loopback'],
  ['::ffff:127.0.0.1', 'network_loopback'],
  ['::1', 'network_loopback'],
])('%s cannot be blocked: %s', async (network, code) => {
  await expect(rule(network)).rejects.toMatchObject({ code })
})

test('twenty that see the same behaviour at once make one block, and each repetition doubles it', async () => {
  for (let round = 0; round < rounds; round++) {
    const network = `198.51.${round}.7/32`
    const made = await Promise.all(
      Array.from({ length: 20 }, () => blockForBehaviour(db, network, 'many_names')),
    )
    expect(made.filter(Boolean)).toHaveLength(1)
  }
  const network = '198.51.0.7/32'
  expect(await minutesLeft(network)).toBe(15)
  for (const minutes of [30, 60, 120]) {
    await endEarlier(network, 1000)
    expect(await blockForBehaviour(db, network, 'many_codes')).toBe(true)
    expect(await minutesLeft(network)).toBe(minutes)
  }
  await endEarlier(network, 25 * 3_600_000)
  await blockForBehaviour(db, network, 'many_names')
  expect(await minutesLeft(network)).toBe(15)
  for (let time = 0; time < 12; time++) {
    await endEarlier(network, 1000)
    await blockForBehaviour(db, network, 'many_names')
  }
  expect(await minutesLeft(network)).toBe(24 * 60)
  expect(await auditOf(db, 'block.added')).not.toHaveLength(0)
})

test('what ended is listed when asked for, and removed after a week', async () => {
  const network = '203.0.113.9/32'
  await blockForBehaviour(db, network, 'many_codes')
  await endEarlier(network, 1000)
  const networks = async (ended: boolean) =>
    (await listBlocks(db, { ended })).map((one) => one.network)
  expect([await networks(false), await networks(true)]).toEqual([
    expect.not.arrayContaining([network]),
    expect.arrayContaining([network]),
  ])
  await endEarlier(network, 8 * 86_400_000)
  await removeEndedBlocks(db)
  expect(await networks(true)).not.toContain(network)
})

test('thirty names that fail make a suspect, one name that fails a thousand times does not', () => {
  const suspects = createSuspects({ factor: 1 })
  for (let n = 0; n < 1000; n++) expect(suspects.failed('192.0.2.1', 'ada')).toEqual([])
  for (let n = 0; n < 28; n++) expect(suspects.failed('192.0.2.1', `name${n}`)).toEqual([])
  expect(suspects.failed('192.0.2.1', 'the-thirtieth')).toEqual(['192.0.2.1/32'])
  expect(suspects.failed('192.0.2.1', 'another')).toEqual([])
})

test('a school fails as well, and gets in', () => {
  const suspects = createSuspects({ factor: 1 })
  for (let pupil = 0; pupil < 100; pupil++) {
    expect(suspects.failed('192.0.2.1', `pupil${pupil}`)).toEqual([])
    if (pupil % 3 > 0) suspects.succeeded('192.0.2.1', `pupil${pupil}`)
  }
})

test('a household of IPv6 is one, its neighbours another; many together are a network', () => {
  const suspects = createSuspects({ factor: 1 })
  const found = Array.from({ length: 30 }, (_, n) =>
    suspects.failed(`2001:db8:0:1::${n + 1}`, `name${n}`),
  )
  expect(found.flat()).toEqual(['2001:db8:0:1::/64'])
  const wide = Array.from({ length: 120 }, (_, n) =>
    suspects.failed(`192.0.2.${n % 10}`, `name${n}`),
  )
  expect(wide.flat()).toEqual(['192.0.2.0/24'])
})

test('what was seen is forgotten after its window, and LIMIT_FACTOR multiplies', () => {
  let time = 0
  const suspects = createSuspects({ factor: 1, now: () => time })
  for (let n = 0; n < 29; n++) {
    suspects.failed('192.0.2.1', `name${n}`)
    suspects.wrongCode('192.0.2.1')
  }
  time += 61 * 60 * 1000
  expect(suspects.failed('192.0.2.1', 'the-thirtieth')).toEqual([])
  expect(suspects.wrongCode('192.0.2.1')).toEqual([])
  const patient = createSuspects({ factor: 10 })
  const found = Array.from({ length: 299 }, (_, n) => patient.failed('192.0.2.1', `name${n}`))
  expect(found.flat()).toEqual([])
  expect(patient.failed('192.0.2.1', 'last')).toEqual(['192.0.2.1/32'])
})

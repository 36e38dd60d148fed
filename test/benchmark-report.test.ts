/** The benchmark's figures: how they are made of what was measured, and that a small real run gives them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Stretch } from './benchmark/measure.ts'
import { readOptions } from './benchmark/options.ts'
import { judge, median, percentile, tableRows, toResult } from './benchmark/report.ts'
import { workloadNames } from './benchmark/workloads.ts'

const figures = z.strictObject({
  rate: z.number().positive(),
  p50_ms: z.number().positive(),
  p99_ms: z.number().positive(),
  cpu_ms_node: z.number().nonnegative(),
  cpu_ms_postgres: z.number().nonnegative(),
  statements: z.number().nonnegative(),
})
const report = z.strictObject({
  workloads: z.array(
    z.strictObject({
      workload: z.string(),
      ratio: z.number().positive(),
      ours: figures,
      baseline: figures,
    }),
  ),
})

function sample(given: { operations: number; elapsedMs: number; eachMs?: number }): Stretch {
  const { operations, elapsedMs, eachMs = 2 } = given
  return {
    operations,
    elapsedMs,
    latenciesMs: Array.from({ length: operations }, (_, index) => eachMs + index / 1000),
    used: { nodeMs: operations * 1.5, postgresMs: operations / 2, statements: operations * 4 },
    generatorMs: operations / 10,
  }
}

describe('the report', () => {
  test('takes the median of the pairs and the cost of all operations', () => {
    const ours = [200, 300, 100].map((operations) => sample({ operations, elapsedMs: 1000 }))
    const baseline = [400, 400, 400].map((operations) => sample({ operations, elapsedMs: 1000 }))
    const result = toResult('W1', ours, baseline)
    expect(result.ratio).toBe(0.5)
    expect(result.ours).toMatchObject({ rate: 200, cpu_ms_node: 1.5, cpu_ms_postgres: 0.5 })
    expect(result.ours.statements).toBe(4)
    expect(report.safeParse({ workloads: [result] }).error).toBeUndefined()
  })

  test('pairs what ran side by side, so that a slow minute of the machine counts for both', () => {
    const ours = [
      sample({ operations: 100, elapsedMs: 1000 }),
      sample({ operations: 10, elapsedMs: 1000 }),
    ]
    const baseline = [
      sample({ operations: 200, elapsedMs: 1000 }),
      sample({ operations: 20, elapsedMs: 1000 }),
    ]
    expect(toResult('W4', ours, baseline).ratio).toBe(0.5)
  })

  test('counts a percentile by rank', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2)
    expect(percentile([1, 2, 3, 4], 0.99)).toBe(4)
    expect(median([3, 1, 2, 10])).toBe(2.5)
    expect(() => median([])).toThrow('nothing was measured')
  })

  test('says in words whether what is asked for was reached', () => {
    const result = toResult(
      'W2',
      [sample({ operations: 30, elapsedMs: 1000 })],
      [sample({ operations: 100, elapsedMs: 1000 })],
    )
    expect(judge(result)).toContain('MISSES the 0.4')
    expect(judge({ ...result, ratio: 0.5 })).toContain('the aim is 0.8')
    expect(judge({ ...result, ratio: 0.9 })).toContain('the aim is reached')
    expect(judge({ ...result, workload: 'W8' })).toBeUndefined()
    const rows = tableRows(result, {
      title: 'refresh',
      baselineTitle: 'bare engine',
      loadMs: [0.1, 0.1],
    })
    expect(rows).toMatch(/^W2 refresh .* 0\.30\n {3}bare engine /)
  })
})

describe('the command line', () => {
  test('chooses workloads by name, and both kinds of W3 by their number', () => {
    expect(readOptions(['--workload', 'w1,W3'], workloadNames).workloads).toEqual([
      'W1',
      'W3-opaque',
      'W3-jwt',
    ])
    expect(readOptions([], workloadNames).workloads).toEqual(workloadNames)
  })

  test('refuses in words what does not exist', () => {
    expect(() => readOptions(['--workload', 'W11'], workloadNames)).toThrow('no workload W11')
    expect(() => readOptions(['--operations', 'many'], workloadNames)).toThrow('whole number')
    expect(() => readOptions(['--fast'], workloadNames)).toThrow("'--fast'")
  })
})

test('a small run measures both sides and prints the JSON of the contract alone', {
  timeout: 120_000,
}, async () => {
  const args = ['--quick', '--json', '--workload', 'W4', '--operations', '50']
  const main = new URL('./benchmark/main.ts', import.meta.url).pathname
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args])
  const { workloads } = report.parse(JSON.parse(stdout))
  expect(workloads.map(({ workload }) => workload)).toEqual(['W4'])
  expect(workloads[0]?.ours.statements).toBeGreaterThanOrEqual(1)
  expect(workloads[0]?.baseline.statements).toBe(0)
})

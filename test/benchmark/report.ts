/** What a run found, as the contract's JSON and as a table for people. */
import type { Stretch } from './measure.ts'

export type Figures = {
  /** Operations a second. */
  rate: number
  p50_ms: number
  p99_ms: number
  /** Per operation. */
  cpu_ms_node: number
  cpu_ms_postgres: number
  statements: number
}

export type Result = { workload: string; ratio: number; ours: Figures; baseline: Figures }

export type Report = { workloads: Result[] }

/** Stretches of the two sides in the order they ran: the first of ours beside the first of the baseline's. */
export function toResult(workload: string, ours: Stretch[], baseline: Stretch[]): Result {
  const ratios = ours.map((stretch, index) => {
    const other = baseline[index]
    if (!other) throw new Error(`${workload}: a stretch without its pair`)
    return rateOf(stretch) / rateOf(other)
  })
  return {
    workload,
    ratio: round(median(ratios), 3),
    ours: toFigures(ours),
    baseline: toFigures(baseline),
  }
}

export function toFigures(stretches: Stretch[]): Figures {
  const latencies = stretches.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b)
  const operations = sum(stretches, ({ operations }) => operations)
  const each = (of: (stretch: Stretch) => number) => round(sum(stretches, of) / operations, 3)
  return {
    rate: round(median(stretches.map(rateOf)), 1),
    p50_ms: round(percentile(latencies, 0.5), 2),
    p99_ms: round(percentile(latencies, 0.99), 2),
    cpu_ms_node: each(({ used }) => used.nodeMs),
    cpu_ms_postgres: each(({ used }) => used.postgresMs),
    statements: each(({ used }) => used.statements),
  }
}

/** The middle one; of an even number the mean of the two in the middle. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(half) - 1], sorted[Math.floor(half)]]
  if (low === undefined || high === undefined) throw new Error('nothing was measured')
  return (low + high) / 2
}

/** `sorted` ascending; the smallest value that at least `share` of them do not exceed. */
export function percentile(sorted: number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)]
  if (value === undefined) throw new Error('nothing was measured')
  return value
}

/** A line of words for each workload that has a figure to reach. */
export function judge({ workload, ratio }: Result): string | undefined {
  const goal = goals[workload]
  if (!goal) return undefined
  const [least, aim] = goal
  const verdict = ratio >= aim ? 'the aim is reached' : `the aim is ${aim}`
  return ratio >= least
    ? `${workload}: ${ratio.toFixed(2)} of the baseline, at least ${least} is asked for; ${verdict}`
    : `${workload}: ${ratio.toFixed(2)} of the baseline MISSES the ${least} that is asked for`
}

/** The least ratio, and the one to aim for. */
const goals: Record<string, [least: number, aim: number]> = {
  W1: [0.4, 0.8],
  W2: [0.4, 0.8],
  W6: [0.4, 0.7],
}

const columns = 'rate/s|p50 ms|p99 ms|Node ms|PG ms|load ms|stmts|ratio'.split('|')

export function tableHead(): string {
  return row('', columns)
}

/** Two lines for one workload. `loadMs` is what the load itself took, per operation. */
export function tableRows(
  { workload, ratio, ours, baseline }: Result,
  words: { title: string; baselineTitle: string; loadMs: [ours: number, baseline: number] },
): string {
  return [
    row(`${workload} ${words.title}`, [...cells(ours, words.loadMs[0]), ratio.toFixed(2)]),
    row(`   ${words.baselineTitle}`, cells(baseline, words.loadMs[1])),
  ].join('\n')
}

function cells(figures: Figures, loadMs: number): string[] {
  return [
    figures.rate.toFixed(0),
    figures.p50_ms.toFixed(1),
    figures.p99_ms.toFixed(1),
    figures.cpu_ms_node.toFixed(2),
    figures.cpu_ms_postgres.toFixed(2),
    loadMs.toFixed(2),
    figures.statements.toFixed(2),
  ]
}

function row(title: string, values: readonly string[]): string {
  return title.padEnd(50) + values.map((value) => value.padStart(9)).join('')
}

/** What making the load cost, per operation. */
export function loadMs(stretches: Stretch[]): number {
  return sum(stretches, (stretch) => stretch.generatorMs) / sum(stretches, (s) => s.operations)
}

function rateOf({ operations, elapsedMs }: Stretch): number {
  return (operations * 1000) / elapsedMs
}

function sum(stretches: Stretch[], of: (stretch: Stretch) => number): number {
  return stretches.reduce((total, stretch) => total + of(stretch), 0)
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

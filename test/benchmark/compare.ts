/** One workload on both sides, in turn: A B A B A B. */

import { type Stretch, stretch } from './measure.ts'
import type { Options } from './options.ts'
import type { HashReport } from './raw-hash.ts'
import type { Target } from './target.ts'
import type { Workload } from './workloads.ts'
import { nodeOnly, type World } from './world.ts'

/** Stretches in the order they ran. Rejects with the first wrong answer. */
export async function compare(
  world: World,
  workload: Workload,
  options: Options,
  signal: AbortSignal,
): Promise<{ ours: Stretch[]; baseline: Stretch[] }> {
  const load = (target: Target) => (durationMs: number) =>
    stretch(
      {
        operation: (lane, index) => workload.operation(target, lane, index),
        lanes: options.lanes,
        durationMs,
        most: options.most,
        signal,
      },
      target.meters,
    )
  const targets = [world.ours, ...(workload.baseline === 'engine' ? [world.baseline] : [])]
  const [a, b] = [
    load(world.ours),
    workload.baseline === 'engine'
      ? load(world.baseline)
      : (durationMs: number) => hash(world, durationMs, signal),
  ]

  for (const target of targets) await workload.prepare?.(target)
  await a(options.warmUpMs)
  await b(options.warmUpMs)
  const ours: Stretch[] = []
  const baseline: Stretch[] = []
  for (let pair = 0; pair < options.pairs; pair++) {
    ours.push(await a(options.stretchMs))
    baseline.push(await b(options.stretchMs))
  }
  for (const target of targets) await workload.finish?.(target)
  return { ours, baseline }
}

async function hash({ rawHash }: World, durationMs: number, signal: AbortSignal): Promise<Stretch> {
  const before = nodeOnly(rawHash)
  const { elapsedMs, latenciesMs } = await rawHash.ask<HashReport>({ durationMs })
  const after = nodeOnly(rawHash)
  signal.throwIfAborted()
  return {
    operations: latenciesMs.length,
    elapsedMs,
    latenciesMs,
    used: { ...after, nodeMs: after.nodeMs - before.nodeMs },
    generatorMs: 0,
  }
}

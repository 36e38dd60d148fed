/** What the command line asks for. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export type Options = {
  json: boolean
  /** Names of workloads; all when not given. */
  workloads: string[]
  /** Pairs of stretches, ours and the baseline's in turn. */
  pairs: number
  stretchMs: number
  warmUpMs: number
  /** Of the first workload, whose processes have compiled nothing yet. */
  firstWarmUpMs: number
  /** Operations of a stretch at most. */
  most: number
  /** Callers at once. */
  lanes: number
  people: number
  services: number
  tokens: number
  /** Where our server leaves its CPU profile when it ends. */
  profile?: string
}

export const usage = `npm run bench -- [options]
  --quick             everything in less than a minute, with less to lean on
  --json              the figures alone, as JSON, on standard output
  --workload W1,W2    only these
  --operations N      of each stretch at most
  --profile DIR       leave a CPU profile of the provider there
`

const whole = {
  pairs: 3,
  stretchMs: 5_000,
  warmUpMs: 2_000,
  firstWarmUpMs: 4_000,
  most: 20_000,
  lanes: 8,
  people: 400,
  services: 1_000,
  tokens: 100_000,
}
const quick = {
  ...whole,
  stretchMs: 400,
  warmUpMs: 600,
  people: 48,
  services: 200,
  tokens: 5_000,
}

/** Throws, in words, for an option or a workload that does not exist. */
export function readOptions(args: string[], known: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      workload: { type: 'string', multiple: true, default: [] },
      operations: { type: 'string' },
      profile: { type: 'string' },
    },
  })
  const asked = values.workload.flatMap((names) => names.split(','))
  const workloads = asked.map((name) => name.trim().toUpperCase()).filter((name) => name !== '')
  const chosen = known.filter((name) =>
    workloads.some(
      (wanted) => name.toUpperCase().split('-')[0] === wanted || name.toUpperCase() === wanted,
    ),
  )
  const unknown = workloads.filter(
    (wanted) => !known.some((name) => name.toUpperCase().startsWith(wanted)),
  )
  if (unknown.length > 0) {
    throw new Error(`no workload ${unknown.join(', ')}; there are ${known.join(', ')}`)
  }
  const operations = values.operations === undefined ? undefined : Number(values.operations)
  if (operations !== undefined && !(Number.isInteger(operations) && operations > 0)) {
    throw new Error('--operations takes a whole number')
  }
  return {
    ...(values.quick ? quick : whole),
    ...(operations === undefined ? {} : { most: operations }),
    ...(values.profile === undefined ? {} : { profile: resolve(values.profile) }),
    json: values.json,
    workloads: workloads.length > 0 ? chosen : known,
  }
}

/**
 * `npm run bench`: our provider on durable PostgreSQL against the bare engine on Maps, workload by workload and in
 * turn. Figures go to standard output, how it is going to standard error. Ends 1, in words, when an answer was wrong.
 */
import { availableParallelism, loadavg } from 'node:os'
import { compare } from './compare.ts'
import { type Options, readOptions, usage } from './options.ts'
import { judge, loadMs, type Report, tableHead, tableRows, toResult } from './report.ts'
import { createWorkloads, workloadNames } from './workloads.ts'
import { createWorld, type World } from './world.ts'

const notes = `
Closed loop of 8 callers, one process a side, no TLS, loopback; the load is made by a third process on the same
machine. Ours: npm start as it is, access log and limits on (allowances raised), PostgreSQL with fsync and
synchronous_commit. The bare engine has the same settings, keys and apps; it keeps its state in Maps, logs nothing and
limits nothing. W6 and W7 stand against nothing but comparisons of one argon2id hash in as many slots as ours has: the
engine knows neither passwords nor registrations. CPU is per operation; ratio is the median of pairs in turn.`

process.exitCode = await main()

async function main(): Promise<number> {
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => stop.abort(new Error('stopped')))
  }
  let options: Options
  try {
    options = readOptions(process.argv.slice(2), workloadNames)
  } catch (error) {
    tell(`${(error as Error).message}\n\n${usage}`)
    return 2
  }
  let world: World | undefined
  try {
    warnOfLoad()
    tell('Starting PostgreSQL, the provider and the bare engine, and signing people in.')
    world = await createWorld(options, stop.signal)
    const report = await run(world, options, stop.signal)
    if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`)
    return 0
  } catch (error) {
    tell(stop.signal.aborted ? 'Stopped.' : `The benchmark failed: ${(error as Error).message}`)
    return stop.signal.aborted ? 130 : 1
  } finally {
    await world?.close()
  }
}

async function run(world: World, options: Options, signal: AbortSignal): Promise<Report> {
  const say = options.json ? tell : (text: string) => void process.stdout.write(`${text}\n`)
  const report: Report = { workloads: [] }
  say(tableHead())
  for (const workload of createWorkloads(options.lanes, world.mail)) {
    if (!options.workloads.includes(workload.name)) continue
    const warmUpMs = report.workloads.length === 0 ? options.firstWarmUpMs : options.warmUpMs
    const asked = { ...options, warmUpMs }
    const { ours, baseline } = await compare(world, workload, asked, signal).catch((error) => {
      throw signal.aborted ? error : new Error(`${workload.name}: ${error.message}`)
    })
    const result = toResult(workload.name, ours, baseline)
    const baselineTitle = workload.baseline === 'engine' ? 'bare engine' : 'raw hash alone'
    say(
      tableRows(result, {
        title: workload.title,
        baselineTitle,
        loadMs: [loadMs(ours), loadMs(baseline)],
      }),
    )
    report.workloads.push(result)
  }
  say(`${notes}\n`)
  for (const result of report.workloads) {
    const verdict = judge(result)
    if (verdict) say(verdict)
  }
  return report
}

/** Figures from a machine that does something else are worth little. */
function warnOfLoad(): void {
  const [lastMinute = 0] = loadavg()
  if (lastMinute < availableParallelism() / 2) return
  tell(
    `Other work is running here (load ${lastMinute.toFixed(1)}): only CPU per operation means much.`,
  )
}

function tell(text: string): void {
  process.stderr.write(`${text}\n`)
}

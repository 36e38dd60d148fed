/** What a small machine asks: quick to begin again, and content with little memory while nobody comes. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { temporaryDataDir } from '../database/embedded-processes.ts'
import { childOf, startServer } from './processes.ts'

test('on a directory that it knows, npm start is ready within 5 s and stays below 150 MB', async () => {
  const DATA_DIR = temporaryDataDir()
  const first = await startServer({ DATA_DIR }, { by: 'npm' })
  await first.ready()
  first.process.kill('SIGTERM')
  await first.ended

  const second = await startServer({ DATA_DIR }, { by: 'npm' })
  await second.ready()
  // Processor time: the clock says more about what else this machine is doing.
  expect(processorSeconds(childOf(second.pid))).toBeLessThan(4)
  // Past the first round of every timer.
  await sleep(5_000)
  expect(residentMegabytes(childOf(second.pid))).toBeLessThan(150)

  second.process.kill('SIGTERM')
  expect((await second.ended).code).toBe(0)
})

/** Hundredths of a second in user and system mode are the 14th and 15th fields, counted from the name's bracket on. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}

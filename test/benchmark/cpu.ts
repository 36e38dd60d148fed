/** How much processor time processes have used, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** Linux counts in hundredths of a second whatever the kernel's own clock is. */
const msPerTick = 10

type Stat = { parent: number; ownMs: number; reapedMs: number }

/** User and system time of one process. */
export function processCpuMs(pid: number): number {
  return statOf(pid)?.ownMs ?? 0
}

/** Of a process and all its children, the ended ones included: a PostgreSQL with its backends. */
export function familyCpuMs(pid: number): number {
  const own = statOf(pid)
  if (!own) return 0
  let total = own.ownMs + own.reapedMs
  for (const name of readdirSync('/proc')) {
    const child = /^\d+$/.test(name) ? statOf(Number(name)) : undefined
    if (child?.parent === pid) total += child.ownMs + child.reapedMs
  }
  return total
}

export function parentOf(pid: number): number {
  const stat = statOf(pid)
  if (!stat) throw new Error(`process ${pid} is not seen in /proc`)
  return stat.parent
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The name stands in brackets and may hold spaces; what follows begins with the third field.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = (field: number) => Number(fields[field - 3])
    return {
      parent: ticks(4),
      ownMs: (ticks(14) + ticks(15)) * msPerTick,
      reapedMs: (ticks(16) + ticks(17)) * msPerTick,
    }
  } catch {
    return undefined
  }
}

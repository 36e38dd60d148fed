/** How far a long work has come: a bar on a terminal, nothing anywhere else. */
import type { Io } from './io.ts'

export type Progress = { update(done: number): void; end(): void }

const cells = 24
const everyMs = 100

/** `total` in the unit of `done`; unknown where it is undefined, and then only counted. */
export function createProgress(
  { stderr }: Pick<Io, 'stderr'>,
  words: string,
  total?: number,
): Progress {
  if (!stderr.isTTY) return { update() {}, end() {} }
  let drawnAt = 0
  const draw = (done: number) => {
    const share = total ? Math.min(1, done / total) : undefined
    const full = Math.round((share ?? 0) * cells)
    const bar =
      share === undefined
        ? ''
        : `[${'#'.repeat(full)}${'.'.repeat(cells - full)}] ${Math.floor(share * 100)}% `
    stderr.write(`\r${bar}${done.toLocaleString('en')} ${words}\x1b[K`)
  }
  return {
    update(done) {
      const now = performance.now()
      if (now - drawnAt < everyMs) return
      drawnAt = now
      draw(done)
    },
    end: () => void stderr.write('\r\x1b[K'),
  }
}

/** What a check has to say: its state, what was seen, what was expected, and the command or setting that repairs it. */

export type State = 'ok' | 'warning' | 'broken' | 'skipped'

export type Finding = {
  /** Stable, such as `proxy.host`. */
  check: string
  state: State
  seen: string
  expected?: string
  fix?: string
}

type Repair = { expected: string; fix: string }

export const ok = (check: string, seen: string): Finding => ({ check, state: 'ok', seen })
export const skipped = (check: string, seen: string): Finding => ({ check, state: 'skipped', seen })
export const warning = (check: string, seen: string, repair: Repair): Finding => ({
  check,
  state: 'warning',
  seen,
  ...repair,
})
export const broken = (check: string, seen: string, repair: Repair): Finding => ({
  check,
  state: 'broken',
  seen,
  ...repair,
})

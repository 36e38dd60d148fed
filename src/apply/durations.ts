/** Times in a file: seconds, or a number with its unit, as people write them. */

const units = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** `30s`, `10m`, `12h`, `7d`. */
export const durationPattern = /^[1-9]\d{0,8}[smhd]$/

export function toSeconds(duration: number | string): number {
  if (typeof duration === 'number') return duration
  return Number(duration.slice(0, -1)) * units[duration.slice(-1) as keyof typeof units]
}

/** In the largest unit that says it exactly. */
export function fromSeconds(seconds: number): string {
  const largest = (['d', 'h', 'm'] as const).find((unit) => seconds % units[unit] === 0) ?? 's'
  return `${seconds / units[largest]}${largest}`
}

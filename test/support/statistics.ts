/** Two samples, compared without asking how they are distributed. */

/**
 * How often a value of the one is above one of the other (ties half): 0.5 when nothing tells them apart. With `z` of the
 * Mann-Whitney test by its normal approximation.
 */
export function compareSamples(one: number[], other: number[]): { effect: number; z: number } {
  const all = [
    ...one.map((value) => ({ value, first: true })),
    ...other.map((value) => ({ value, first: false })),
  ]
  all.sort((a, b) => a.value - b.value)
  let ranks = 0
  for (let from = 0; from < all.length; ) {
    let to = from
    while (to < all.length && all[to]?.value === all[from]?.value) to++
    const middle = (from + 1 + to) / 2
    ranks += middle * all.slice(from, to).filter(({ first }) => first).length
    from = to
  }
  const [n, m] = [one.length, other.length]
  const above = ranks - (n * (n + 1)) / 2
  return {
    effect: above / (n * m),
    z: (above - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12),
  }
}

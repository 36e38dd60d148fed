/** How strongly somebody has signed in (`acr`), weakest first: one factor, two, and one that cannot be phished. */

export const levels = ['1fa', '2fa', 'phr'] as const

export type Level = (typeof levels)[number]

export function isLevel(text: unknown): text is Level {
  return (levels as readonly unknown[]).includes(text)
}

/** Whoever has reached a level has reached those below it. */
export function reaches(reached: Level, asked: Level): boolean {
  return levels.indexOf(reached) >= levels.indexOf(asked)
}

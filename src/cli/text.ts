/** Text as a terminal shows it: how wide it is, what must not reach it, what somebody may have meant. */

const wide =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** In cells: Chinese, Japanese and Korean characters and emoji take two. */
export function displayWidth(text: string): number {
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += wide.test(segment) ? 2 : 1
  return width
}

/** Names come from people: control characters would move the cursor or colour what follows. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '�')
}

/** For a command that somebody will paste: one word to a shell, whatever it holds. */
export function shellWord(text: string): string {
  return /^[\w%+,./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

export function padTo(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

/** Ends with … when something had to go. */
export function cutTo(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  for (const { segment } of graphemes.segment(text)) {
    if (displayWidth(kept + segment) > width - 1) break
    kept += segment
  }
  return `${kept}…`
}

/** The nearest of the candidates, if one is near enough to have been meant. */
export function didYouMean(typed: string, candidates: string[]): string | undefined {
  const text = typed.toLowerCase()
  const near = candidates
    .map((candidate) => ({ candidate, distance: distanceOf(text, candidate.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)[0]
  return near && near.distance <= Math.max(2, Math.floor(text.length / 3))
    ? near.candidate
    : undefined
}

/** How many characters must be put in, taken out, exchanged or replaced; a beginning counts as near. */
function distanceOf(typed: string, candidate: string): number {
  if (typed.length >= 3 && candidate.startsWith(typed)) return 1
  let previous = Array.from({ length: candidate.length + 1 }, (_, index) => index)
  for (let row = 1; row <= typed.length; row++) {
    const current = [row]
    for (let column = 1; column <= candidate.length; column++) {
      const replace =
        (previous[column - 1] ?? 0) + (typed[row - 1] === candidate[column - 1] ? 0 : 1)
      current.push(Math.min(replace, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1))
    }
    previous = current
  }
  return previous[candidate.length] ?? candidate.length
}

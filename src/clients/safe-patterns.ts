/**
 * Which regular expressions may judge what strangers send. Ours backtrack, and a pattern such as `(a+)+$` turns thirty
 * characters into minutes; so what is allowed is bounded by its shape, and the text that it judges by its length.
 */

/** Beside every pattern: how long its text may be at most. */
export const longestMatched = 200
const longestPattern = 200
/** Each place that may match more or less multiplies the ways through the text. */
const mostChoices = 3

/** What is wrong with a pattern, to follow "the pattern …"; undefined when it is harmless. */
export function patternProblem(pattern: string): string | undefined {
  if (pattern.length > longestPattern) return `is longer than ${longestPattern} characters`
  try {
    new RegExp(pattern, 'u')
  } catch {
    return 'is not a regular expression'
  }
  if (/\\[1-9k]/.test(pattern)) return 'refers back to what it matched'
  const text = plainly(pattern)
  if (/\(\?(?!:)/.test(text)) return 'looks around, or names a group'
  if (repeatedGroups(text).some((inside) => /[*+?{|(]/.test(inside))) {
    return 'repeats a group with a choice or a repetition in it'
  }
  const choices = text.replace(/\(\?:/g, '(').match(/[*+?]\??|\{\d+,\d*\}\??|\|/g)?.length ?? 0
  // One that may begin anywhere is tried at every place.
  const places = text.startsWith('^') && !text.includes('|') ? 0 : 1
  return choices + places > mostChoices ? 'may match in too many ways' : undefined
}

/** Escapes and character classes as one letter each: what stands in them repeats nothing. */
function plainly(pattern: string): string {
  return pattern.replace(/\\(?:[pPu]\{[^}]*\}|.)|\[(?:\\.|[^\]\\])*\]/gsu, 'x')
}

/** The inside of every group that a quantifier follows. */
function repeatedGroups(text: string): string[] {
  const repeated: string[] = []
  const open: number[] = []
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') open.push(at)
    if (text[at] !== ')') continue
    const inside = text.slice((open.pop() ?? 0) + 1, at).replace(/^\?:/, '')
    // An exact count leaves no choice.
    if (/^[*+?{]/.test(text.slice(at + 1))) repeated.push(inside.replace(/\{\d+\}/g, ''))
  }
  return repeated
}

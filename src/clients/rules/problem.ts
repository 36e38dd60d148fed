/** What is wrong with a field, in the words an admin sees. */

/** `message` completes the sentence "FIELD …"; `code` is stable and the phrase key `errors.<code>`. */
export type Problem = { field: string; code: string; message: string; fix: string }

/** For messages: one line, printable, not longer than a terminal is wide. */
export function shorten(text: string): string {
  const printable = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '�')
  const characters = [...printable]
  return characters.length > 70 ? `“${characters.slice(0, 69).join('')}…”` : `“${printable}”`
}

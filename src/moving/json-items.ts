/**
 * The elements of one array in a JSON document of any size, one by one: of the document itself, or of a member of it at
 * the top, such as `users`. What is around them is passed over unread. Each element's own JSON is its reader's business.
 */
import { type Item, longestItem } from './lines.ts'

type Step = { depth: number; inString: boolean; escaped: boolean; line: number }

/** `number` is the line on which the element begins. Elements that are no objects are passed over. */
export async function* readItems(
  chunks: AsyncIterable<Buffer | string>,
  member: string,
): AsyncGenerator<Item> {
  const decoder = new TextDecoder()
  const at: Step = { depth: 0, inString: false, escaped: false, line: 1 }
  /** At which depth the wanted elements stand: 1 in a bare array, 2 in a member; 0 where there are none now. */
  let wanted = 0
  let key = ''
  let item: string[] | undefined
  let size = 0
  let begun = 0
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    let from = 0
    for (let index = 0; index < text.length; index++) {
      const char = text[index] as string
      if (char === '\n') at.line++
      if (at.inString) {
        if (at.depth === 1 && wanted === 0 && key.length <= member.length) key += char
        if (at.escaped) at.escaped = false
        else if (char === '\\') at.escaped = true
        else if (char === '"') at.inString = false
        continue
      }
      if (char === '"') {
        at.inString = true
        if (at.depth === 1 && wanted === 0) key = ''
      } else if (char === '{' || char === '[') {
        if (at.depth === 0 && char === '[') wanted = 1
        else if (at.depth === 1 && wanted === 0 && char === '[' && key === `${member}"`) wanted = 2
        else if (char === '{' && at.depth === wanted && wanted > 0) {
          item = []
          size = 0
          from = index
          begun = at.line
        }
        at.depth++
      } else if (char === '}' || char === ']') {
        at.depth--
        if (item && at.depth === wanted) {
          item.push(text.slice(from, index + 1))
          size += index + 1 - from
          yield { number: begun, text: size > longestItem ? undefined : item.join('') }
          item = undefined
        }
        if (at.depth < wanted) wanted = 0
      }
    }
    if (item) {
      size += text.length - from
      if (size <= longestItem) item.push(text.slice(from))
    }
  }
}

/** Text that comes in pieces, given out line by line. A line longer than anything we read is told, and not kept. */

/** 25 passkeys with long names are a tenth of it. */
export const longestItem = 262_144

/** `text` is undefined for one that was longer than `longestItem`; `number` counts from 1. */
export type Item = { number: number; text: string | undefined }

/** Lines without their ends; empty ones are passed over, and a byte order mark too. */
export async function* readLines(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<Item> {
  const decoder = new TextDecoder()
  let rest = ''
  let tooLong = false
  let number = 0
  const finish = (line: string): Item | undefined => {
    number++
    const whole = tooLong || line.length > longestItem ? undefined : line.replace(/\r$/, '')
    tooLong = false
    return whole?.trim() === '' ? undefined : { number, text: whole }
  }
  for await (const chunk of chunks) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
    const parts = text.split('\n')
    for (const [index, part] of parts.entries()) {
      const ended = index < parts.length - 1
      rest += part
      if (ended) {
        const item = finish(rest)
        rest = ''
        if (item) yield item
      } else if (rest.length > longestItem) {
        tooLong = true
        rest = ''
      }
    }
  }
  const last = finish(rest)
  if (last && (rest !== '' || last.text === undefined)) yield last
}

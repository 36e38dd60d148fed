/**
 * HTML that is known to be safe, told apart from text. Templates escape everything except Markup,
 * and only this file and the renderer make Markup; what arrives from a form or a row never is.
 */

const html = Symbol('html')

export type Markup = { readonly [html]: string }

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function isMarkup(value: unknown): value is Markup {
  return typeof value === 'object' && value !== null && html in value
}

/** Marks a finished piece of HTML as safe. For the renderer's own output only. */
export function markup(finished: string): Markup {
  return { [html]: finished }
}

/** Text becomes harmless, Markup stays. A missing value is a mistake in the template and throws. */
export function toHtml(value: unknown): string {
  if (isMarkup(value)) return value[html]
  if (value === undefined || value === null) throw new TypeError('A template printed nothing')
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/** `dir="auto"` isolates the text, so that a right-to-left name cannot turn its surroundings. */
export function bold(text: string): Markup {
  return markup(`<b dir="auto">${toHtml(text)}</b>`)
}

export function link(href: string, text: string, id?: string): Markup {
  const identity = id === undefined ? '' : ` id="${toHtml(id)}"`
  return markup(`<a href="${toHtml(safeHref(href))}"${identity}>${toHtml(text)}</a>`)
}

/** Passes our paths, web addresses and apps' reverse-domain schemes (RFC 8252 7.1); else "/". */
export function safeHref(href: string): string {
  const safe = /^(\/(?![/\\])|https?:\/\/|[a-z][a-z0-9+-]*\.[a-z0-9+.-]+:)/i.test(href)
  return safe ? href : '/'
}

/** A phrase whose `{{names}}` were replaced by `slot(index)`, with escaped text or Markup put in. */
export function fillSlots(phrase: string, values: readonly unknown[]): Markup {
  const filled = phrase
    .split(/\uE000(\d+)\uE001/)
    .map((piece, index) => toHtml(index % 2 === 0 ? piece : values[Number(piece)]))
  return markup(filled.join(''))
}

export function slot(index: number): string {
  return `\uE000${index}\uE001`
}

/**
 * Text of a person's choosing, made fit for a mail: one line, no control or direction characters,
 * at most 80 characters, and nothing that a mail program would turn into a link.
 */
export function neutral(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  // A word joiner is invisible and breaks what link finders look for.
  return Array.from(line)
    .slice(0, 80)
    .join('')
    .replace(/[.:/@](?=\S)/g, '$&\u2060')
}

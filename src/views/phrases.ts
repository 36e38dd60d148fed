/**
 * The words of pages, mails and errors, from views/locales. Interpolation is left unescaped, for
 * the templates escape; nesting is off, so that `$t(…)` in somebody's name stays what it is.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInstance, type i18n } from 'i18next'
import { fillSlots, type Markup, markup, slot, toHtml } from './markup.ts'
import type { Locale, PageError } from './page-data.ts'

export const locales = ['en', 'zh-CN'] as const satisfies readonly Locale[]

type Values = Record<string, unknown>

export type Phrases = {
  /** The phrase in plain text. An unknown key throws. */
  t(key: string, values?: Values): string
  /** The same for a page: each value is escaped, or put in as it is when it is Markup. */
  rich(key: string, values: Values): Markup
  has(key: string): boolean
  /** "42 seconds", "3 minutes": rounded up, so that nobody comes back too early. */
  duration(seconds: number): string
  /** A day as people write it; the server does not know their time zone, so it is UTC's. */
  date(day: Date): string
  /** A day and its minute, in UTC. */
  moment(at: Date): string
  /** What happened and what to do, for a refusal's code. */
  errorText(error: Pick<PageError, 'code' | 'retryAfterSeconds' | 'values'>, more?: Values): string
  /** "one, two and three" */
  list(items: readonly string[]): string
  /** What stands between the items of a list that goes on. */
  comma: string
  /** What stands between two sentences: nothing in Chinese. */
  space: string
}

/** Reads every language once. */
export function readPhrases(directory: string): Record<Locale, Phrases> {
  const instance = createInstance()
  const resources = Object.fromEntries(
    locales.map((locale) => {
      const text = readFileSync(join(directory, `${locale}.json`), 'utf8')
      return [locale, { translation: JSON.parse(text) }]
    }),
  )
  instance.init({
    initAsync: false,
    resources,
    supportedLngs: [...locales],
    fallbackLng: 'en',
    interpolation: { escapeValue: false, skipOnVariables: true },
  })
  return { en: phrasesOf(instance, 'en'), 'zh-CN': phrasesOf(instance, 'zh-CN') }
}

// Chinese phrases leave a space around Latin names; around a Chinese name it would be a gap.
const gap = /(\p{Script=Han}(?:<[^>]*>)*) (?=(?:<[^>]*>)*\p{Script=Han})/gu

function tighten(text: string): string {
  return text.replace(gap, '$1')
}

function phrasesOf(i18n: i18n, locale: Locale): Phrases {
  const dateFormat = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeZone: 'UTC' })
  const momentFormat = new Intl.DateTimeFormat(locale, {
    dateStyle: 'long',
    timeStyle: 'short',
    hourCycle: 'h23',
    timeZone: 'UTC',
  })
  const listFormat = new Intl.ListFormat(locale, { type: 'conjunction' })

  function lookUp(key: string, values: Values): string | undefined {
    const found: unknown = i18n.t(key, { ...values, lng: locale, nest: false, defaultValue: '' })
    return typeof found === 'string' && found !== '' ? tighten(found) : undefined
  }

  function t(key: string, values: Values = {}): string {
    const found = lookUp(key, values)
    if (found === undefined) throw new Error(`There is no phrase ${key}`)
    return found
  }

  function rich(key: string, values: Values): Markup {
    const names = Object.keys(values)
    // A count stays a number: it chooses the plural form.
    const slots = names.map((name, index) => {
      return [name, typeof values[name] === 'number' ? values[name] : slot(index)]
    })
    const phrase = t(key, Object.fromEntries(slots))
    const filled = fillSlots(
      phrase,
      names.map((name) => values[name]),
    )
    return markup(tighten(toHtml(filled)))
  }

  function duration(seconds: number): string {
    if (seconds <= 90) return t('time.seconds', { count: Math.max(1, Math.ceil(seconds)) })
    if (seconds <= 90 * 60) return t('time.minutes', { count: Math.ceil(seconds / 60) })
    return t('time.hours', { count: Math.ceil(seconds / 3600) })
  }

  function errorText(error: Parameters<Phrases['errorText']>[0], more: Values = {}): string {
    const { code, retryAfterSeconds } = error
    const wait = retryAfterSeconds === undefined ? {} : { wait: duration(retryAfterSeconds) }
    const values: Values = { ...more, ...wait, ...error.values }
    const exact = lookUp(`exact.${code}`, values)
    if (exact !== undefined && !exact.includes('{{')) return exact
    return lookUp(`errors.${code}`, values) ?? t('errors.internal')
  }

  return {
    t,
    rich,
    has: (key) => lookUp(key, {}) !== undefined,
    duration,
    date: (day) => dateFormat.format(day),
    moment: (at) => `${momentFormat.format(at)} UTC`,
    errorText,
    list: (items) => {
      const parts = listFormat.formatToParts(items)
      return tighten(parts.map(({ value }) => (value === '和' ? ' 和 ' : value)).join(''))
    },
    comma: locale === 'zh-CN' ? '、' : ', ',
    space: locale === 'zh-CN' ? '' : ' ',
  }
}

/**
 * Draws pages and mails from views/, without HTTP. Templates are compiled once and escape every
 * value; phrases come from views/locales. What a page needs is typed in views/page-data.ts.
 */
import { join } from 'node:path'
import { Eta } from 'eta'
import { type Asset, readAssets } from './views/assets.ts'
import { bold, link, type Markup, markup, neutral, safeHref, toHtml } from './views/markup.ts'
import type { Locale, MailData, PageData } from './views/page-data.ts'
import { locales, type Phrases, readPhrases } from './views/phrases.ts'

export type { Locale, MailData, PageData } from './views/page-data.ts'

export type Views = {
  /** A whole HTML page. The same data and options always give the same text. */
  page<N extends keyof PageData>(
    name: N,
    data: PageData[N],
    options: { locale: Locale; nonce: string },
  ): string
  /** A mail in both forms. The subject is one line. */
  mail<N extends keyof MailData>(
    name: N,
    data: MailData[N],
    locale: Locale,
  ): { subject: string; text: string; html: string }
  /** A phrase in plain text; an unknown key throws. */
  t(locale: Locale, key: string, values?: object): string
  has(locale: Locale, key: string): boolean
  /** What `page()` links to, by path: `/assets/<name>.<hash>.<type>`. */
  asset(path: string): Asset | undefined
}

const directory = join(import.meta.dirname, '../views')

/** The first letter somebody would write for the name, for the two squares of the consent page. */
function initial(name: string): string {
  const first = new Intl.Segmenter().segment(name.trim())[Symbol.iterator]().next().value
  return first === undefined ? '·' : first.segment.toUpperCase()
}

/** What people and apps have chosen for themselves, made fit for a mail; codes and numbers stay. */
function neutralTexts<T extends Record<string, unknown>>(values: T): T {
  const chosen = ['username', 'app', 'message', 'passkey']
  const entries = Object.entries(values).map(([name, value]) => [
    name,
    chosen.includes(name) && typeof value === 'string' ? neutral(value) : value,
  ])
  return Object.fromEntries(entries) as T
}

/** For the script that judges new passwords. */
function strengthPhrases({ t }: Pick<Phrases, 't'>) {
  const hints = ['own', 'common', 'word', 'pattern', 'date']
  return {
    scores: [0, 1, 2, 3, 4].map((score) => t(`password-strength.${score}`)),
    hints: Object.fromEntries(hints.map((hint) => [hint, t(`password-strength.${hint}`)])),
  }
}

export function createViews(options: {
  brandName: string
  supportEmail?: string | undefined
  issuer: string
}): Views {
  const { issuer } = options
  const phrases = readPhrases(join(directory, 'locales'))
  const assets = readAssets(join(directory, 'assets'))
  const engine = {
    views: directory,
    cache: true,
    functionHeader: 'const { data, view } = it; const { t, rich, part, bold, link } = view',
  }
  const pages = new Eta({ ...engine, escapeFunction: toHtml as (value: unknown) => string })
  // Plain text knows no entities; its line ends are part of the text.
  const texts = new Eta({ ...engine, autoEscape: false, autoTrim: false })

  function helpersOf(locale: Locale, words: Phrases) {
    const helpers = {
      ...words,
      locale,
      // Read each time: an admin may change them while everything runs.
      get brand() {
        return options.brandName
      },
      issuer,
      get supportEmail() {
        return options.supportEmail
      },
      assets: assets.paths,
      bold,
      link,
      initial,
      strengthPhrases: () => strengthPhrases(words),
      safeHref,
      /** Draws a template of views/parts as a piece of the page. */
      part: (name: string, data: object): Markup =>
        markup(pages.render(`/parts/${name}`, { data, view: helpers })),
    }
    return helpers
  }
  const helpers = Object.fromEntries(
    locales.map((locale) => [locale, helpersOf(locale, phrases[locale])]),
  ) as Record<Locale, ReturnType<typeof helpersOf>>

  return {
    page: (name, data, { locale, nonce }) =>
      pages.render(`/${name}`, { data, view: helpers[locale], nonce }),
    mail(name, data, locale) {
      const { path, ...rest } = data
      if (!path.startsWith('/')) throw new Error('A mail links to a path of the issuer')
      const values = { ...neutralTexts(rest), link: `${issuer}${path}` }
      const named = 'kind' in rest ? `${name}.${rest.kind}` : name
      const content = { data: values, view: helpers[locale], name }
      return {
        subject: phrases[locale].t(`mail.${named}.subject`, {
          ...values,
          brand: neutral(options.brandName),
        }),
        text: texts.render(`/mail/${name}.text.eta`, content).trim().concat('\n'),
        html: pages.render(`/mail/${name}.html.eta`, content),
      }
    },
    t: (locale, key, values) => phrases[locale].t(key, { ...values }),
    has: (locale, key) => phrases[locale].has(key),
    asset: assets.find,
  }
}

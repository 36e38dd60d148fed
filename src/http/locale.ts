/**
 * Which language a person reads: what the address asks for (`ui_locales`), what the person chose, what the
 * browser prefers, English. Anything unreadable is passed over, never refused (WB-15).
 */
import type { Context } from 'koa'
import type { LanguageLink, Locale } from '../views/page-data.ts'

/** BCP 47 tags in the order of preference, as in OpenID Connect's `ui_locales`; undefined when none is ours. */
export function localeOf(tags: string | undefined): Locale | undefined {
  for (const tag of tags?.slice(0, 200).split(/\s+/) ?? []) {
    const locale = localeOfTag(tag)
    if (locale) return locale
  }
  return undefined
}

/** The header `Accept-Language` (RFC 9110 §12.5.4). */
export function localeOfBrowser(header: string | undefined): Locale | undefined {
  const ranges = (header ?? '')
    .slice(0, 500)
    .split(',')
    .slice(0, 20)
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';')
      const quality = parameters.map((parameter) => /^\s*q=([\d.]+)\s*$/i.exec(parameter)?.[1])
      return { tag: tag.trim(), weight: Number(quality.find((found) => found) ?? 1) }
    })
  const wanted = ranges.filter(({ weight }) => weight > 0).sort((a, b) => b.weight - a.weight)
  return localeOf(wanted.map(({ tag }) => tag).join(' '))
}

/** The footer: this page in each language. `ui_locales` replaces one that is there; all else is kept. */
export function languageLinks(ctx: Context): LanguageLink[] {
  return (
    [
      ['en', 'English'],
      ['zh-CN', '简体中文'],
    ] as const
  ).map(([locale, label]) => {
    const query = new URLSearchParams(ctx.querystring)
    query.set('ui_locales', locale)
    const current = ctx.state.locale === locale
    return { locale, label, href: `${ctx.path.replace(/^\/+/, '/')}?${query}`, current }
  })
}

function localeOfTag(tag: string): Locale | undefined {
  if (!/^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i.test(tag)) return undefined
  try {
    // Likely subtags tell zh and zh-SG (simplified) from zh-TW and zh-HK (traditional).
    const { language, script } = new Intl.Locale(tag).maximize()
    if (language === 'en') return 'en'
    return language === 'zh' && script === 'Hans' ? 'zh-CN' : undefined
  } catch {
    return undefined
  }
}

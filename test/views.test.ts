import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { PageData } from '../src/views/page-data.ts'
import { locales } from '../src/views/phrases.ts'
import { createViews } from '../src/views.ts'
import { type Example, examples } from './views/examples.ts'

const views = createViews({
  brandName: 'letuslearn',
  supportEmail: 'help@letuslearn.now',
  issuer: 'https://id.letuslearn.now',
})

function draw<N extends keyof PageData>(
  { page, data }: { page: N; data: PageData[N] },
  locale: (typeof locales)[number] = 'en',
): string {
  return views.page(page, data, { locale, nonce: 'n0nce' })
}

function drawExample(example: Example, locale?: (typeof locales)[number]): string {
  return draw(example as { page: 'home'; data: PageData['home'] }, locale)
}

const every = (html: string, pattern: RegExp) =>
  [...html.matchAll(pattern)].map((found) => found[1] ?? '')

const named = examples.flatMap((example) =>
  locales.map(
    (locale) => [`${example.page}, ${example.state}, ${locale}`, example, locale] as const,
  ),
)

describe.each(named)('%s', (_name, example, locale) => {
  const html = drawExample(example, locale)

  test('is a whole page in its language, with one heading and a title that ends with the brand', () => {
    expect(html).toMatch(/^<!doctype html>\n<html lang="/)
    expect(html).toContain(`<html lang="${locale}">`)
    expect(every(html, /<title>(.*)<\/title>/g)[0]).toMatch(/^\S.* – letuslearn$/)
    expect(html.match(/<h1/g)).toHaveLength(1)
    expect(html).not.toMatch(/\{\{|undefined|\[object|NaN/)
  })

  test('needs nothing that the content security policy forbids (WB-07)', () => {
    expect(html).not.toMatch(/<style|\sstyle=|\son[a-z]+=|javascript:|http-equiv/i)
    expect(html.match(/<script/g)?.length).toBe(
      html.match(/<script type="module" src="\/assets\/[\w.]+\.js" nonce="[^"]+">/g)?.length,
    )
    expect(html).toMatch(/<script type="module" src="\/assets\/page\.\w+\.js" nonce="n0nce">/)
    expect(every(html, /\ssrc="([^"]*)"/g).every((src) => /^\/(assets|pictures)\//.test(src))).toBe(
      true,
    )
  })

  test('ties labels, hints and errors to fields, and uses each id once', () => {
    const ids = every(html, /\sid="([^"]*)"/g)
    expect(new Set(ids).size).toBe(ids.length)
    const references = [
      ...every(html, /\sfor="([^"]*)"/g),
      ...every(html, /\saria-describedby="([^"]*)"/g).flatMap((list) => list.split(' ')),
      ...every(html, /\saria-controls="([^"]*)"/g),
      ...every(html, /\shref="#([^"]*)"/g),
    ]
    expect(references.filter((id) => !ids.includes(id))).toEqual([])
  })

  test('carries the proof against forged posts in every form (WB-05)', () => {
    for (const form of every(html, /<form([\s\S]*?)<\/form>/g)) {
      expect(form).toMatch(/^ method="post" action="\//)
      expect(form).toMatch(/<input type="hidden" name="(csrf" value="csrf-value|xsrf" value="x1)">/)
    }
  })

  test('never sends a typed password back', () => {
    for (const field of every(html, /<input([^>]*type="password"[^>]*)>/g)) {
      expect(field).not.toContain('value=')
    }
  })
})

describe('what users control', () => {
  const hostile = '"><img src=x onerror=alert(1)>\'{{7*7}}<%= 7*7 %>$t(errors.internal)\u202e'
  // These choose a template's branch; everything else may hold anything.
  const choices = [
    'word',
    'page',
    'proof',
    'kind',
    'state',
    'notice',
    'locale',
    'sentAt',
    'field',
    'factor',
  ]

  function poison(value: unknown, key = ''): unknown {
    if (Array.isArray(value)) return value.map((item) => poison(item, key))
    if (value instanceof Date || choices.includes(key)) return value
    if (typeof value === 'string') return key.endsWith('ref') ? 'javascript:alert(1)' : hostile
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, poison(item, name)]),
    )
  }

  test.each(examples.map((example) => [`${example.page}, ${example.state}`, example] as const))(
    'is text and nothing else on %s (WB-09, WB-10, IN-06)',
    (_name, example) => {
      const poisoned = { ...example, data: poison(example.data) } as Example
      const reason =
        'reason' in example.data && example.page === 'resume' ? example.data.reason : 'x'
      const html = drawExample({ ...poisoned, data: { ...poisoned.data, reason } } as Example)
      expect(html).not.toContain('<img src=x')
      expect(html).not.toMatch(/javascript:|\b49\b/)
      expect(html).not.toContain('{{7*7}}Something failed')
      for (const tag of html.match(/<[a-z][^>]*>/g) ?? []) {
        expect(tag.replace(/"[^"]*"/g, '""')).not.toContain('onerror')
      }
    },
  )

  test('stays literal in a phrase, even when it looks like one of ours (IN-06)', () => {
    const name = '{{count}} $t(errors.internal) <%= 7*7 %>'
    const text = views.t('en', 'common.continueTo', { app: name })
    expect(text).toBe(`Continue to ${name}`)
  })
})

describe('refusals', () => {
  test('name the wait in words, rounded up', () => {
    const signIn = examples.find(({ state }) => state === 'wait') as Example
    expect(drawExample(signIn)).toContain('Wait 3 minutes, then try again.')
    expect(drawExample(signIn, 'zh-CN')).toContain('请 3 分钟后再试')
    expect(drawExample(signIn)).not.toContain('aria-invalid')
  })

  test('keep the identifier, and are read out with the fields', () => {
    const refused = examples.find(({ page, state }) => page === 'sign-in' && state === 'refused')
    const html = drawExample(refused as Example)
    expect(html).toMatch(
      /id="identifier"[^>]* value="mei_chen"[^>]* aria-invalid="true" aria-describedby="error"/,
    )
    expect(html).toMatch(/id="password"[^>]* aria-describedby="error" autofocus/)
  })

  test('stand in the summary and beside their field', () => {
    const refused = examples.find(({ page, state }) => page === 'register' && state === 'refused')
    const html = drawExample(refused as Example)
    const words = 'This password is too short. Use at least 12 characters.'
    expect(html).toContain(`<a href="#password">${words}</a>`)
    expect(html).toContain(`id="password-error">${words}`)
  })

  test('without words of their own get the general ones', () => {
    const html = draw({
      page: 'sign-in',
      data: { action: '/x', csrf: 'c', languageLinks: [], error: { code: 'never_heard_of' } },
    })
    expect(html).toContain('Something failed on our side.')
  })
})

describe('templates', () => {
  const root = join(import.meta.dirname, '../views')
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.eta'),
  )

  test('escape everything outside the layouts', () => {
    const raw = files.filter((file) => readFileSync(join(root, file), 'utf8').includes('<%~'))
    expect(raw.sort()).toEqual(['layout.eta', 'mail/layout.eta'])
  })

  test('of pages each have an example', () => {
    const pages = files.filter((file) => !file.includes('/') && file !== 'layout.eta')
    expect(new Set(pages)).toEqual(new Set(examples.map(({ page }) => `${page}.eta`)))
  })

  test('ask for data that the types know', () => {
    // @ts-expect-error: the page needs its action and its csrf value
    const missing: PageData['sign-in'] = { languageLinks: [] }
    expect(() => draw({ page: 'sign-in', data: missing })).toThrow(/printed nothing/)
  })
})

describe('assets', () => {
  const paths = every(drawExample(examples[0] as Example), /"(\/assets\/[^"]*)"/g)

  test('are found under the names that pages use, and nowhere else', () => {
    expect(paths).toHaveLength(3)
    for (const path of paths) expect(views.asset(path)?.body().length).toBeGreaterThan(100)
    expect(views.asset('/assets/look.css')).toBeUndefined()
    expect(views.asset('/assets/../layout.eta')).toBeUndefined()
  })

  test('load nothing from elsewhere', () => {
    for (const path of paths) {
      const text = String(views.asset(path)?.body()).replaceAll('http://www.w3.org/2000/svg', '')
      expect(text).not.toMatch(/@import|url\(|https?:|\/\/[a-z]/)
    }
  })
})

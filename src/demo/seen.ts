/** What the steps of the main job see, and their complaints when it is not what they expect. */
import type { RegisteredApp } from './register.ts'
import type { Page } from './visitor.ts'

export function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}

export function isHome(page: Page, app: RegisteredApp): boolean {
  return page.url === new URL(app.url).href
}

export function expectCode({ url, ...page }: Page, app: RegisteredApp): void {
  const { searchParams } = new URL(url)
  const arrived = url.startsWith(`${app.url}/callback?`)
  expect(arrived, `not sent back to the app but to ${where({ url, ...page })}`)
  expect(searchParams.has('code'), `sent back with ${searchParams.get('error')}, without a code`)
}

export function expectClaims(
  claims: Record<string, unknown>,
  wanted: Record<string, unknown>,
): void {
  for (const [name, value] of Object.entries(wanted)) {
    const found = JSON.stringify(claims[name])
    expect(claims[name] === value, `${name} is ${found}, not ${JSON.stringify(value)}`)
  }
}

/** The JSON that the app's page shows. */
export function shown(page: Page, id: string): Record<string, unknown> {
  const text = new RegExp(`<pre id="${id}">([^<]*)</pre>`).exec(page.body)?.[1]
  expect(text !== undefined, `nothing to read (#${id}) at ${where(page)}`)
  return JSON.parse(text.replace(/&#(\d+);/g, (_, number) => String.fromCharCode(number)))
}

export function where({ url, status, error }: Page): string {
  return `${url.split('?')[0]} (${status}${error ? `: ${error}` : ''})`
}

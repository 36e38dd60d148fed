/** Every example of test/views/examples.ts at an address of its own, under the headers that the real pages have. */
import type { Server } from 'node:http'
import Koa, { type Context } from 'koa'
import { afterAll } from 'vitest'
import { serveAssets } from '../../src/http/assets.ts'
import { securityHeaders } from '../../src/http/headers.ts'
import { createViews, type Locale, type PageData } from '../../src/views.ts'
import { type Example, examples } from '../views/examples.ts'

export type ExamplesServer = {
  /** Where the page is shown in this state. */
  url(page: Example['page'], state: string, locale?: Locale): string
  /** Forms arrive here, one call for each. Answers with an empty page unless told otherwise. */
  onForm(handle: (ctx: Context) => Promise<void> | void): void
}

const issuer = 'http://localhost:3000'
const nonce = 'bm9uY2UtZm9yLXRlc3Rz'
const views = createViews({ brandName: 'letuslearn', supportEmail: 'help@letuslearn.now', issuer })

export async function serveExamples(): Promise<ExamplesServer> {
  let handle: (ctx: Context) => Promise<void> | void = () => {}
  const koa = new Koa()
  koa.use(async (ctx, next) => {
    ctx.state.nonce = nonce
    await next()
  })
  koa.use(securityHeaders({ production: false }))
  koa.use(serveAssets(views))
  koa.use(async (ctx) => {
    if (ctx.path.startsWith('/pictures/')) {
      ctx.type = 'image/svg+xml'
      ctx.body = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
      return
    }
    ctx.type = 'html'
    if (ctx.method === 'POST') {
      ctx.body = '<!doctype html><html lang="en"><title>Sent</title><h1>Sent</h1></html>'
      await handle(ctx)
    } else {
      const [, locale, page, state] = decodeURIComponent(ctx.path).split('/')
      const example = examples.find((each) => each.page === page && each.state === state)
      if (example) ctx.body = draw(example, locale as Locale)
    }
  })
  const server = await new Promise<Server>((resolve) => {
    const listening: Server = koa.listen(0, '127.0.0.1', () => resolve(listening))
  })
  afterAll(() => void server.close().closeAllConnections())
  const { port } = server.address() as { port: number }

  return {
    url: (page, state, locale = 'en') =>
      `http://127.0.0.1:${port}/${locale}/${page}/${encodeURIComponent(state)}`,
    onForm(given) {
      handle = given
    },
  }
}

function draw<N extends Example['page']>(example: Example & { page: N }, locale: Locale): string {
  const languageLinks = example.data.languageLinks.map((link) => ({
    ...link,
    current: link.locale === locale,
  }))
  const data = { ...example.data, languageLinks } as unknown as PageData[N]
  return views.page(example.page, data, { locale, nonce })
}

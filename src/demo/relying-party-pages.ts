/** The two pages of the demo app: who is signed in, and what went wrong. */
import type { Context } from 'koa'
import type { AppSettings, Session } from './relying-party.ts'

export function drawHome(ctx: Context, app: AppSettings, session: Session | undefined): void {
  const person = session?.person
  draw(ctx, app, person ? signedIn(app, person.claims, session) : signedOut(app))
}

/** Words for people; what the library and the provider know besides goes with them. */
export function drawTrouble(ctx: Context, app: AppSettings, error: unknown): void {
  const { message, cause, error: code, error_description: description } = error as OAuthError
  const known = cause instanceof Error ? `${message}: ${cause.message}` : message
  const words = code === 'access_denied' ? 'You did not allow it, so nobody is signed in.' : known
  ctx.status = 400
  draw(
    ctx,
    app,
    html`<h1>That did not work</h1>
<p id="error">${words}</p>
${code ? html`<p class="soft">${code}${description ? `: ${description}` : ''}</p>` : ''}
<a class="button" id="again" href="${app.url}/sign-in">Sign in</a>`,
  )
}

type OAuthError = Error & { error?: string; error_description?: string }

function signedOut({ url }: AppSettings): Html {
  return html`<p id="signed-out">Nobody is signed in here.</p>
<a class="button" id="sign-in" href="${url}/sign-in">Sign in</a>`
}

function signedIn({ url }: AppSettings, claims: object, session: Session): Html {
  const { name = '', email = '' } = claims as { name?: string; email?: string }
  const press = (action: string, label: string) =>
    html`<form method="post" action="${url}/${action}"><button id="${action}">${label}</button></form>`
  const { asked, refreshes } = session
  return html`<p>Signed in as <b>${name}</b> (${email}).</p>
<div class="row">
${press('userinfo', 'Ask userinfo')}
${press('call-api', 'Call the API')}
${press('refresh', 'Refresh')}
${press('sign-out', 'Sign out')}
</div>
<p class="soft">Tokens refreshed: <span id="refreshes">${refreshes}</span></p>
${asked ? html`<h2>Answer of ${asked.what}</h2>${json('answer', asked.answer)}` : ''}
<h2>What the ID token says</h2>
${json('claims', claims)}`
}

function json(id: string, value: unknown): Html {
  return html`<pre id="${id}">${JSON.stringify(value, null, 2)}</pre>`
}

function draw(ctx: Context, { name, url }: AppSettings, content: Html): void {
  const other = new URL(url).pathname === '/' ? `${url}/second` : new URL(url).origin
  ctx.set('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'")
  ctx.set('Cache-Control', 'no-store')
  ctx.type = 'html'
  ctx.body = html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${name}</title>
<style>${{ safe: style }}</style>
<main>
<header><b>${name}</b><a href="${other}">the other app</a></header>
${content}
</main>
</html>`.safe
}

/** HTML that was made by `html`, in which everything else is escaped. */
type Html = { safe: string }

function html(parts: TemplateStringsArray, ...values: (Html | string | number)[]): Html {
  const text = (value: Html | string | number) =>
    typeof value === 'object'
      ? value.safe
      : String(value).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
  return { safe: parts.map((part, i) => part + text(values[i] ?? '')).join('') }
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#171a21, #eceef3); --soft: light-dark(#596070, #a3abba);
  --paper: light-dark(#fff, #15181e); --ground: light-dark(#f4f5f8, #0d0f13); --line: light-dark(#dfe2e9, #2b303a); }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 6vh auto; padding: 1.5rem 2rem 2rem; background: var(--paper);
  border: 1px solid var(--line); border-radius: 14px; overflow-wrap: anywhere; }
header { display: flex; justify-content: space-between; margin-bottom: 1.5rem; }
h1, h2 { font-size: 1rem; margin: 1.5rem 0 0.5rem; }
h1 { font-size: 1.4rem; }
pre { margin: 0; padding: 1rem; background: var(--ground); border-radius: 10px; font-size: 0.85rem; white-space: pre-wrap; }
a { color: light-dark(#2f4ac0, #9db1ff); }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem; }
.soft { color: var(--soft); font-size: 0.9rem; }
button, .button { display: inline-block; padding: 0.6rem 1.1rem; border: 1px solid var(--line); border-radius: 10px;
  background: none; color: inherit; font: inherit; cursor: pointer; text-decoration: none; }
.button { background: #3b5bdb; border-color: #3b5bdb; color: #fff; }
@media (max-width: 44rem) { main { margin: 0; border: 0; border-radius: 0; min-height: 100vh; box-sizing: border-box; } }
`

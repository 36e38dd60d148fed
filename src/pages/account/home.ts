/** The account at a glance, and the way out. */
import type { Context } from 'koa'
import { setCookie } from '../../http/cookies.ts'
import { cookieNames } from '../../oidc/cookies.ts'
import { signedOutPath } from '../../oidc/protocol-pages.ts'
import { signOut as signOutOf } from '../../sessions/end-sessions.ts'
import { listQuestions } from '../../sessions/questions.ts'
import { type PagesDeps, seeOther } from '../context.ts'
import { signedOutPage } from '../signed-out.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountHomePages(deps: PagesDeps, frame: AccountFrame) {
  const { issuer } = deps.config
  const secure = issuer.startsWith('https:')
  const names = cookieNames(issuer)
  const signedOut = signedOutPage(deps)
  return { show, signOut }

  async function show(ctx: Context, { account, accountId }: Signed): Promise<void> {
    frame.drawPage(ctx, 'account', {
      action: '/account/sign-out',
      username: String(account.username),
      name: String(account.name),
      email: String(account.email),
      emailVerified: account.email_verified_at !== null,
      questions: (await listQuestions(deps.database.db, accountId)).length,
    })
  }

  async function signOut(ctx: Context): Promise<void> {
    const { session, account: person } = await frame.sessionOf(ctx)
    if (session) {
      const uid = String(session.uid)
      const accountId = person && String(person.id)
      const ended = await signOutOf(deps.database.db, { uid, accountId }, ctx.state.origin)
      signedOut.remember(ctx, { uid, clientIds: ended.parts.map(({ clientId }) => clientId) })
    }
    setCookie(ctx, names.session, '', { secure, maxAgeSeconds: 0 })
    seeOther(ctx, signedOutPath)
  }
}

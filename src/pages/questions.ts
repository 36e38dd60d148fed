/**
 * What apps ask a person by the backchannel (CIBA), one below the other: who asks, the words that the app shows as well,
 * what it would get, how long there is. Only whoever is asked sees a question, and answers it here.
 */
import type { Context } from 'koa'
import { lifetimes } from '../oidc/lifetimes.ts'
import { questionsPath } from '../oidc/question-mails.ts'
import { levelFor } from '../oidc/step-up.ts'
import type { Row } from '../sessions/artefacts.ts'
import { answerQuestion, listQuestions, type Question } from '../sessions/questions.ts'
import type { consentPages } from './consent.ts'
import { appOf, draw, type PagesDeps, seeOther } from './context.ts'
import { formOf } from './flow.ts'

type Signed = { session?: Row; account?: Row }
type Outcome = { state: 'allowed' | 'refused' | 'gone' | 'weak'; app?: string | undefined }

export function questionPages(
  deps: PagesDeps,
  { describe }: Pick<ReturnType<typeof consentPages>, 'describe'>,
  sessionOf: (ctx: Context) => Promise<Signed>,
) {
  const { db } = deps.database
  return { show, submit }

  async function show(ctx: Context): Promise<void> {
    // The answer of our own request: a reload must not carry it.
    if (ctx.query.code !== undefined || ctx.query.iss !== undefined) {
      return seeOther(ctx, questionsPath)
    }
    const { account } = await sessionOf(ctx)
    if (!account) return seeOther(ctx, '/sign-in?to=requests')
    await drawList(ctx, account)
  }

  async function submit(ctx: Context): Promise<void> {
    const { session, account } = await sessionOf(ctx)
    if (!session || !account) return seeOther(ctx, '/sign-in?to=requests')
    const { allow, deny } = formOf(ctx)
    const accountId = String(account.id)
    const waiting = await listQuestions(db, accountId)
    const question = waiting.find(({ id }) => id === (allow ?? deny))
    const client = question && (await deps.clients.client(question.clientId))
    if (!question || !client) return drawList(ctx, account, { state: 'gone' })
    const { metadata, name, id: clientId } = client
    const { claims, acr_values } = question.parameters
    const acr = levelFor({ claims, acr_values }, (session.amr as string[] | null) ?? [])
    if (allow !== undefined && !acr) return drawList(ctx, account, { state: 'weak' })
    const asked = { ...question, account }
    const done = await answerQuestion(
      db,
      {
        id: question.id,
        accountId,
        clientId,
        sessionUid: String(session.uid),
        acr,
        ...(allow === undefined ? {} : { allowed: granted(await describe(asked)) }),
        includesSid: metadata.backchannel_logout_uri !== undefined,
        pings: metadata.backchannel_token_delivery_mode === 'ping',
        grantSeconds: lifetimes.grant,
      },
      ctx.state.origin,
    )
    if (!done) return drawList(ctx, account, { state: 'gone' })
    await drawList(ctx, account, { state: allow === undefined ? 'refused' : 'allowed', app: name })
  }

  async function drawList(ctx: Context, account: Row, outcome?: Outcome): Promise<void> {
    const waiting = await listQuestions(db, String(account.id))
    const questions = await Promise.all(waiting.map((question) => toView(question, account)))
    draw(
      ctx,
      deps,
      'requests',
      {
        action: questionsPath,
        username: String(account.username),
        questions: questions.filter((question) => question !== undefined),
        outcome,
      },
      { gone: 409, weak: 403, allowed: 200, refused: 200 }[outcome?.state ?? 'allowed'],
    )
  }

  async function toView(question: Question, account: Row) {
    const app = await appOf(deps.clients, question.clientId, undefined)
    if (!app) return undefined
    const { id, expiresAt, parameters } = question
    return {
      id,
      app,
      message: parameters.binding_message,
      secondsLeft: Math.max(1, Math.round((expiresAt.getTime() - Date.now()) / 1000)),
      items: (await describe({ ...question, account })).items,
    }
  }
}

function granted({ wanted, details }: Awaited<ReturnType<Describe>>) {
  const { scopes, claims, resources } = wanted
  const entries = Object.entries(resources).map(([api, of]) => [api, of.join(' ')] as const)
  return { scopes, claims, resources: Object.fromEntries(entries), details }
}
type Describe = ReturnType<typeof consentPages>['describe']

/**
 * AuthZEN Authorization API 1.0: `/access/v1/evaluation`, `/access/v1/evaluations` and the metadata of the two. Whoever
 * asks has an access token for our API with the scope `access:evaluate`.
 */
import Router from '@koa/router'
import type { Context, Middleware } from 'koa'
import { z } from 'zod'
import { AppError } from '../../errors.ts'
import type { Bearer } from '../bearer.ts'
import { refuseOtherVerbs } from '../other-verbs.ts'
import { parseJson } from '../parse.ts'
import { type Evaluation, type Evaluator, semantics } from './evaluate.ts'

const text = z.string().min(1).max(1024)
const properties = z.record(z.string(), z.unknown()).optional()
// What we do not know is passed over: a service may say more than we look at (§5).
const entity = z.looseObject({ type: text, id: text, properties })
const evaluation = z.looseObject({
  subject: entity,
  action: z.looseObject({ name: text, properties }),
  resource: entity,
  context: z.record(z.string(), z.unknown()).optional(),
})

const mostEvaluations = 100
const part = z.record(z.string(), z.unknown())
const evaluations = z.looseObject({
  subject: part.optional(),
  action: part.optional(),
  resource: part.optional(),
  context: part.optional(),
  evaluations: z.array(part).max(mostEvaluations).optional(),
  options: z.looseObject({ evaluations_semantic: z.enum(semantics).optional() }).optional(),
})

const metadataMaxAgeSeconds = 300

export function accessRoutes(deps: {
  issuer: string
  bearer: Bearer
  evaluator: Evaluator
}): Middleware[] {
  const { issuer, bearer, evaluator } = deps
  const router = new Router()

  router.get('/.well-known/authzen-configuration', (ctx) => {
    ctx.set('Cache-Control', `public, max-age=${metadataMaxAgeSeconds}`)
    ctx.body = {
      policy_decision_point: issuer,
      access_evaluation_endpoint: `${issuer}/access/v1/evaluation`,
      access_evaluations_endpoint: `${issuer}/access/v1/evaluations`,
    }
  })

  router.post('/access/v1/evaluation', async (ctx) => {
    const asking = await admit(ctx)
    ctx.body = await evaluator.evaluate(await parseJson(ctx, evaluation), asking)
  })

  router.post('/access/v1/evaluations', async (ctx) => {
    const asking = await admit(ctx)
    const body = await parseJson(ctx, evaluations)
    const { evaluations: list = [], options = {}, ...common } = body
    // §7.1: without a list it is one question, and is answered as one.
    if (list.length === 0) {
      const { data, error } = evaluation.safeParse(common)
      if (error) throw new AppError('invalid_request', 400, { cause: error })
      ctx.body = await evaluator.evaluate(data, asking)
      return
    }
    const questions = list.map((item) => questionIn(withDefaults(common, item)))
    const semantic = options.evaluations_semantic ?? 'execute_all'
    ctx.body = { evaluations: await evaluator.evaluateAll(questions, semantic, asking) }
  })

  /** The client that asks. */
  async function admit(ctx: Context): Promise<string> {
    const requestId = ctx.get('X-Request-ID')
    // §10.1.3: the service finds its request again in our answer.
    if (/^[\x20-\x7e]{1,256}$/.test(requestId)) ctx.set('X-Request-ID', requestId)
    const { clientId } = await bearer.requireToken(ctx, { scope: 'access:evaluate' })
    // §10.1.2 knows no 415, and services that were written by it look for 400.
    if (!ctx.is('application/json')) {
      const detail = 'Send the question as application/json.'
      throw new AppError('invalid_request', 400, { detail })
    }
    return clientId
  }

  return [router.routes() as Middleware, refuseOtherVerbs(router)]
}

const named = { subject: ['type', 'id'], action: ['name'], resource: ['type', 'id'] } as const

/**
 * §7.1.1: what an item says of a subject, an action or a resource stands in place of what is said of it for all; only
 * what has to be there and is not is filled in, and never a property.
 */
function withDefaults(common: z.infer<typeof part>, item: z.infer<typeof part>): object {
  const filled: Record<string, unknown> = { ...common, ...item }
  for (const [name, members] of Object.entries(named)) {
    const [usual, own] = [part.safeParse(common[name]).data, part.safeParse(item[name]).data]
    if (!usual || !own) continue
    const missing = members.filter((member) => own[member] === undefined)
    filled[name] = { ...own, ...Object.fromEntries(missing.map((one) => [one, usual[one]])) }
  }
  return filled
}

function questionIn(item: object): Evaluation | { error: string } {
  const { data, error } = evaluation.safeParse(item)
  if (!error) return data
  const wrong = error.issues.map(({ path }) => path.join('.')).join(', ')
  return { error: `missing or wrong: ${wrong}` }
}

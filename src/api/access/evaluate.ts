/**
 * Decisions for other services (AuthZEN Authorization API 1.0 §6, §7) without HTTP: whom a question is about, what they
 * hold, and the answers to many questions in one. What somebody holds is remembered for two seconds at most, and
 * forgotten sooner when a role changes.
 */
import { findByIdentifier } from '../../accounts/accounts.ts'
import type { Db } from '../../database/connection.ts'
import { parseInstant } from '../../roles/conditions.ts'
import { type Holdings, isAllowed } from '../../roles/decide.ts'
import { readHoldings } from '../../roles/holdings.ts'

export type Evaluation = {
  subject: { type: string; id: string; properties?: Record<string, unknown> | undefined }
  action: { name: string }
  resource: { type: string; id: string; properties?: Record<string, unknown> | undefined }
  context?: Record<string, unknown> | undefined
}

export type Decision = {
  decision: boolean
  context?: { error: { status: number; message: string } }
}

export const semantics = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'] as const

export type Semantic = (typeof semantics)[number]

const rememberedMs = 2000
const mostRemembered = 10_000
const nobody: Holdings = { names: [], held: [] }

export type Evaluator = ReturnType<typeof createEvaluator>

export function createEvaluator(db: Db, now: () => number = Date.now) {
  const remembered = new Map<string, { until: number; holdings: Promise<Holdings> }>()

  /** `asking` is the client that asks: roles of its own count, those of other apps do not. */
  function holdingsOf({ type, id }: Evaluation['subject'], asking: string): Promise<Holdings> {
    const key = JSON.stringify([type, id, asking])
    const known = remembered.get(key)
    if (known && known.until > now()) return known.holdings
    remembered.delete(key)
    if (remembered.size >= mostRemembered) remembered.delete(remembered.keys().next().value ?? '')
    const holdings = find(type, id, asking)
    remembered.set(key, { until: now() + rememberedMs, holdings })
    // A database that was away for a moment is no answer.
    holdings.catch(() => remembered.delete(key))
    return holdings
  }

  async function find(type: string, id: string, asking: string): Promise<Holdings> {
    if (id.length > 254) return nobody
    if (type === 'client') {
      return /^[\w-]{1,128}$/.test(id)
        ? readHoldings(db, { kind: 'client', id }, { at: asking })
        : nobody
    }
    if (type !== 'user' && type !== 'account') return nobody
    const isSub = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/.test(id)
    const accountId = isSub ? id : (await findByIdentifier(db, id))?.id
    if (accountId === undefined) return nobody
    return readHoldings(db, { kind: 'account', id: accountId }, { at: asking })
  }

  async function evaluate(
    { subject, action, resource, context = {} }: Evaluation,
    asking: string,
  ): Promise<Decision> {
    const holdings = await holdingsOf(subject, asking)
    const { owner } = resource.properties ?? {}
    const question = {
      action: action.name,
      resource: {
        type: resource.type,
        id: resource.id,
        ...(typeof owner === 'string' ? { owner } : {}),
      },
      context: {
        time: timeOf(context.time, now),
        acr: textOf(context.acr),
        client: textOf(context.client ?? context.client_id),
        // §5.1.1: the service may say it of the subject as well.
        address: textOf(
          context.address ?? context.ip_address ?? context.ip ?? subject.properties?.ip_address,
        ),
      },
    }
    return { decision: isAllowed(holdings, question) }
  }

  return {
    evaluate,

    /** As many answers as were needed (§7.1.2). What is no question is denied with its reason, and counts as a denial. */
    async evaluateAll(
      questions: (Evaluation | { error: string })[],
      semantic: Semantic,
      asking: string,
    ): Promise<Decision[]> {
      const answers: Decision[] = []
      for (const question of questions) {
        const answer =
          'error' in question
            ? { decision: false, context: { error: { status: 400, message: question.error } } }
            : await evaluate(question, asking)
        answers.push(answer)
        if (semantic === 'deny_on_first_deny' && !answer.decision) break
        if (semantic === 'permit_on_first_permit' && answer.decision) break
      }
      return answers
    },

    forget(): void {
      remembered.clear()
    },
  }
}

/** Now, unless the service says another time; a time that is none meets no condition. */
function timeOf(given: unknown, now: () => number): Date {
  if (given === undefined) return new Date(now())
  return new Date((typeof given === 'string' ? parseInstant(given) : undefined) ?? Number.NaN)
}

function textOf(given: unknown): string | undefined {
  return typeof given === 'string' ? given : undefined
}

/**
 * Whether somebody may do something: a pure function of what they hold and what is asked. Nothing that no permission
 * names is allowed, there is nothing that forbids, and conditions only narrow.
 */
import { type ConditionName, type DecisionContext, unmet } from './conditions.ts'
import type { Permission } from './permission.ts'

export type Holdings = {
  /** By which names an owner means the holder. */
  names: readonly string[]
  held: readonly { role: string; permission: Permission }[]
}

export type Question = {
  action: string
  /** `owner` is one of the holder's names where it is theirs. */
  resource: { type: string; id?: string | undefined; owner?: string | undefined }
  context: DecisionContext
}

export function isAllowed(holdings: Holdings, question: Question): boolean {
  return holdings.held.some(
    ({ permission }) => failures(permission, question, holdings.names).length === 0,
  )
}

type Failure = 'action' | 'type' | 'id' | 'own' | ConditionName

/** Why it is so: the permission that allows it, else what came near (right action and type) and what it lacked. */
export type Reason = { role: string; permission: Permission; lacks: Failure[] }

export function explainDecision(
  holdings: Holdings,
  question: Question,
): { allowed: boolean; because: Reason[] } {
  const reasons = holdings.held.map(({ role, permission }) => {
    return { role, permission, lacks: failures(permission, question, holdings.names) }
  })
  const allowing = reasons.filter(({ lacks }) => lacks.length === 0)
  if (allowing.length > 0) return { allowed: true, because: allowing }
  const near = reasons.filter(({ lacks }) => !lacks.includes('action') && !lacks.includes('type'))
  return { allowed: false, because: near }
}

function failures(
  { action, type, id, own, conditions }: Permission,
  { action: asked, resource, context }: Question,
  names: readonly string[],
): Failure[] {
  const failed: Failure[] = []
  // A question that names no action or type, or every one, is about nothing that a role could allow.
  if (asked === '' || (action !== '*' && action !== asked)) failed.push('action')
  if (resource.type === '' || (type !== '*' && type !== resource.type)) failed.push('type')
  if (id !== undefined && id !== resource.id) failed.push('id')
  if (own && (resource.owner === undefined || !names.includes(resource.owner))) failed.push('own')
  // Most are about something else, and a clock costs more than all of this.
  return failed.length > 0 ? failed : unmet(conditions, context)
}

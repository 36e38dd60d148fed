/** What apps ask people by the backchannel: who is meant, how often it may happen, and that the person is told. */
import { findByIdentifier } from '../accounts/accounts.ts'
import { type Origin, record } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'
import { enqueue } from '../jobs/tasks.ts'

/** The account id behind a hint; undefined for nobody, and for whoever may not be here. */
export type PersonFinder = (clientId: string, hint: string) => Promise<string | undefined>

export type Asked = { idHash: Buffer; accountId: string; clientId: string; origin?: Origin }

export type Questions = {
  /** Both throw 429 `too_many_requests`. */
  limitClient(clientId: string): Promise<void>
  limitPerson(clientId: string, accountId: string): Promise<void>
  /** The question stands in the database. */
  asked(question: Asked): Promise<void>
}

type Limits = {
  consume(
    name: 'backchannel-client' | 'backchannel-person' | 'backchannel-unknown',
    ...key: string[]
  ): Promise<void>
  refund(name: 'backchannel-unknown', ...key: string[]): Promise<void>
}

/** Counted before it is looked for and given back when somebody was found: an app does not learn who is here (EN). */
export function createPersonFinder(db: Db, limits: Limits): PersonFinder {
  return async (clientId, hint) => {
    await limits.consume('backchannel-unknown', clientId)
    const account = await findByIdentifier(db, hint)
    if (account?.status !== 'active') return undefined
    await limits.refund('backchannel-unknown', clientId)
    return account.id
  }
}

export function createQuestions(db: Db, limits: Limits): Questions {
  return {
    limitClient: (clientId) => limits.consume('backchannel-client', clientId),
    limitPerson: (clientId, accountId) => limits.consume('backchannel-person', clientId, accountId),
    asked: ({ idHash, accountId, clientId, origin }) =>
      transact(db, async (trx) => {
        await record(trx, {
          type: 'backchannel.asked',
          actor: { kind: 'client', id: clientId },
          accountId,
          clientId,
          ...(origin ? { origin } : {}),
        })
        await enqueue(trx, 'mail.question', { question: idHash.toString('hex') })
      }),
  }
}

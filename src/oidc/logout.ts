/**
 * What the engine does at sign-out, and what it leaves to us. It would call every app while the person waits, once
 * and no more; here the apps that have to hear of it stand in a table when the session's row goes
 * (sessions/end-sessions.ts), and a job calls them with the engine's own logout token, as often as it takes.
 */
import type { Client, Provider, Session } from 'oidc-provider'
import type { Db } from '../database/connection.ts'
import type { Logger } from '../logger.ts'
import { OutgoingError } from '../outgoing/errors.ts'
import {
  type Delivery,
  type EndedPart,
  type Outcome,
  scheduleNext,
  settle,
  takeDue,
} from '../sessions/logout-deliveries.ts'
import { sessionIdFor } from '../sessions/sessions.ts'

type LogoutClient = Client & {
  backchannelLogout(accountId: string, sid: string): Promise<void>
  sendLogoutToken(accountId: string, sid: string): Promise<void>
}

/** Back-channel Logout 1.0 §2.1, Front-Channel Logout 1.0 §3: `sid` in ID tokens where the app will be told one. */
export function leaveLogoutToUs(provider: Provider): void {
  const client = provider.Client.prototype as LogoutClient
  client.sendLogoutToken = client.backchannelLogout
  client.backchannelLogout = async () => {}
  client.includeSid = function includeSid(this: Client) {
    const back = this.backchannelLogoutUri && this.backchannelLogoutSessionRequired
    const front = this.frontchannel_logout_uri && this.frontchannel_logout_session_required
    return Boolean(back || front)
  }
  const session = provider.Session.prototype as Session
  session.ensureClientContainer = function ensureClientContainer(clientId) {
    if (!this.sidFor(clientId)) this.sidFor(clientId, sessionIdFor(this.uid, clientId))
  }
}

/** Makes the logout token and calls the app with it. Rejects with the engine's error, or the guard's. */
async function sendLogoutToken(provider: Provider, part: EndedPart): Promise<void> {
  const { clientId, accountId, sessionUid } = part
  const client = (await provider.Client.find(clientId)) as LogoutClient | undefined
  if (!client?.backchannelLogoutUri) throw new NobodyToTell()
  await client.sendLogoutToken(accountId, sessionIdFor(sessionUid, clientId))
}

/** The app was removed, switched off, or has given up its address since. */
class NobodyToTell extends Error {}

/** The job: rounds for one app until nothing of it is due. `provider` is asked for anew, since keys change. */
export function createLogoutSender(options: {
  db: Db
  provider(): Provider
  logger: Pick<Logger, 'warn'>
}): (payload: { clientId: string }) => Promise<void> {
  const { db, provider, logger } = options
  return async ({ clientId }) => {
    for (;;) {
      const due = await takeDue(db, clientId)
      if (due.length === 0) break
      await Promise.all(due.map(deliver))
    }
    await scheduleNext(db, clientId)
  }

  async function deliver(delivery: Delivery): Promise<void> {
    await settle(
      db,
      delivery,
      await sendLogoutToken(provider(), delivery).then(
        (): Outcome => ({ told: true }),
        (error: unknown) => {
          const outcome = outcomeOf(error)
          const { clientId, attempts } = delivery
          logger.warn({ clientId, attempts, ...outcome }, 'an app was not told of a sign-out')
          return outcome
        },
      ),
    )
  }
}

/** A fault of ours is tried again like one of the app's: it may be gone with the next release. */
function outcomeOf(error: unknown): Outcome {
  if (error instanceof OutgoingError) {
    return { told: false, error: error.reason, final: error.refused }
  }
  if (error instanceof NobodyToTell) return { told: false, error: 'gone', final: true }
  const { status } = (error as { response?: { status?: number } }).response ?? {}
  return { told: false, error: status === undefined ? 'fault' : `http_${status}`, final: false }
}

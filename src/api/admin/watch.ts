/** What happens, by a program of an admin: seen and ended. */
import { type FoundEvent, listEvents } from '../../audit/search.ts'
import { listMails, type QueuedMail, retryMails } from '../../mail/queue.ts'
import { revokeSessions } from '../../sessions/end-sessions.ts'
import { type Grant, listGrants, revokeGrants } from '../../sessions/grants.ts'
import { listSessions, type Session } from '../../sessions/sessions.ts'
import type { AdminHandlers } from './context.ts'
import { listPage } from './pages.ts'
import { notFound } from './refusals.ts'
import type { watchOperations } from './watch-operations.ts'

export function watchHandlers(): AdminHandlers<typeof watchOperations> {
  return {
    'sessions.list'(call) {
      return listPage(call, {
        fetch: ({ limit, after }) =>
          listSessions(call.db, { ...whose(call.query), limit, after: placeOf(after) }),
        keysOf: ({ signedInAt, uid }) => [signedInAt.toISOString(), uid],
        toJson: sessionJson,
      })
    },

    async 'sessions.end'({ db, by, params: { id: uid = '' } }) {
      if ((await listSessions(db, { uid })).length === 0) throw notFound('session_not_found')
      await revokeSessions(db, { uid }, { actor: by.actor })
    },

    'grants.list'(call) {
      const offline = call.query.offline === 'true'
      return listPage(call, {
        fetch: ({ limit, after }) =>
          listGrants(call.db, { ...whose(call.query), offline, limit, after: placeOf(after) }),
        keysOf: ({ createdAt, id }) => [createdAt.toISOString(), id],
        toJson: grantJson,
      })
    },

    async 'grants.revoke'({ db, by, params: { id = '' } }) {
      if ((await revokeGrants(db, { id }, by.actor)) === 0) throw notFound('grant_not_found')
    },

    'audit.list'(call) {
      const { type, actor, address, since, until } = call.query
      const filter = {
        ...whose(call.query),
        ...(type === undefined ? {} : { types: [type] }),
        actor,
        address,
        since: since === undefined ? undefined : new Date(since),
        until: until === undefined ? undefined : new Date(until),
      }
      return listPage(call, {
        fetch: ({ limit, after: [before] = [] }) =>
          listEvents(call.db, { ...filter, before }, { limit }),
        keysOf: ({ id }) => [id],
        toJson: eventJson,
      })
    },

    'mail.list'(call) {
      const failedOnly = call.query.state === 'failed'
      return listPage(call, {
        fetch: ({ limit, after: [after] = [] }) => listMails(call.db, { failedOnly, limit, after }),
        keysOf: ({ id }) => [id],
        toJson: mailJson,
      })
    },

    async 'mail.retry'({ db, by, params: { id = '' } }) {
      if ((await retryMails(db, [id], by.actor)) === 0) throw notFound('mail_not_found')
    },
  }
}

function whose({ account, client }: { account?: string | undefined; client?: string | undefined }) {
  return {
    ...(account === undefined ? {} : { accountId: account }),
    ...(client === undefined ? {} : { clientId: client }),
  }
}

function placeOf([at, id]: string[] = []) {
  return at === undefined || id === undefined ? undefined : { at, id }
}

function sessionJson({ uid, accountId, username, acr, amr, clientIds, ...session }: Session) {
  return {
    session: uid,
    account_id: accountId,
    username,
    signed_in_at: session.signedInAt.toISOString(),
    expires_at: session.expiresAt.toISOString(),
    acr,
    amr,
    clients: clientIds,
  }
}

function grantJson({ id, accountId, username, clientId, scopes, apis, offline, ...grant }: Grant) {
  return {
    grant: id,
    account_id: accountId,
    username,
    client_id: clientId,
    ...{ scopes, apis, offline },
    created_at: grant.createdAt.toISOString(),
    last_used_at: grant.lastUsed?.toISOString() ?? null,
    expires_at: grant.expiresAt.toISOString(),
  }
}

function eventJson(event: FoundEvent) {
  const { id, at, type, username, address, detail } = event
  return {
    ...{ id, type, username, address, detail },
    at: at.toISOString(),
    actor: { kind: event.actorKind, id: event.actorId, username: event.actorName },
    account_id: event.accountId,
    client_id: event.clientId,
    request_id: event.requestId,
  }
}

function mailJson({ id, kind, to, state, attempts, maxAttempts, error, ...mail }: QueuedMail) {
  return {
    ...{ id, kind, to, state, attempts, error },
    max_attempts: maxAttempts,
    created_at: mail.createdAt.toISOString(),
    next_at: state === 'failed' ? null : mail.nextAt.toISOString(),
  }
}

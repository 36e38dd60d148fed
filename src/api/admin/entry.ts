/** Who may come in, by a program of an admin: invitations and blocked addresses. */
import { addBlock, type Block, findBlock, listBlocks, removeBlock } from '../../blocks/blocks.ts'
import { invitePath } from '../../invites/codes.ts'
import {
  createInvite,
  findInvite,
  type Invite,
  listInvites,
  revokeInvite,
} from '../../invites/invites.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import type { entryOperations } from './entry-operations.ts'
import { cutPage, listPage } from './pages.ts'
import { notFound } from './refusals.ts'

const newest = ({ createdAt, id }: { createdAt: Date; id: string }) => [createdAt.toISOString(), id]

export function entryHandlers({
  config: { issuer },
  keyring,
}: Pick<AdminDeps, 'config' | 'keyring'>): AdminHandlers<typeof entryOperations> {
  return {
    'invites.list'(call) {
      const { state } = call.query
      const fits = (invite: Invite) => state === undefined || invite.state === state
      return listPage(call, {
        fetch: async (page) =>
          cutPage((await listInvites(call.db)).filter(fits), page, newest, 'down'),
        keysOf: newest,
        toJson: inviteJson,
      })
    },

    async 'invites.create'({ ctx, db, by, body }) {
      const { uses = 1, expires_in: lifetimeSeconds = null, roles = [], send_in, ...rest } = body
      const input = { ...rest, uses, lifetimeSeconds, roles, sendIn: send_in }
      const { code, invite } = await createInvite({ db, keyring }, input, by)
      ctx.set('Location', `${issuer}/api/admin/invites/${invite.id}`)
      return { ...inviteJson(invite), code, link: issuer + invitePath(code) }
    },

    async 'invites.get'({ db, params: { id = '' } }) {
      const invite = await findInvite(db, id)
      if (!invite) throw notFound('invite_not_found')
      return inviteJson(invite)
    },

    async 'invites.revoke'({ db, by, params: { id = '' } }) {
      if (!(await findInvite(db, id))) throw notFound('invite_not_found')
      await revokeInvite(db, id, by)
    },

    'blocks.list'(call) {
      const ended = call.query.ended === 'true'
      return listPage(call, {
        fetch: async (page) => cutPage(await listBlocks(call.db, { ended }), page, newest, 'down'),
        keysOf: newest,
        toJson: blockJson,
      })
    },

    async 'blocks.create'({ ctx, db, by, body }) {
      const { network, scope = 'entry', reason, expires_in: lifetimeSeconds = null } = body
      const block = await addBlock(db, { network, scope, reason, lifetimeSeconds }, by)
      ctx.set('Location', `${issuer}/api/admin/blocks/${block.id}`)
      return blockJson(block)
    },

    async 'blocks.get'({ db, params: { id = '' } }) {
      const block = await findBlock(db, id)
      if (!block) throw notFound('block_not_found')
      return blockJson(block)
    },

    async 'blocks.delete'({ db, by, params: { id = '' } }) {
      if (!(await removeBlock(db, id, by))) throw notFound('block_not_found')
    },
  }
}

function inviteJson({ createdBy, createdAt, expiresAt, revokedAt, ...invite }: Invite) {
  const { id, state, uses, used, roles, email, note } = invite
  return {
    ...{ id, state, uses, used, roles, email, note },
    created_by: createdBy,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
    revoked_at: revokedAt?.toISOString() ?? null,
  }
}

function blockJson({ createdBy, createdAt, expiresAt, ...block }: Block) {
  const { id, network, kind, scope, reason, times, live } = block
  return {
    ...{ id, network, kind, scope, reason, times, live },
    created_by: createdBy,
    created_at: createdAt.toISOString(),
    expires_at: expiresAt?.toISOString() ?? null,
  }
}

/** Who is told what happens, by a program of an admin. */
import type { Db } from '../../database/connection.ts'
import { transact } from '../../database/transact.ts'
import { webhookJson } from '../../webhooks/json.ts'
import {
  createWebhook,
  deleteWebhook,
  findWebhook,
  listWebhooks,
  updateWebhook,
  type Webhook,
} from '../../webhooks/webhooks.ts'
import { demandMatch, etagOf } from '../etags.ts'
import type { AdminDeps, AdminHandlers } from './context.ts'
import type { outsideOperations } from './outside-operations.ts'
import { cutPage, listPage } from './pages.ts'
import { notFound } from './refusals.ts'

type Operations = typeof outsideOperations
type Ours = Pick<AdminHandlers<Operations>, Extract<keyof Operations, `webhooks.${string}`>>

const keysOf = ({ createdAt, id }: Webhook) => [createdAt.toISOString(), id]

export function webhooksHandlers({ config, keyring }: Pick<AdminDeps, 'config' | 'keyring'>): Ours {
  return {
    'webhooks.list'(call) {
      return listPage(call, {
        fetch: async (page) => cutPage(await listWebhooks(call.db), page, keysOf),
        keysOf,
        toJson: webhookJson,
      })
    },

    async 'webhooks.create'({ ctx, db, by, body }) {
      const { secret, webhook } = await createWebhook({ db, keyring }, body, by)
      ctx.set('Location', `${config.issuer}/api/admin/webhooks/${webhook.id}`)
      ctx.set('ETag', etagOf(settledPart(webhook)))
      return { ...webhookJson(webhook), secret }
    },

    async 'webhooks.get'({ ctx, db, params: { id = '' } }) {
      const webhook = await getWebhook(db, id)
      ctx.set('ETag', etagOf(settledPart(webhook)))
      return webhookJson(webhook)
    },

    async 'webhooks.update'({ ctx, db, by, params: { id = '' }, body }) {
      const { rotate_secret: rotate, ...change } = body
      const { webhook, secret } = await transact(db, async (trx) => {
        await trx.selectFrom('webhooks').select('id').where('id', '=', id).forUpdate().execute()
        demandMatch(ctx, settledPart(await getWebhook(trx, id)), { required: true })
        const done = await updateWebhook({ db: trx, keyring }, id, { ...change, rotate }, by)
        if (!done) throw notFound('webhook_not_found')
        return done
      })
      ctx.set('ETag', etagOf(settledPart(webhook)))
      return { ...webhookJson(webhook), ...(secret === undefined ? {} : { secret }) }
    },

    async 'webhooks.delete'({ db, by, params: { id = '' } }) {
      if (!(await deleteWebhook(db, id, by))) throw notFound('webhook_not_found')
    },
  }
}

/** Throws `webhook_not_found` (404). */
async function getWebhook(db: Db, id: string): Promise<Webhook> {
  const webhook = await findWebhook(db, id)
  if (!webhook) throw notFound('webhook_not_found')
  return webhook
}

/** What admins change; how much waits changes by itself. */
function settledPart({ id, url, events, note, disabledAt, updatedAt }: Webhook) {
  return { id, url, events, note, disabledAt, updatedAt }
}

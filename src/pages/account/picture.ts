/** Uploading, removing and serving a person's picture. */
import type { Context } from 'koa'
import { drawPicture, findPicture, removePicture, setPicture } from '../../accounts/picture.ts'
import { AppError } from '../../errors.ts'
import type { PagesDeps } from '../context.ts'
import { formOf } from '../flow.ts'
import type { AccountFrame, Signed } from './frame.ts'

export function accountPicturePages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  return { submit, serve }

  async function submit(ctx: Context, { accountId }: Signed): Promise<void> {
    const { origin } = ctx.state
    if (formOf(ctx).action === 'remove') {
      await removePicture(db, accountId, origin)
      return frame.done(ctx, 'picture-removed', 'profile')
    }
    await deps.limits.consume('picture-account', accountId)
    const { upload } = ctx.state
    const bytes = upload?.length ? await drawPicture(upload) : undefined
    if (!bytes) return frame.done(ctx, 'picture-refused', 'profile')
    await setPicture(db, { accountId, issuer: deps.config.issuer, bytes }, origin)
    frame.done(ctx, 'picture-saved', 'profile')
  }

  /** For everybody who knows the address, apps of other hosts included. */
  async function serve(ctx: Context): Promise<void> {
    const { name = '' } = (ctx as unknown as { params: { name?: string } }).params
    const [, id] = /^([\w-]{22})\.webp$/.exec(name) ?? []
    const bytes = id ? await findPicture(db, id) : undefined
    if (!bytes) throw new AppError('not_found', 404)
    ctx.set('Cache-Control', 'public, max-age=31536000, immutable')
    ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
    ctx.set('X-Content-Type-Options', 'nosniff')
    ctx.type = 'image/webp'
    ctx.body = bytes
  }
}

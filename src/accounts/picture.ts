/**
 * A person's picture. Whatever is uploaded is drawn anew as a small square, so nothing of the file itself is kept or
 * served: no EXIF, no place, no second meaning. The database keeps it, so every process can serve it.
 */
import { sql } from 'kysely'
import { type Origin, record } from '../audit/audit.ts'
import { randomToken } from '../crypto.ts'
import type { Db } from '../database/connection.ts'
import { transact } from '../database/transact.ts'

export const mostPictureBytes = 5 * 1024 * 1024
/** A picture of a few kilobytes may claim billions of pixels. */
const mostPixels = 40_000_000
const side = 256
const formats = ['jpeg', 'png', 'webp', 'gif', 'heif']

/** Undefined for what is no picture, or too large to be drawn. Nothing that holds markup (SVG) is one. */
export async function drawPicture(upload: Buffer): Promise<Buffer | undefined> {
  // Loaded for the first picture: most processes never see one.
  const { default: sharp } = await import('sharp')
  try {
    const image = sharp(upload, { limitInputPixels: mostPixels, failOn: 'error', pages: 1 })
    const { format } = await image.metadata()
    if (!formats.includes(format ?? '')) return undefined
    return await image
      .rotate()
      .resize(side, side, { fit: 'cover' })
      .webp({ quality: 82 })
      .toBuffer()
  } catch {
    return undefined
  }
}

/** Replaces the picture that was there; each has an address of its own, which may be cached for ever. */
export function setPicture(
  db: Db,
  { accountId, issuer, bytes }: { accountId: string; issuer: string; bytes: Buffer },
  origin: Origin,
): Promise<void> {
  const id = randomToken(16)
  return transact(db, async (trx) => {
    // The account first: two uploads at once come one after the other.
    await store(trx, accountId, `${issuer}/pictures/${id}.webp`)
    await trx.deleteFrom('pictures').where('accountId', '=', accountId).execute()
    await trx.insertInto('pictures').values({ id, accountId, bytes }).execute()
    await recordChange(trx, accountId, origin)
  })
}

export function removePicture(db: Db, accountId: string, origin: Origin): Promise<void> {
  return transact(db, async (trx) => {
    await store(trx, accountId, null)
    await trx.deleteFrom('pictures').where('accountId', '=', accountId).execute()
    await recordChange(trx, accountId, origin)
  })
}

export async function findPicture(db: Db, id: string): Promise<Buffer | undefined> {
  const row = await db
    .selectFrom('pictures')
    .select('bytes')
    .where('id', '=', id)
    .executeTakeFirst()
  return row?.bytes
}

async function store(trx: Db, accountId: string, pictureUrl: string | null): Promise<void> {
  await trx
    .updateTable('accounts')
    .set({ pictureUrl, updatedAt: sql<Date>`now()` })
    .where('id', '=', accountId)
    .execute()
}

async function recordChange(trx: Db, accountId: string, origin: Origin): Promise<void> {
  await record(trx, {
    type: 'account.profile_changed',
    actor: { kind: 'person', id: accountId },
    accountId,
    origin,
    detail: { fields: ['picture'] },
  })
}

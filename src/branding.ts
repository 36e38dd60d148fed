/** How this house calls itself: as the environment says, unless an admin has said otherwise since. */
import { z } from 'zod'
import type { Actor } from './audit/audit.ts'
import type { Config } from './config.ts'
import type { Db } from './database/connection.ts'
import { changeSetting, readSetting } from './settings/stored-setting.ts'

/** Null: what the environment says (BRAND_NAME, SUPPORT_EMAIL). */
export type Branding = { name: string | null; supportEmail: string | null }

const setting = {
  name: 'branding',
  schema: z.strictObject({
    // It stands in subjects of mails and on every page: nothing in it hides, turns around or looks like markup.
    name: z
      .string()
      .trim()
      .min(1)
      .max(80)
      .regex(/^[^\p{C}\p{Zl}\p{Zp}<>]+$/u)
      .nullable(),
    supportEmail: z.email().max(254).nullable(),
  }),
  otherwise: { name: null, supportEmail: null },
}

export function readBranding(db: Db): Promise<Branding> {
  return readSetting<Branding>(db, setting)
}

/** Returns the whole as it is now. Throws `policy_invalid` (400). */
export function changeBranding(db: Db, change: Partial<Branding>, actor: Actor): Promise<Branding> {
  return changeSetting<Branding>(db, setting, change, actor)
}

type Named = Pick<Config, 'brandName' | 'supportEmail'>

/** Writes what is stored over what the environment said, in place: pages and mails read it anew each time. */
export function followBranding(config: Named): (stored: Branding) => void {
  const { brandName, supportEmail } = config
  return ({ name, supportEmail: address }) => {
    const mailTo = address ?? supportEmail
    config.brandName = name ?? brandName
    if (mailTo === undefined) delete config.supportEmail
    else config.supportEmail = mailTo
  }
}

/** The policy of second factors for everything here, as a stored setting. */
import { z } from 'zod'
import type { Actor } from '../audit/audit.ts'
import { secondFactors, secondFactorTimes } from '../clients/second-factor.ts'
import type { Db } from '../database/connection.ts'
import { changeSetting, readSetting } from '../settings/stored-setting.ts'
import { defaultPolicy, type SignInPolicy } from './sign-in-policy.ts'

const setting = {
  name: 'second-factor',
  schema: z.strictObject({
    when: z.enum(secondFactorTimes),
    factors: z.array(z.enum(secondFactors)),
    rememberDays: z.number().int().min(0).max(365),
  }),
  otherwise: defaultPolicy,
}

export function readSignInPolicy(db: Db): Promise<SignInPolicy> {
  return readSetting<SignInPolicy>(db, setting)
}

/** Returns the whole as it is now. Throws `policy_invalid` (400). */
export function changeSignInPolicy(
  db: Db,
  change: Partial<SignInPolicy>,
  actor: Actor,
): Promise<SignInPolicy> {
  return changeSetting<SignInPolicy>(db, setting, change, actor)
}

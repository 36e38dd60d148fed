/** How long the audit trail is kept, as a stored setting. */
import { z } from 'zod'
import type { Actor } from '../audit/audit.ts'
import type { Db } from '../database/connection.ts'
import { changeSetting, readSetting } from './stored-setting.ts'

/** `days` null: for ever. */
export type AuditRetention = { days: number | null }

const setting = {
  name: 'audit-retention',
  schema: z.strictObject({ days: z.number().int().min(1).max(36_500).nullable() }),
  // Longer than a year, so that whoever looks at the same month of last year finds it.
  otherwise: { days: 400 },
}

export function readAuditRetention(db: Db): Promise<AuditRetention> {
  return readSetting<AuditRetention>(db, setting)
}

/** Throws `policy_invalid` (400). */
export function changeAuditRetention(
  db: Db,
  change: AuditRetention,
  actor: Actor,
): Promise<AuditRetention> {
  return changeSetting<AuditRetention>(db, setting, change, actor)
}

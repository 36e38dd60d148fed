/** What was put off and does not happen: mail that waits, jobs that were given up, sign-outs that no app heard of; and backups. */
import { broken, type Finding, ok, skipped, warning } from './finding.ts'
import type { Patient } from './patient.ts'

export type Queue = {
  /** Due for more than five minutes, or tried three times and more. */
  stuckMails: number
  /** Due for more than five minutes, and nobody works on them. */
  overdue: number
  /** Tried as often as they are. */
  givenUp: number
}

const readQueue = `select
  count(*) filter (where task_identifier like 'mail.%' and attempts < max_attempts and created_at < now() - interval '5 minutes'
    and (run_at < now() - interval '5 minutes' or attempts >= 3))::int as "stuckMails",
  count(*) filter (where attempts < max_attempts and run_at < now() - interval '5 minutes' and locked_at is null)::int as overdue,
  count(*) filter (where attempts >= max_attempts)::int as "givenUp"
  from graphile_worker.jobs`

export async function checkQueue({ database }: Patient): Promise<Finding[]> {
  if (!database) return []
  const { rows } = await database.pool.query<{ there: boolean }>(
    `select to_regclass('graphile_worker.jobs') is not null as there`,
  )
  if (!rows[0]?.there)
    return [skipped('jobs', 'the queue is made at the first start of the server')]
  const { rows: counted } = await database.pool.query<Queue>(readQueue)
  return judgeQueue(counted[0] ?? { stuckMails: 0, overdue: 0, givenUp: 0 })
}

export function judgeQueue({ stuckMails, overdue, givenUp }: Queue): Finding[] {
  const findings: Finding[] = []
  if (overdue > 0) {
    findings.push(
      broken('jobs.overdue', `${overdue} jobs are due for more than five minutes`, {
        expected: 'a server that works them off',
        fix: 'start the server (npm start); if it runs, look for "job worker" in its log',
      }),
    )
  }
  if (stuckMails > 0) {
    findings.push(
      warning('jobs.mail', `${stuckMails} mails wait for longer than a person would`, {
        expected: 'mail that leaves within seconds',
        fix: 'idp mail list says why; idp mail retry --all once the mail server is back',
      }),
    )
  }
  if (givenUp > 0) {
    findings.push(
      warning('jobs.failed', `${givenUp} jobs were given up`, {
        expected: 'none',
        fix: 'idp mail list --failed, idp mail retry --all; others in psql: select task_identifier, last_error from graphile_worker.jobs where attempts >= max_attempts',
      }),
    )
  }
  return findings.length > 0 ? findings : [ok('jobs', 'nothing waits for longer than it should')]
}

/** Known where backups are made by `idp`, which leaves a line in the audit trail. */
export async function checkBackup({ database, config }: Patient): Promise<Finding[]> {
  if (!database) return []
  const { rows } = await database.pool.query<{ days: number | null }>(
    `select extract(epoch from now() - max(at))::float8 / 86400 as days from audit_events
      where type = 'backup.created' and at > now() - interval '90 days'`,
  )
  return [judgeBackup(config.production, rows[0]?.days ?? undefined)]
}

/** `days` since the newest that we know of. */
export function judgeBackup(production: boolean, days: number | undefined): Finding {
  const check = 'backup'
  if (days === undefined)
    return skipped(check, 'none was made by this program; whether another makes them is not known')
  const seen = `the newest is ${Math.floor(days)} days old`
  if (days <= 7 || !production) return ok(check, seen)
  return warning(check, seen, {
    expected: 'at most a week',
    fix: 'idp backup create FILE (deploy/runbook.md, "Back up")',
  })
}

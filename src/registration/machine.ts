/**
 * The way from a form to a verified account, as one table: where a registration can stand, how far along that
 * is, and where it may go next. Pure; rows are moved by move.ts, which asks here first.
 *
 * Read aloud: a registration is initiated; its username is found valid and free; its account is made; where
 * such a step is configured, the system user is made and its mailbox set up; the verification mail is put on its
 * way; the address is verified. Before that end it may fail anywhere, and a retry leads back to the last step
 * that was reached.
 */
import type { RegistrationStatus } from '../database/tables.ts'

/** Passed only where a step for them is configured. */
export type ProvisioningStatus = 'system_user_created' | 'mail_configured'

type Place = {
  /** Percent. A failed registration keeps that of its last step. */
  progress: number
  /** In order of preference: the first whose step is configured is the one that follows. */
  next: readonly RegistrationStatus[]
}

export const machine = {
  initiated: { progress: 10, next: ['username_validated', 'failed'] },
  username_validated: { progress: 25, next: ['user_created', 'failed'] },
  user_created: {
    progress: 45,
    next: ['system_user_created', 'mail_configured', 'verification_sent', 'failed'],
  },
  system_user_created: { progress: 55, next: ['mail_configured', 'verification_sent', 'failed'] },
  mail_configured: { progress: 65, next: ['verification_sent', 'failed'] },
  verification_sent: { progress: 80, next: ['verified', 'failed'] },
  verified: { progress: 100, next: [] },
  // Back to `lastStep` only, whichever of these that is.
  failed: {
    progress: 0,
    next: [
      'initiated',
      'username_validated',
      'user_created',
      'system_user_created',
      'mail_configured',
      'verification_sent',
    ],
  },
} as const satisfies Record<RegistrationStatus, Place>

/** What ends a registration for good: no retry can mend it, only a new beginning. */
const finalErrors: readonly string[] = [
  'username_taken',
  'email_taken',
  'account_disabled',
  'invite_invalid',
]

const isProvisioning = (status: RegistrationStatus): status is ProvisioningStatus =>
  status === 'system_user_created' || status === 'mail_configured'

/** The status that follows, or undefined at an end. `configured`: the provisioning steps there are. */
export function nextStatus(
  status: RegistrationStatus,
  configured: readonly ProvisioningStatus[],
): RegistrationStatus | undefined {
  if (status === 'failed') return undefined
  const { next }: Place = machine[status]
  return next.find((to) => !isProvisioning(to) || configured.includes(to))
}

/** Whether the table lets a registration at `from` go to `to`. `lastStep` matters to a retry alone. */
export function mayMove(
  { from, to }: { from: RegistrationStatus; to: RegistrationStatus },
  {
    lastStep,
    configured,
  }: {
    lastStep: RegistrationStatus
    configured: readonly ProvisioningStatus[]
  },
): boolean {
  const { next }: Place = machine[from]
  if (!next.includes(to)) return false
  if (to === 'failed') return true
  return from === 'failed' ? to === lastStep : to === nextStatus(from, configured)
}

/** Percent of the way. */
export function progressOf({
  status,
  lastStep,
}: {
  status: RegistrationStatus
  lastStep: RegistrationStatus
}): number {
  return machine[status === 'failed' ? lastStep : status].progress
}

export function mayRetry({
  status,
  error,
}: {
  status: RegistrationStatus
  error: string | null
}): boolean {
  return status === 'failed' && !finalErrors.includes(error ?? '')
}

/** True while the registration leads on: steps to take, a code to enter, a retry, or (verified) a sign-in. */
export function canProceed(registration: {
  status: RegistrationStatus
  error: string | null
}): boolean {
  return registration.status !== 'failed' || mayRetry(registration)
}

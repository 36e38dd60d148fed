/**
 * How many mails one address may get because somebody asked for them. Each network has a share of its own, counted
 * first: whoever knows an address can neither flood it nor keep its owner's own mail back (AC-13, DS-10).
 */
import { networkOf } from './client-address.ts'
import type { Limits } from './limits.ts'

/** Counts one mail to `recipient`; false when it is one too many. Without `askedFrom` only the whole counts. */
export function mailAllowance(
  limits: Pick<Limits, 'allows'>,
): (recipient: string, askedFrom?: string) => Promise<boolean> {
  return async (recipient, askedFrom) => {
    const share =
      askedFrom === undefined ||
      (await limits.allows('mail-recipient-network', recipient, networkOf(askedFrom)))
    return share && limits.allows('mail-recipient', recipient)
  }
}

/** Chromium's virtual authenticator: a device of a page that makes and keeps passkeys by itself. */
import type { CDPSession, Page } from 'playwright-core'

export type Device = { protocol: CDPSession; authenticatorId: string }

export async function giveDevice(page: Page, more: { verified?: boolean } = {}): Promise<Device> {
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('WebAuthn.enable', { enableUI: false })
  const { authenticatorId } = await protocol.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: more.verified ?? true,
      automaticPresenceSimulation: true,
    },
  })
  return { protocol, authenticatorId }
}

/** Every passkey on it is gone, as with a phone that was lost. */
export const losePasskeys = ({ protocol, authenticatorId }: Device) =>
  protocol.send('WebAuthn.clearCredentials', { authenticatorId })

/** A device without a browser: asks for a code, shows it, and asks again and again whether somebody has said yes. */
import type { Page, Visitor } from '../../src/demo/visitor.ts'
import type { Person } from './person.ts'
import type { Answer, App, Parameters } from './relying-party.ts'

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code'

export type Shown = {
  deviceCode: string
  userCode: string
  uri: string
  complete: string
  answer: Answer
}

/** `scope` as most apps ask. */
export async function askForCode(app: App, parameters: Parameters = {}): Promise<Shown> {
  const answer = await app.post('device', { scope: 'openid profile offline_access', ...parameters })
  const { body } = answer as { body: Record<string, string> }
  return {
    deviceCode: String(body.device_code),
    userCode: String(body.user_code),
    uri: String(body.verification_uri),
    complete: String(body.verification_uri_complete),
    answer,
  }
}

export function poll(app: App, { deviceCode }: Pick<Shown, 'deviceCode'>, more: Parameters = {}) {
  return app.post('token', { grant_type: deviceGrant, device_code: deviceCode, ...more })
}

/** From the address with the code in it to the page that names who asks. */
export async function typeCode(visitor: Visitor, { complete }: Pick<Shown, 'complete'>) {
  return visitor.press(await visitor.get(complete), 'continue')
}

/** Says yes to everything, signing in where asked. Ends at the last page. */
export async function connect(
  visitor: Visitor,
  shown: Pick<Shown, 'complete'>,
  person: Pick<Person, 'username' | 'password'>,
): Promise<Page> {
  let page = await visitor.press(await typeCode(visitor, shown), 'continue')
  for (let step = 0; step < 3 && page.url.includes('/sign-in/'); step++) {
    page = await visitor.press(
      page,
      'continue',
      page.url.endsWith('/consent')
        ? {}
        : { identifier: person.username, password: person.password },
    )
  }
  return page
}

/** One side of the comparison, as the load sees it: an origin, what it costs, and who is signed in there. */
import type { Browser } from './browser.ts'
import type { Cast, Person } from './cast.ts'
import type { Http } from './http.ts'
import type { Meters } from './measure.ts'

export type Server = {
  origin: string
  http: Http
  cast: Cast
  /** From the authorization request through the sign-in; resolves with where the browser is sent in the end. */
  signIn(browser: Browser, authorizeTarget: string, person: Person): Promise<string>
  meters(): Promise<Meters>
  copyTokens(pairs: [token: string, copy: string][]): Promise<void>
  expireTokens(tokens: string[]): Promise<void>
}

/** A server with people in it. */
export type Target = Server & {
  visitors: Visitor[]
  /** Somebody whose tokens may be ended. */
  spare: Visitor
  tokens: LiveToken[]
  expired: string[]
}

/** A person with a browser in which they are signed in. */
export type Visitor = { person: Person; browser: Browser; refreshToken?: string | undefined }

export type LiveToken = { value: string; sub: string }

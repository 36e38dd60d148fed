/** How a signing key looks to programs. */
import type { KeyView } from './key-times.ts'

/** `until` is the earliest end of its state. */
export function keyJson(key: KeyView) {
  return {
    kid: key.kid,
    alg: key.alg,
    state: key.state,
    since: key.since.toISOString(),
    until: key.until.toISOString(),
    published_at: key.publishedAt.toISOString(),
    activated_at: key.activatedAt?.toISOString() ?? null,
    stopped_at: key.stoppedAt?.toISOString() ?? null,
  }
}

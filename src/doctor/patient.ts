/** What the checks are given to look at, and their ways into the world, which tests replace. */
import { Resolver } from 'node:dns/promises'
import type { EngineCheck } from '../clients/metadata.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/connection.ts'
import { createOutgoing, type OutgoingFetch } from '../outgoing/outgoing.ts'

export type World = {
  /** To our own issuer, and for the time of day. */
  fetch: typeof fetch
  /** To addresses that apps chose: through the guard. */
  outgoing: OutgoingFetch
  /** Rejects with `code` ENOTFOUND (no such name) or ENODATA (nothing of this kind there) as node:dns does. */
  resolveTxt(name: string): Promise<string[][]>
  /** Milliseconds since 1970, as this machine has it. */
  now(): number
  /** PEM; instead of the authorities that Node knows. */
  ca?: string
}

export type Patient = {
  /** What is not usable has its default (config.ts, examineConfig). */
  config: Config
  /** One for each setting that is not usable, beginning with its name. */
  problems: string[]
  /** Undefined where it cannot be reached. */
  database: Database | undefined
  world: World
  engineCheck: EngineCheck
  /** The DKIM selector of the mail server, where the operator has named it. */
  dkimSelector?: string | undefined
}

export function createWorld(config: Pick<Config, 'issuer' | 'allowPrivateTargets'>): World {
  const resolver = new Resolver({ timeout: 2000, tries: 1 })
  return {
    fetch,
    outgoing: createOutgoing(config).fetch,
    resolveTxt: (name) => resolver.resolveTxt(name),
    now: () => Date.now(),
  }
}

/** A setting was given and is not usable, so that nothing built on it can be judged. */
export function isWrong({ problems }: Pick<Patient, 'problems'>, name: string): boolean {
  return problems.some(
    (problem) => problem.startsWith(`${name}:`) || problem.startsWith(`${name}_FILE:`),
  )
}

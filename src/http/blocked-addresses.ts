/**
 * What a block stops: beginning anything from there. Signing in anew, registering, setting a password anew and codes are
 * refused in words; sessions, tokens and browsers that an account knows go on, since many people share one address and
 * none of them is to be locked out (PW-15). Passkeys pass: they are no guess. A block of everything stops everything.
 * The list is in memory and read again when it changes: no statement for any request.
 */
import type { Middleware } from 'koa'
import { type Behaviour, type Block, blockForBehaviour, listBlocks } from '../blocks/blocks.ts'
import { createNetworks, type Networks, parseNetwork } from '../blocks/networks.ts'
import type { Config } from '../config.ts'
import type { Db } from '../database/connection.ts'
import { AppError } from '../errors.ts'
import { trustProxies } from './client-address.ts'
import { createSuspects } from './suspects.ts'

export type BlockedAddresses = {
  /** Stops requests of addresses that are blocked, where the path alone says that something begins. */
  middleware: Middleware
  /** Throws `address_blocked` (429 with the seconds to wait, 403 without an end) for what begins here. */
  refuse(address: string): void
  /** A wrong password of a browser that the account does not know. */
  failed(address: string, name: string): Promise<void>
  succeeded(address: string, name: string): void
  /** A wrong code of an invitation or a device. */
  wrongCode(address: string): Promise<void>
  /** Reads the list anew. */
  reload(): Promise<void>
}

type Entry = Pick<Block, 'kind' | 'scope' | 'expiresAt'>

/** By POST each begins something, or guesses a code. Password and device codes are judged where the person is known. */
const beginnings =
  /^\/(sign-in\/[^/]+\/)?(register|new-here|verify-email|reset-password)$|^\/api\/(registrations|password-resets)(\/|$)/
const usernameCheck = /^\/api\/registrations\/usernames\//

export function createBlockedAddresses(options: {
  db: Db
  config: Pick<Config, 'trustedProxies' | 'limitFactor'>
  /** For the metrics. */
  onRefused(kind: Block['kind']): void
  onBlocked(behaviour: Behaviour): void
}): BlockedAddresses {
  const { db, config, onRefused, onBlocked } = options
  const isProxy = trustProxies(config.trustedProxies)
  const suspects = createSuspects({ factor: config.limitFactor })
  let everything: Networks<Entry> = createNetworks([])
  let entries: Networks<Entry> = createNetworks([])

  // Behind a proxy that hides who asks, all would be stopped for one.
  const isSpared = (address: string) =>
    address === '' || address === '::1' || address.startsWith('127.') || isProxy(address)

  function check(networks: Networks<Entry>, address: string): void {
    const now = Date.now()
    const entry = networks.find(address, (known) => endOf(known) > now)
    if (!entry || isSpared(address)) return
    onRefused(entry.kind)
    throw entry.expiresAt === null
      ? new AppError('address_blocked', 403)
      : new AppError('address_blocked', 429, {
          retryAfterSeconds: Math.ceil((entry.expiresAt.getTime() - now) / 1000),
        })
  }

  function refuse(address: string): void {
    check(entries, address)
  }

  async function reload(): Promise<void> {
    const blocks = await listBlocks(db)
    const of = (scope: Block['scope']) =>
      createNetworks(
        // The longest comes first, and of one network the first counts.
        blocks
          .filter((block) => block.scope === scope)
          .sort((one, other) => endOf(other) - endOf(one))
          .flatMap(
            ({
              network,
              kind,
              expiresAt,
            }): [NonNullable<ReturnType<typeof parseNetwork>>, Entry][] => {
              const parsed = parseNetwork(network)
              return parsed ? [[parsed, { kind, scope, expiresAt }]] : []
            },
          ),
      )
    entries = of('entry')
    everything = of('all')
  }

  async function block(networks: string[], behaviour: Behaviour): Promise<void> {
    for (const network of networks) {
      if (!(await blockForBehaviour(db, network, behaviour))) continue
      onBlocked(behaviour)
      await reload()
    }
  }

  return {
    refuse,
    reload,
    async middleware(ctx, next) {
      const { address } = ctx.state
      check(everything, address)
      const begins = ctx.method === 'POST' ? beginnings : usernameCheck
      if (begins.test(ctx.path)) refuse(address)
      await next()
    },
    async failed(address, name) {
      if (!isSpared(address)) await block(suspects.failed(address, name), 'many_names')
    },
    succeeded(address, name) {
      if (!isSpared(address)) suspects.succeeded(address, name)
    },
    async wrongCode(address) {
      if (!isSpared(address)) await block(suspects.wrongCode(address), 'many_codes')
    },
  }
}

function endOf({ expiresAt }: Pick<Block, 'expiresAt'>): number {
  return expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
}

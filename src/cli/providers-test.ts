/** `idp providers test`: would signing in by this provider work, and if not, where does it stop? */
import type { Command } from 'commander'
import { callbackPath } from '../federation/exchange.ts'
import { type Finding, probeProvider } from '../federation/probe.ts'
import { openSecret } from '../federation/providers.ts'
import { createUpstreams } from '../federation/upstreams.ts'
import { createOutgoing } from '../outgoing/outgoing.ts'
import { printCheck } from './clients-test.ts'
import type { Context } from './context.ts'
import { CliError, exitCodes } from './errors.ts'
import { withExamples } from './help.ts'
import { findProvider, withKeys } from './providers-find.ts'

type Flags = { json?: boolean }

export function addProviderTest(providers: Command, context: Context): void {
  withExamples(
    providers
      .command('test <id>')
      .summary('walk a sign-in there and say what would fail')
      .description(
        'Asks the provider what a sign-in would ask, up to where a person would type, and says how to mend what fails. Ends with 0 when nothing failed.',
      )
      .option('--json', 'print JSON')
      .action((id: string, flags: Flags) => test(context, id, flags)),
    [['providers test google', 'what would fail, and how to mend it']],
  )
}

function test(context: Context, id: string, flags: Flags): Promise<void> {
  return withKeys(context, async ({ db, keyring }, { out, config }) => {
    const { issuer } = config
    const provider = await findProvider(db, id)
    const { fetch } = createOutgoing(config)
    const sealed = secretOf(() => openSecret(keyring, provider), id)
    const checks = [
      sealed,
      ...(sealed.status === 'failed'
        ? []
        : await probeProvider({
            upstreams: createUpstreams({ fetch, keyring }),
            provider,
            issuer,
          })),
    ]
    const failed = checks.filter(({ status }) => status === 'failed')
    const redirectUri = issuer + callbackPath(id)
    if (flags.json) {
      out.json({ provider: id, redirect_uri: redirectUri, ok: failed.length === 0, checks })
    } else for (const check of checks) printCheck(context, check)
    out.say(`The redirect URI to register there: ${redirectUri}`)
    if (failed.length > 0) {
      throw new CliError(exitCodes.failed, `${failed.length} of ${checks.length} checks failed.`)
    }
    if (!provider.enabled) out.say(`It is switched off: idp providers update ${id} --enabled`)
  })
}

function secretOf(open: () => unknown, id: string): Finding {
  const check = 'our secret'
  try {
    open()
    return { check, status: 'ok', detail: 'opens' }
  } catch {
    return {
      check,
      status: 'failed',
      detail: 'no SECRET_KEY here opens it',
      fix: `Give the SECRET_KEY of the server, or the secret anew: idp providers update ${id} --help`,
    }
  }
}

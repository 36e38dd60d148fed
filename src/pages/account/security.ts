/** What guards the account, and the ways to change each: one row for every thing that somebody can have. */
import type { Context } from 'koa'
import { findAccount } from '../../accounts/accounts.ts'
import { listAuthenticators } from '../../credentials/authenticators.ts'
import { listPasskeys } from '../../credentials/passkeys.ts'
import { listIdentities } from '../../federation/identities.ts'
import { accountPages } from '../../oidc/account-client.ts'
import type { PageData } from '../../views/page-data.ts'
import type { PagesDeps } from '../context.ts'
import type { AccountFrame, Signed } from './frame.ts'

type Item = PageData['account-security']['items'][number]

export function accountSecurityPages(deps: PagesDeps, frame: AccountFrame) {
  const { db } = deps.database
  return { show }

  async function show(ctx: Context, { accountId, account }: Signed): Promise<void> {
    const person = await findAccount(db, accountId)
    const items: Item[] = [
      {
        kind: 'password',
        href: accountPages.password,
        date: person?.passwordHash ? (person.passwordChangedAt ?? person.createdAt) : undefined,
      },
      { kind: 'address', href: accountPages.address, value: String(account.email) },
    ]
    const newest = (await listPasskeys(db, accountId)).at(-1)
    items.push({ kind: 'passkeys', href: accountPages.passkeys, date: newest?.createdAt })
    const linked = (await listIdentities(db, accountId)).at(-1)
    if (linked || (await deps.providers.enabled()).length > 0) {
      items.push({ kind: 'providers', href: accountPages.providers, date: linked?.createdAt })
    }
    const app = (await listAuthenticators(db, accountId)).at(-1)
    items.push({ kind: 'authenticators', href: accountPages.authenticators, date: app?.createdAt })
    frame.drawPage(ctx, 'account-security', { action: '/account/security', items })
  }
}

/** Good calls: accounts. */
import type { accountsOperations } from '../../../src/api/admin/accounts-operations.ts'
import type { Cases } from './cases.ts'

export const accountCases: Cases<keyof typeof accountsOperations> = {
  'accounts.list': async ({ somebody }) => {
    const { username, email } = await somebody()
    return { path: `/accounts?username=${username}`, secrets: [username, email] }
  },
  'accounts.create': async ({ fresh }) => {
    const username = fresh('p')
    const email = `${username}@example.org`
    return { path: '/accounts', body: { username, email, email_verified: true, send_mail: true } }
  },
  'accounts.get': async ({ somebody }) => {
    const { id, username, email } = await somebody()
    return { path: `/accounts/${id}`, secrets: [username, email] }
  },
  'accounts.update': async ({ somebody, match }) => {
    const { id, username, email } = await somebody()
    const path = `/accounts/${id}`
    const body = { name: 'Ada Lovelace', address: { country: 'UK' }, status: 'disabled' }
    return { path, body, headers: await match(path), secrets: [username, email] }
  },
}

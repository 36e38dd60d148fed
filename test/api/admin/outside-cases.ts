/** Good calls: those who sign people in for us, and those who are told what happens. */
import type { outsideOperations } from '../../../src/api/admin/outside-operations.ts'
import type { Case, Cases } from './cases.ts'
import type { World } from './world.ts'

const client = (secret: string) => ({ client_id: 'us', client_secret: secret })

async function provider(world: World, more: Partial<Case> = {}) {
  const [id, secret] = [world.fresh('p'), world.fresh('secret')]
  const issuer = `https://${id}.example.com`
  const body = { id, preset: 'oidc', name: id, issuer, ...client(secret) }
  await world.asAdmin('post', '/providers', { body })
  const path = `/providers/${id}`
  return { path, secrets: [issuer, secret], headers: await world.match(path), ...more }
}

async function webhook(world: World, more: Partial<Case> = {}) {
  const url = `https://${world.fresh('hook')}.example.com/`
  const body = { url, events: ['account.*'] }
  const { body: made } = await world.asAdmin('post', '/webhooks', { body })
  const path = `/webhooks/${made.id}`
  return { path, secrets: [url, made.secret], headers: await world.match(path), ...more }
}

export const outsideCases: Cases<keyof typeof outsideOperations> = {
  'providers.list': async (world) => ({
    path: '/providers',
    secrets: (await provider(world)).secrets,
  }),
  'providers.create': async ({ fresh }) => ({
    path: '/providers',
    body: { id: fresh('google'), preset: 'google', ...client('s3cret'), enabled: false },
  }),
  'providers.get': (world) => provider(world),
  'providers.update': (world) =>
    provider(world, { body: { name: 'Work', role_map: ['groups:staff=user2'], enabled: false } }),
  'providers.delete': (world) => provider(world),
  'webhooks.list': async (world) => ({
    path: '/webhooks',
    secrets: (await webhook(world)).secrets,
  }),
  'webhooks.create': async ({ fresh }) => ({
    path: '/webhooks',
    body: { url: `https://${fresh('hook')}.example.com/`, events: ['*'], note: 'CRM' },
  }),
  'webhooks.get': (world) => webhook(world),
  'webhooks.update': (world) => webhook(world, { body: { disabled: true, rotate_secret: true } }),
  'webhooks.delete': (world) => webhook(world),
}

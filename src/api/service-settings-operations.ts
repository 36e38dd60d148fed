/** What an app keeps about its people (accounts/service-settings.ts), written with its own token. */
import { z } from 'zod'
import { named, type Operations } from './operations.ts'

const tag = 'service settings'
const scope = 'service-settings'
const path = '/api/service-settings/{sub}'
const params = {
  sub: z.string().max(128).meta({
    description: 'As the app knows the person: its pairwise subject, where it has those.',
  }),
}
const settings = named(
  'ServiceSettings',
  z
    .record(z.string(), z.unknown())
    .meta({ description: 'Any JSON object of at most 4096 bytes; the app reads it as a claim.' }),
)

export const serviceSettingsOperations = {
  readServiceSettings: {
    method: 'get',
    path,
    tag,
    summary: 'What this app keeps about somebody; an empty object where it keeps nothing',
    scope,
    params,
    answer: [200, 'The settings, with their ETag.', settings],
    refused: [404],
  },
  writeServiceSettings: {
    method: 'put',
    path,
    tag,
    summary: 'Replace them as a whole',
    scope,
    params,
    ifMatch: 'optional',
    body: settings,
    answer: [200, 'As they are now, with their ETag.', settings],
    refused: [404],
  },
  removeServiceSettings: {
    method: 'delete',
    path,
    tag,
    summary: 'Keep nothing about somebody',
    scope,
    params,
    ifMatch: 'optional',
    answer: [204, 'They are gone.'],
    refused: [404],
  },
} as const satisfies Operations

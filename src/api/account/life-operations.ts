/** Where one is signed in, what apps hold, what has happened, and how one leaves: for programs. */
import { z } from 'zod'
import { named, type Operations } from '../operations.ts'

const tag = 'account'
const own = { tag, scope: 'account', person: true } as const
const when = z.iso.datetime()
const listed = z.string().max(600).meta({ description: 'As the list gives it.' })

const device = z.object({ browser: z.string().nullable(), system: z.string().nullable() }).shape

export const lifeOperations = {
  listSessions: {
    ...own,
    method: 'get',
    path: '/api/account/sessions',
    summary: 'The browsers in which I am signed in, the last seen first',
    answer: [
      200,
      'At most a hundred.',
      z.object({
        sessions: z.array(
          z.object({
            id: z.string(),
            current: z.boolean().meta({ description: 'The one that this token comes from.' }),
            ...device,
            network: z.string().nullable(),
            near: z.boolean().meta({ description: 'In the network of whoever asks.' }),
            signedInAt: when,
            seenAt: when,
            apps: z.array(z.string()),
          }),
        ),
      }),
    ],
  },
  endSession: {
    ...own,
    method: 'delete',
    path: '/api/account/sessions/{id}',
    params: { id: listed },
    summary: 'End one, with what it gave to apps',
    answer: [204, 'Ended. Its apps are told.'],
    refused: [404],
  },
  endOtherSessions: {
    ...own,
    method: 'delete',
    path: '/api/account/sessions',
    summary: 'End all but the one that this token comes from, and forget all remembered browsers',
    answer: [200, 'How many ended.', z.object({ ended: z.int() })],
  },
  listRememberedBrowsers: {
    ...own,
    method: 'get',
    path: '/api/account/remembered-browsers',
    summary: 'The browsers that stand for a second step, the newest first',
    answer: [
      200,
      'All of them.',
      z.object({
        browsers: z.array(
          z.object({
            id: z.string(),
            ...device,
            createdAt: when,
            lastUsedAt: when,
            expiresAt: when,
          }),
        ),
      }),
    ],
  },
  forgetBrowser: {
    ...own,
    method: 'delete',
    path: '/api/account/remembered-browsers/{id}',
    params: { id: listed },
    summary: 'Forget one: it is asked for the second step again',
    answer: [204, 'Forgotten.'],
    refused: [404],
  },
  listApps: {
    ...own,
    method: 'get',
    path: '/api/account/apps',
    summary: 'The apps that hold something of mine, by name',
    answer: [
      200,
      'What each may see, since when, and when it was last given a token.',
      z.object({
        apps: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            since: when,
            lastUsed: when,
            scopes: z.array(z.string()),
            apis: z.array(z.string()),
          }),
        ),
      }),
    ],
  },
  disconnectApp: {
    ...own,
    method: 'delete',
    path: '/api/account/apps/{id}',
    params: { id: listed },
    summary: 'Take back what an app was allowed; its tokens end',
    answer: [204, 'It holds nothing any more, and is told.'],
    refused: [404],
  },
  listActivity: {
    ...own,
    method: 'get',
    path: '/api/account/activity',
    summary: 'What has happened to my account, the newest first, 25 at a time',
    query: z.strictObject({
      before: z.uuid().optional().meta({ description: '`next` of the page before.' }),
    }),
    answer: [
      200,
      'A page.',
      z.object({
        events: z.array(
          z.object({
            id: z.uuid(),
            at: when,
            kind: z.string().meta({ description: 'A stable word.' }),
            text: z.string().meta({ description: "In the caller's language." }),
            app: z.string().nullable(),
            address: z.string().nullable(),
            device: z.string(),
          }),
        ),
        next: z.uuid().nullable(),
      }),
    ],
  },
  downloadAccount: {
    ...own,
    method: 'get',
    path: '/api/account/download',
    summary: 'Everything that is held about me, without secrets',
    sensitive: true,
    answer: [
      200,
      'One document, members as the tables have them.',
      z.record(z.string(), z.unknown()),
    ],
  },
  askDeletion: {
    ...own,
    method: 'post',
    path: '/api/account/deletion',
    summary: 'Delete my account after days of grace; every session and token ends now',
    sensitive: true,
    body: named(
      'DeletionRequest',
      z.strictObject({
        username: z.string().max(100).meta({ description: 'My own: nobody leaves by accident.' }),
      }),
    ),
    answer: [202, 'Signing in before then takes it back.', z.object({ days: z.int() })],
    refused: [409],
  },
  cancelDeletion: {
    ...own,
    method: 'delete',
    path: '/api/account/deletion',
    summary: 'Stay after all; a sign-in does the same',
    answer: [204, 'Nothing is due any more.'],
    refused: [404],
  },
} as const satisfies Operations

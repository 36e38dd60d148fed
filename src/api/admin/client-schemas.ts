/** A client as admins see it, make it and change it. A secret is in the answer to its making and nowhere else. */
import { z } from 'zod'
import { clientMembers } from '../../clients/client-members.ts'
import { named } from '../operations.ts'

const text = z.string()

const entry = z.array(z.string().max(200)).max(200).nullable().optional()

const answered = {
  ...clientMembers,
  client_id: text,
  client_name: text,
  client_id_issued_at: z.int(),
  application_type: z.enum(['web', 'native']),
  redirect_uris: z.array(text),
  post_logout_redirect_uris: z.array(text),
  response_types: z.array(text),
  grant_types: z.array(text),
  token_endpoint_auth_method: text,
  backchannel_logout_session_required: z.boolean().optional(),
  frontchannel_logout_session_required: z.boolean().optional(),
  logo_uri: text.optional(),
  policy_uri: text.optional(),
  tos_uri: text.optional(),
  preset: text,
  registered_by: text.optional().meta({ description: '`itself`, where it came by itself.' }),
  registration_token: text.optional(),
  pkce: z.enum(['required', 'optional']),
  first_party: z.boolean(),
  disabled: z.boolean(),
  apis: z.array(text),
  allowed_roles: z.array(text).optional().meta({ description: 'Whom alone it lets in.' }),
  allowed_groups: z.array(text).optional(),
  roles: z.array(text).meta({ description: 'What it may where it acts for itself.' }),
}

export const clientAnswer = named('AdminClient', z.object(answered))

export const clientWithSecret = named(
  'AdminClientWithSecret',
  z.object({
    ...answered,
    client_secret: text
      .optional()
      .meta({ description: 'Told this once, where there is a new one.' }),
    client_secret_expires_at: z.int().optional(),
  }),
)

export const newClient = named(
  'NewAdminClient',
  z.strictObject({
    ...clientMembers,
    client_name: z.string().max(200),
    preset: z.string().max(100).meta({ description: 'As `idp clients presets` lists them.' }),
    client_id: z.string().max(128).optional(),
  }),
)

export const clientChange = named(
  'AdminClientChange',
  z.strictObject({
    ...clientMembers,
    disabled: z.boolean().optional(),
    allowed_roles: entry.meta({ description: 'Whom alone it lets in; null for everybody.' }),
    allowed_groups: entry,
  }),
)

export const rotation = z.strictObject({
  overlap: z
    .int()
    .min(0)
    .max(90 * 86_400)
    .optional()
    .meta({
      description: 'Seconds for which the old secret goes on working; none when not given.',
    }),
})

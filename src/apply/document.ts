/**
 * What a file of `idp apply` may say. Each section is a list of things under the names that the rest of the world gives
 * them: RFC 7591 for apps, the words of `idp` for what is ours. What is left out has its default.
 */
import { z } from 'zod'
import { tokenAlgs, tokenFormats } from '../clients/apis.ts'
import { clientMembers } from '../clients/client-members.ts'
import { presets } from '../clients/presets.ts'
import { presetNames } from '../federation/presets.ts'
import { durationPattern } from './durations.ts'

const text = z.string().min(1).max(4000)
const texts = z.array(text).max(200)
const duration = z
  .union([z.int().min(1).max(315_360_000), z.string().regex(durationPattern)])
  .describe('Seconds, or a number with s, m, h or d.')
const reference = z
  .string()
  .regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/)
  .describe('Where the secret is: env:NAME or file:PATH. It never stands in this file.')
const object = z.record(z.string(), z.unknown())

export const apiEntry = z.strictObject({
  identifier: text.describe('An absolute URI; the audience of its tokens.'),
  name: text.optional(),
  scopes: texts.optional(),
  token_lifetime: duration.optional(),
  token_format: z.enum(tokenFormats).optional(),
  token_alg: z.enum(tokenAlgs).optional(),
  authorization_types: z
    .record(text, object)
    .optional()
    .describe('What may be asked for in detail (RFC 9396): name to JSON Schema.'),
})

/** By the names of the admin API and of `--json`; times may have a unit here. */
const { client_name: _name, client_uri: _uri, ...members } = clientMembers

export const clientEntry = z.strictObject({
  name: text.describe('What people know the app by.'),
  client_id: text.optional().describe('Made from the name when left out.'),
  preset: z.enum(presets.map(({ name }) => name)).optional(),
  app_url: text.optional().describe('Where the app is; the preset derives its addresses from it.'),
  secret: reference.optional(),
  ...members,
  access_token_lifetime: duration.optional(),
  refresh_idle: duration.optional(),
  refresh_total: duration.optional(),
  userinfo_max_age: duration.optional(),
  disabled: z.boolean().optional(),
  roles: texts.optional().describe('Roles that the app itself holds.'),
  allowed_roles: texts.optional().describe('Only who holds one of these comes in.'),
  allowed_groups: texts.optional().describe('Only who is in one of these comes in.'),
})

export const roleEntry = z.strictObject({
  name: text,
  client: text.optional().describe('The client id of the app whose own role this is.'),
  description: z.string().max(1000).optional(),
  permissions: texts.optional(),
})

export const groupEntry = z.strictObject({
  name: text,
  description: z.string().max(1000).optional(),
  roles: texts.optional(),
})

export const providerEntry = z.strictObject({
  id: text.describe('In its addresses: letters, digits and hyphens.'),
  preset: z.enum(presetNames),
  name: text.optional().describe('What the button says after “Continue with”.'),
  issuer: text.optional(),
  client_id: text,
  secret: reference.optional().describe('The client secret, or the private key at Apple.'),
  apple_team_id: text.optional(),
  apple_key_id: text.optional(),
  scope: z.string().max(1000).optional(),
  trust_email: z.boolean().optional(),
  tenants: texts.optional(),
  role_map: z
    .array(z.strictObject({ claim: text, value: text, role: text }))
    .max(200)
    .optional(),
  allow_admin_role: z.boolean().optional().describe('A role map may make admins.'),
  enabled: z.boolean().optional(),
})

export const brandingEntry = z
  .strictObject({
    name: z.string().min(1).max(80).optional(),
    support_email: z.email().optional(),
  })
  .refine((entry) => Object.keys(entry).length > 0, 'says nothing: give a name or support_email')

/** In the order in which they are written. */
export const fileSchema = z.strictObject({
  version: z.literal(1),
  apis: z.array(apiEntry).optional(),
  clients: z.array(clientEntry).optional(),
  roles: z.array(roleEntry).optional(),
  groups: z.array(groupEntry).optional(),
  providers: z.array(providerEntry).optional(),
  branding: brandingEntry.optional(),
})

export type ApiEntry = z.infer<typeof apiEntry>
export type ClientEntry = z.infer<typeof clientEntry>
export type RoleEntry = z.infer<typeof roleEntry>
export type GroupEntry = z.infer<typeof groupEntry>
export type ProviderEntry = z.infer<typeof providerEntry>
export type BrandingEntry = z.infer<typeof brandingEntry>
export type AppliedFile = z.infer<typeof fileSchema>

/** For editors (JSON Schema 2020-12); `deploy/apply.schema.json` is this. */
export function fileJsonSchema(): object {
  return {
    ...z.toJSONSchema(fileSchema, { io: 'input' }),
    title: 'What idp apply makes so',
  }
}

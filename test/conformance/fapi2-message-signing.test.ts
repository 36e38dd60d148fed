/**
 * fapi2-message-signing-final-test-plan, its modules by name: the requests of the Security Profile signed (JAR), the answers
 * too (JARM), private_key_jwt with DPoP.
 */
import { describe, expect, test } from 'vitest'
import { testClients } from './fapi/clients.ts'
import { testFlow } from './fapi/flow.ts'
import { testObjects } from './fapi/objects.ts'
import { startOp } from './fapi/op.ts'
import { testRequests } from './fapi/requests.ts'

const op = await startOp('fapi2-message-signing')
const { metadata } = op.provider

test.each([
  ['request_object_signing_alg_values_supported', ['PS256', 'ES256', 'EdDSA']],
  ['authorization_signing_alg_values_supported', ['ES256', 'EdDSA']],
  ['introspection_signing_alg_values_supported', ['ES256', 'EdDSA']],
  ['response_modes_supported', ['jwt', 'query.jwt']],
])('fapi2-security-profile-final-discovery-end-point-verification: %s', (name, values) => {
  expect(metadata[name]).toEqual(expect.arrayContaining(values))
  expect(metadata.request_object_signing_alg_values_supported).not.toContain('none')
})

describe('well-behaved apps', () => testFlow(op))
describe('signed requests', () => testObjects(op))
describe('requests that are refused', () => testRequests(op))
describe('who asks', () => testClients(op))

/**
 * oidcc-formpost-basic-certification-test-plan: the modules of the Basic plan, answered by a form that is posted to the app
 * (OAuth 2.0 Form Post Response Mode), whether scripts run or not.
 */
import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { testAnswers } from './basic/answers.ts'
import { testAsking } from './basic/asking.ts'
import { testCodes } from './basic/codes.ts'
import { startOp } from './basic/op.ts'

const op = await startOp('form_post')

test('the policy of the page lets its form submit itself, and lead to the app', async () => {
  const { visitor } = await op.grant()
  const page = await visitor.get(op.begin().url)
  const policy = page.headers.get('content-security-policy') ?? ''
  const script = /<script>([\s\S]*?)<\/script>/.exec(page.body)?.[1] ?? ''
  const hash = createHash('sha256').update(script).digest('base64')
  expect(policy).toContain(`'sha256-${hash}'`)
  expect(policy).not.toContain('form-action')
  expect(page.headers.get('cache-control')).toContain('no-store')
})

describe('what an app is answered', () => testAnswers(op))
describe('how it asks', () => testAsking(op))
describe('codes and requests', () => testCodes(op))

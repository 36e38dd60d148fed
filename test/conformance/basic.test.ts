/** oidcc-basic-certification-test-plan, each of its modules by name: OpenID Connect Core as most apps use it. */
import { describe } from 'vitest'
import { testAnswers } from './basic/answers.ts'
import { testAsking } from './basic/asking.ts'
import { testCodes } from './basic/codes.ts'
import { startOp } from './basic/op.ts'

const op = await startOp('query')

describe('what an app is answered', () => testAnswers(op))
describe('how it asks', () => testAsking(op))
describe('codes and requests', () => testCodes(op))

/** One good call of each operation, on something made for it. What a case is missing for does not compile. */
import type { adminOperations } from '../../../src/api/admin/operations.ts'
import { accountCases } from './account-cases.ts'
import { clientCases } from './client-cases.ts'
import { houseCases } from './house-cases.ts'
import { outsideCases } from './outside-cases.ts'
import { roleCases } from './role-cases.ts'
import type { Asked, World } from './world.ts'

/** `secrets`: what nobody may learn from a refusal. */
export type Case = Omit<Asked, 'token'> & { path: string; secrets?: string[] }

export type Cases<Id extends string> = Record<Id, (world: World) => Promise<Case>>

export const cases: Cases<keyof typeof adminOperations> = {
  ...accountCases,
  ...clientCases,
  ...roleCases,
  ...houseCases,
  ...outsideCases,
}

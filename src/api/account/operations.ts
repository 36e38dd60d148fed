/** Everything that people may do with their own account by a program: one table of the tables of each matter. */
import type { Operations } from '../operations.ts'
import { factorOperations } from './factor-operations.ts'
import { lifeOperations } from './life-operations.ts'
import { profileOperations } from './profile-operations.ts'
import { providerOperations } from './provider-operations.ts'
import { securityOperations } from './security-operations.ts'

export const accountOperations = {
  ...profileOperations,
  ...securityOperations,
  ...factorOperations,
  ...providerOperations,
  ...lifeOperations,
} as const satisfies Operations

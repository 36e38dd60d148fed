/** Everything that people may do with their own account by a program: one table of the tables of each matter. */
import type { Operations } from '../operations.ts'
import { profileOperations } from './profile-operations.ts'

export const accountOperations = {
  ...profileOperations,
} as const satisfies Operations

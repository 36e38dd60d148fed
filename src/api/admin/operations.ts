/** Everything that admins may do by a program: one table of the tables of each noun. */
import type { Operations } from '../operations.ts'
import { accountsOperations } from './accounts-operations.ts'

export const adminOperations = {
  ...accountsOperations,
} as const satisfies Operations

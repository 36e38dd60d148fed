/** Everything that admins may do by a program: one table of the tables of each noun. */
import type { Operations } from '../operations.ts'
import { accountActsOperations } from './account-acts-operations.ts'
import { accountsOperations } from './accounts-operations.ts'
import { apisOperations } from './apis-operations.ts'
import { clientsOperations } from './clients-operations.ts'
import { entryOperations } from './entry-operations.ts'
import { groupsOperations } from './groups-operations.ts'
import { houseOperations } from './house-operations.ts'
import { outsideOperations } from './outside-operations.ts'
import { rolesOperations } from './roles-operations.ts'
import { watchOperations } from './watch-operations.ts'

export const adminOperations = {
  ...accountsOperations,
  ...accountActsOperations,
  ...clientsOperations,
  ...apisOperations,
  ...rolesOperations,
  ...groupsOperations,
  ...entryOperations,
  ...watchOperations,
  ...houseOperations,
  ...outsideOperations,
} as const satisfies Operations

/** Every table of operations; a new door is a line here, and the document tells of it. */
import { accountOperations } from './account/operations.ts'
import { adminOperations } from './admin/operations.ts'
import type { Operations } from './operations.ts'
import { passwordResetOperations } from './password-reset-operations.ts'
import { registrationOperations } from './registration-operations.ts'
import { serviceSettingsOperations } from './service-settings-operations.ts'

export const allOperations = {
  ...registrationOperations,
  ...passwordResetOperations,
  ...accountOperations,
  ...serviceSettingsOperations,
  ...adminOperations,
} as const satisfies Operations

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Guard, Needs } from './guard.mjs'

export function demand(
  guard: Guard,
  needs?: Needs,
): (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => Promise<void>

import type { Middleware } from 'koa'
import type { Guard, Needs } from './guard.mjs'

export function demand(guard: Guard, needs?: Needs): Middleware

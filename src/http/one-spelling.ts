/**
 * For every router of ours: an address has one spelling. What is decided by the path elsewhere, such as what a blocked
 * address may begin (blocked-addresses.ts), would not hold for capitals and a slash at the end.
 */
export const oneSpelling = { sensitive: true, strict: true } as const

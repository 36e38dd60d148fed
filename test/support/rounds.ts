/** How often races run and samples are drawn: few by default, the counts of security.md in `npm run test:long`. */
export const rounds = Number(process.env.TEST_ROUNDS ?? 5)

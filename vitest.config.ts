import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/benchmark/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Tests hash passwords and start servers; more at once would only slow each other down.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})

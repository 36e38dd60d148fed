import { defineConfig } from 'vitest/config'

const { TEST_REPORT: report } = process.env

export default defineConfig({
  test: {
    exclude: ['test/benchmark/**'],
    globalSetup: ['test/support/global-setup.ts'],
    // Tests hash passwords and start servers; more at once would only slow each other down.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // For .ci/run, which counts.
    ...(report ? { reporters: ['default', 'json'], outputFile: { json: report } } : {}),
    projects: [
      {
        extends: true,
        test: {
          name: 'house',
          include: ['test/**/*.test.ts'],
          exclude: ['test/benchmark/**', 'test/browser/**', 'test/conformance/**'],
        },
      },
      {
        extends: true,
        // Each file starts a provider by `npm start` and registers its apps by `npx idp`.
        test: { name: 'conformance', include: ['test/conformance/**/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          // A browser is looked for, and unpacked where none is installed, only when one of these runs.
          globalSetup: ['test/support/browser-setup.ts'],
        },
      },
    ],
  },
})

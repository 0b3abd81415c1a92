import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['tests/**/*.test.ts'],
    // Of the fault campaign only this one has nothing short about it.
    exclude: ['**/node_modules/**', ...(process.env['RACELINE_FAULTS'] === undefined ? ['tests/integration/faults/back-pressure.test.ts'] : [])],
    // chDB does not survive worker threads.
    pool: 'forks',
    maxWorkers: 2,
    // Starts nothing until a test file asks for a broker or a registry.
    globalSetup: ['tests/support/engines/global-setup.ts'],
    // Generous: a slow machine is no finding.
    testTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    hookTimeout: 120_000,
  },
});

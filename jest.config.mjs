import { availableParallelism } from 'node:os';

// Two projects: pure specs start no database; the others share one PostgreSQL cluster, a database per file.
const base = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  moduleNameMapper: { '^(\\.{1,2}/.*(?<!\\.json))\\.js$': '$1' },
};

export default {
  testTimeout: 60_000,
  // The whole specs wait for clocks and processes more than they compute.
  maxWorkers: availableParallelism() + 1,
  projects: [
    { ...base, displayName: 'pure', roots: ['<rootDir>/src'], testRegex: '(?<!\\.db)\\.spec\\.ts$' },
    {
      ...base,
      displayName: 'whole',
      roots: ['<rootDir>/src', '<rootDir>/test'],
      testRegex: '(src/.*\\.db\\.spec\\.ts|test/.*\\.spec\\.ts)$',
      globalSetup: '<rootDir>/test/support/cluster-up.mjs',
      globalTeardown: '<rootDir>/test/support/cluster-down.mjs',
    },
  ],
};

// Mutation tests run pure specs of the decision core alone: no database, and no property runs of minutes. Which ones,
// `scripts/mutation.ts` says for each file: all of them for each of thousands of mutants would take a night.
import base from './jest.config.mjs';

const pure = base.projects.find((project) => project.displayName === 'pure');
if (!pure) throw new Error('jest.config.mjs has no project "pure"');

const { displayName: _, testRegex: __, ...project } = pure;
const specs = process.env['MUTATION_SPECS'] ?? '[a-z-]+';

export default {
  ...project,
  testTimeout: base.testTimeout,
  roots: ['<rootDir>/src/recovery'],
  testRegex: `src/recovery/(${specs})\\.spec\\.ts$`,
  moduleNameMapper: { ...project.moduleNameMapper, '^fast-check$': '<rootDir>/jest.stryker.fast-check.mjs' },
  // Seconds a run, whatever was changed: what it finds, a spec beside the file should find as well.
  testPathIgnorePatterns: ['histories\\.spec\\.ts$'],
};

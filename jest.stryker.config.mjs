// Mutation tests run the pure specs of the decision core alone: no database, and no property runs of minutes.
import base from './jest.config.mjs';

const pure = base.projects.find((project) => project.displayName === 'pure');
if (!pure) throw new Error('jest.config.mjs has no project "pure"');

const { displayName: _, ...project } = pure;

export default {
  ...project,
  testTimeout: base.testTimeout,
  roots: ['<rootDir>/src/recovery'],
  // The page is compared with the data, and every explanation with its decision: both would be run for every mutant.
  testPathIgnorePatterns: ['histories\\.spec\\.ts$'],
};

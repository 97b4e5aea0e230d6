import fc from 'fast-check';

// The same histories on every run, so that a build is refused for what was changed and for nothing else. New ones are
// sought with PROPERTY_SEED=random, and PROPERTY_RUNS for more of them than the specs ask by themselves.
const { PROPERTY_SEED: seed = '20261101', PROPERTY_RUNS: runs } = process.env;

fc.configureGlobal({
  ...(seed === 'random' ? {} : { seed: Number(seed) }),
  ...(runs === undefined ? {} : { numRuns: Number(runs) }),
});

export { fc };

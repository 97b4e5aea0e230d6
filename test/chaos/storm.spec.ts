import { expect, it } from '@jest/globals';

import { Storm } from './storm.js';

/** `npm run storm` does it with 1,000 keys and 100 calls each. */
it('200 keys, 50 calls at once under each, two processes that are killed: 200 recoveries, 200 charges, one answer a key', async () => {
  const options = { seed: 7, keys: 200, parallel: 50, kills: 3, tell: () => undefined };
  const { calls, kills, ...report } = await Storm.run(options);
  expect(report).toEqual({ recoveries: 200, collected: 200, doubled: 0, contradictions: [], offenders: [] });
  expect(calls).toBeGreaterThanOrEqual(10_000);
  expect(kills).toBe(3);
}, 360_000);

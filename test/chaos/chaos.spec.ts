import { expect, it } from '@jest/globals';

import { brokenPromises, Chaos } from './chaos.js';

/** `npm run chaos -- --minutes 30` does the same for longer. */
const DURATION_MS = 90_000;

it('90 s in which everything dies again and again: nothing lost, nothing collected twice, each end told once', async () => {
  const report = await Chaos.run({ seed: 7, durationMs: DURATION_MS, tell: () => undefined });
  expect(brokenPromises(report)).toEqual([]);
  expect(report.drainMs).toBeLessThan(120_000);
  // It was no quiet day.
  expect(report.kills).toBeGreaterThanOrEqual(2);
  expect(report.databaseCrashes).toBeGreaterThanOrEqual(3);
  expect(report.repliesLost).toBeGreaterThan(10);
  expect(report.collected).toBeGreaterThan(20);
}, 360_000);

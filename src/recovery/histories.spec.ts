import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { history, ZONES } from '../../scripts/prop/histories.js';
import { nothingSeen, playHistory } from '../../scripts/prop/play.js';
import { checkChanges } from '../../scripts/prop/zones.js';

// `npm run prop` plays a million, and every day of ten years. While one works on the core, fewer find most mistakes.
const HISTORIES = Number(process.env['REVTAIN_HISTORIES'] ?? 200_000);

describe('whatever happens to a debt', () => {
  it('no limit is exceeded, no instant is wrong, and a failure more is never earlier', () => {
    const seen = nothingSeen();
    fc.assert(
      fc.property(history, (one) => playHistory(one, seen)),
      { numRuns: HISTORIES },
    );
    // Runs that came across nothing would hold as well.
    expect(seen.histories).toBeGreaterThanOrEqual(HISTORIES);
    expect(seen.retries).toBeGreaterThan(HISTORIES / 2);
    expect(seen.charges).toBeGreaterThan(HISTORIES);
    expect(seen.held).toBeGreaterThan(HISTORIES / 200);
    expect([...seen.ends.keys()]).toEqual(expect.arrayContaining(['exhausted', 'hard_decline', 'blocked', 'deadline']));
  });

  it('every zone’s clocks are read right within a day of every change, for ten years', () => {
    const changes = ZONES.map((zone) => checkChanges(zone, Date.UTC(2026, 0, 1), Date.UTC(2036, 0, 1)));
    expect(ZONES.length).toBeGreaterThan(400);
    expect(changes.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(2_000);
  });
});

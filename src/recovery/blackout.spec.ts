import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { type BlackoutHours, isClosed, longestClosed, nextOpen, WEEKDAYS } from './blackout.js';
import { HOUR_MS, wallAt } from './local-time.js';

const NIGHT: BlackoutHours[] = [{ from: 22, to: 8 }];
const WEEKEND: BlackoutHours[] = [
  { from: 22, to: 24, days: ['fri'] },
  { from: 0, to: 24, days: ['sat', 'sun'] },
];

const open = (at: string, zone: string, blackout: BlackoutHours[]) =>
  new Date(nextOpen(new Date(at).getTime(), zone, blackout)).toISOString();

describe('blackout hours', () => {
  it.each([
    ['2026-06-03T21:59:59.999Z', '2026-06-03T21:59:59.999Z', 'just before'],
    ['2026-06-03T22:00:00.000Z', '2026-06-04T08:00:00.000Z', 'as they begin'],
    ['2026-06-04T03:30:00.000Z', '2026-06-04T08:00:00.000Z', 'after midnight'],
    ['2026-06-04T08:00:00.000Z', '2026-06-04T08:00:00.000Z', 'as they end'],
  ])('of the night move %s to %s: %s', (at, expected) => expect(open(at, 'UTC', NIGHT)).toBe(expected));

  it('belong to the day on which they begin', () => {
    const friday: BlackoutHours[] = [{ from: 22, to: 8, days: ['fri'] }];
    expect(open('2026-06-06T03:00:00Z', 'UTC', friday)).toBe('2026-06-06T08:00:00.000Z'); // Saturday morning.
    expect(open('2026-06-05T03:00:00Z', 'UTC', friday)).toBe('2026-06-05T03:00:00.000Z'); // Friday morning.
  });

  it('that meet are passed together', () => {
    expect(open('2026-06-05T22:10:00Z', 'UTC', WEEKEND)).toBe('2026-06-08T00:00:00.000Z');
    expect(longestClosed(WEEKEND)).toBe(50);
    expect(longestClosed(NIGHT)).toBe(10);
    expect(longestClosed([])).toBe(0);
    expect(longestClosed([{ from: 0, to: 24 }])).toBe(168);
  });

  it('are read on the clocks of the zone, across a change of them', () => {
    expect(open('2026-03-08T06:30:00Z', 'America/New_York', [{ from: 1, to: 2 }])).toBe('2026-03-08T07:00:00.000Z'); // 2:00 is left out: 3:00.
    // 1:00 to 2:00 happens twice on 1 November: closed both times.
    expect(open('2026-11-01T05:10:00Z', 'America/New_York', [{ from: 1, to: 2 }])).toBe('2026-11-01T07:00:00.000Z');
    expect(open('2026-11-01T06:10:00Z', 'America/New_York', [{ from: 1, to: 2 }])).toBe('2026-11-01T07:00:00.000Z');
    expect(open('2026-06-03T17:00:00Z', 'Asia/Kolkata', NIGHT)).toBe('2026-06-04T02:30:00.000Z');
  });

  it('end at the second of two hours that the clocks show twice', () => {
    // 3:00 becomes 1:00 at 01:00Z on 25 October: from one to three happens twice, and two o'clock's first time is over.
    const closed: BlackoutHours[] = [{ from: 1, to: 2 }];
    expect(open('2026-10-25T01:30:00Z', 'Antarctica/Troll', closed)).toBe('2026-10-25T02:00:00.000Z');
    expect(open('2026-10-24T23:30:00Z', 'Antarctica/Troll', closed)).toBe('2026-10-25T00:00:00.000Z');
    expect(open('2026-10-25T00:30:00Z', 'Antarctica/Troll', closed)).toBe('2026-10-25T00:30:00.000Z');
  });

  it('of equal hours last a whole day', () => {
    expect(longestClosed([{ from: 5, to: 5, days: ['mon'] }])).toBe(24);
    expect(open('2026-06-01T05:00:00Z', 'UTC', [{ from: 5, to: 5, days: ['mon'] }])).toBe('2026-06-02T05:00:00.000Z');
  });

  it('that leave no hour open are a bug by now', () => {
    expect(() => nextOpen(0, 'UTC', [{ from: 0, to: 24 }])).toThrow('no hour of the week');
  });

  it('never move earlier, never further than they last, and always to an open hour', () => {
    const hours = fc.record({
      from: fc.integer({ min: 0, max: 23 }),
      to: fc.integer({ min: 0, max: 24 }),
      days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
    });
    const blackout = fc.array(hours, { maxLength: 3 }).filter((all) => longestClosed(all) <= 72);
    const zone = fc.constantFrom('America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata', 'Africa/Casablanca', 'UTC');
    const instant = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2029, 0, 1) });
    fc.assert(
      fc.property(instant, zone, blackout, (at, name, all) => {
        const moved = nextOpen(at, name, all);
        expect(moved).toBeGreaterThanOrEqual(at);
        // An hour more in autumn; and where spring leaves out the one hour between two closures, both in a row.
        expect(moved - at).toBeLessThanOrEqual((2 * longestClosed(all) + 2) * HOUR_MS);
        expect(isClosed(wallAt(moved, name), all)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  it('pass over the open hour that summer time leaves out', () => {
    // In Casablanca Sunday, 14 March 2027 has no hour from two to three, the only one that these leave open.
    const all: BlackoutHours[] = [{ from: 3, to: 2, days: ['sat', 'sun'] }];
    const moved = nextOpen(Date.parse('2027-03-13T12:00:00Z'), 'Africa/Casablanca', all);
    expect(new Date(moved).toISOString()).toBe('2027-03-15T01:00:00.000Z');
  });
});

import { describe, expect, it } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';

import { fc } from '../../test/support/properties.js';
import { oracleInstantMs } from '../../scripts/prop/zones.js';
import { clockChanges, HOUR_MS, instantOf, isTimeZone, nextLocalHour, offsetMsAt, wallAt } from './local-time.js';

const ZONES = [
  'America/New_York',
  'America/Sao_Paulo',
  'Europe/Berlin',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Antarctica/Troll', // Two hours at once.
  'UTC',
];
const zone = fc.constantFrom(...ZONES);
const instant = fc.integer({ min: Date.UTC(2014, 0, 1), max: Date.UTC(2048, 0, 1) });

const ms = (iso: string) => new Date(iso).getTime();
const iso = (instantMs: number) => new Date(instantMs).toISOString();

describe('local time', () => {
  it('agrees with the time-zone library on every offset', () => {
    fc.assert(
      fc.property(instant, zone, (at, name) => {
        const asked = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(name);
        expect(offsetMsAt(at, name)).toBe(asked.offsetNanoseconds / 1e6);
      }),
      { numRuns: 2_000 },
    );
  });

  it('agrees with the library on the instant of a wall time, gaps and overlaps included', () => {
    fc.assert(
      fc.property(instant, zone, (at, name) => {
        const wall = at - (at % (HOUR_MS / 4));
        expect(iso(instantOf(wall, name))).toBe(iso(oracleInstantMs(wall, name)));
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(ZONES)('agrees with the library within a day of each change of %s', (name) => {
    let at = Temporal.Instant.from('2024-01-01T00:00Z').toZonedDateTimeISO(name).getTimeZoneTransition('next');
    for (let changes = 0; at !== null && changes < 4; changes += 1) {
      for (let quarter = -96; quarter <= 96; quarter += 1) {
        const wall = wallAt(at.epochMilliseconds, name) + (quarter * HOUR_MS) / 4;
        expect(iso(instantOf(wall, name))).toBe(iso(oracleInstantMs(wall, name)));
      }
      at = at.getTimeZoneTransition('next');
    }
    expect(offsetMsAt(ms('2026-01-15T00:00:00Z'), name)).toBeDefined();
  });

  it('moves an hour that summer time leaves out on to a real one', () => {
    const at = nextLocalHour(ms('2026-03-08T05:00:00Z'), 2, 'America/New_York');
    expect(iso(at)).toBe('2026-03-08T07:00:00.000Z'); // 02:00 does not exist: 03:00 local.
  });

  it.each([
    ['02:30 in New York, of one hour left out', '2026-03-08T02:30:00Z', 'America/New_York', '2026-03-08T07:00:00.000Z'],
    ['the first minute left out', '2026-03-08T02:00:00Z', 'America/New_York', '2026-03-08T07:00:00.000Z'],
    ['the last millisecond left out', '2026-03-08T02:59:59.999Z', 'America/New_York', '2026-03-08T07:00:00.000Z'],
    ['the first time after', '2026-03-08T03:00:00Z', 'America/New_York', '2026-03-08T07:00:00.000Z'],
    ['the last of two hours', '2026-03-29T02:59:00Z', 'Antarctica/Troll', '2026-03-29T01:00:00.000Z'],
    ['the last of half an hour', '2026-10-04T02:29:00Z', 'Australia/Lord_Howe', '2026-10-03T15:30:00.000Z'],
    ['the evening of a day left out', '2011-12-30T23:00:00Z', 'Pacific/Apia', '2011-12-30T10:00:00.000Z'],
  ])('takes the first instant after the gap for %s', (_, wall, name, expected) => {
    expect(iso(instantOf(ms(wall), name))).toBe(expected);
  });

  it('charges at the end of a gap of two hours, not an hour after it', () => {
    const at = nextLocalHour(ms('2026-03-28T12:00:00Z'), 2, 'Antarctica/Troll');
    expect(iso(at)).toBe('2026-03-29T01:00:00.000Z'); // 01:00 becomes 03:00.
  });

  it('takes the first of an hour that happens twice', () => {
    const at = nextLocalHour(ms('2026-11-01T04:30:00Z'), 1, 'America/New_York');
    expect(iso(at)).toBe('2026-11-01T05:00:00.000Z');
  });

  it.each([
    ['2026-06-01T07:59:00Z', '2026-06-01T08:00:00.000Z'],
    ['2026-06-01T08:00:00Z', '2026-06-01T08:00:00.000Z'],
    ['2026-06-01T08:00:00.001Z', '2026-06-02T08:00:00.000Z'],
  ])('finds the next 10:00 in Berlin from %s', (from, expected) => {
    expect(iso(nextLocalHour(ms(from), 10, 'Europe/Berlin'))).toBe(expected);
  });

  it('never goes back, never waits more than a day and a gap, and shows a real hour', () => {
    fc.assert(
      fc.property(instant, zone, fc.integer({ min: 0, max: 23 }), (at, name, hour) => {
        const next = nextLocalHour(at, hour, name);
        expect(next).toBeGreaterThanOrEqual(at);
        expect(next - at).toBeLessThanOrEqual(26 * HOUR_MS);
        const shown = new Date(wallAt(next, name)).getUTCHours();
        expect([hour, (hour + 1) % 24, (hour + 2) % 24]).toContain(shown);
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    ['2014-07-01T00:00:00Z', 'America/New_York', -4], // Before the table of changes begins.
    ['2015-01-01T00:00:00Z', 'America/New_York', -5],
    ['2045-07-01T00:00:00Z', 'America/New_York', -4],
    ['2046-01-01T00:00:00Z', 'America/New_York', -5], // After it ends.
    ['2047-07-01T00:00:00Z', 'America/New_York', -4],
    ['2026-07-01T00:00:00Z', 'Asia/Kolkata', 5.5],
  ])('knows that at %s the clocks of %s are %d hours from UTC', (at, name, hours) => {
    expect(offsetMsAt(ms(at), name)).toBe(hours * HOUR_MS);
  });

  it('knows when the clocks change, and that some never do', () => {
    const ofYear = clockChanges('Europe/Berlin').filter((at) => iso(at).startsWith('2026'));
    expect(ofYear.map(iso)).toEqual(['2026-03-29T01:00:00.000Z', '2026-10-25T01:00:00.000Z']);
    expect(clockChanges('Europe/Berlin')).toHaveLength(2 * 31);
    expect(clockChanges('UTC')).toEqual([]);
    expect(() => clockChanges('Mars/Olympus')).toThrow(RangeError);
  });

  it.each(['Europe/Berlin', 'UTC', 'Asia/Kolkata', 'Etc/GMT+5'])('accepts %s', (name) => {
    expect(isTimeZone(name)).toBe(true);
  });
  it.each([
    '',
    '+02:00',
    'Mars/Olympus',
    '__proto__',
    'Europe/Berlin ',
    ' Europe/Berlin',
    '2026-01-01',
    'UTC[u-ca=hebrew]',
  ])('refuses "%s"', (name) => {
    expect(isTimeZone(name)).toBe(false);
  });
});

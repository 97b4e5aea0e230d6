import { describe, expect, it } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';

import { fc } from '../../test/support/properties.js';
import { afterQuietHours, digestAt, minuteOfDay } from './local-hours.js';

const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/Santiago', 'UTC'];
const local = (at: Date, zone: string) => Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(zone);

describe('digestAt', () => {
  it.each([
    ['in winter', '2026-11-21T10:00:00Z', 8, 'Europe/Berlin', '2026-11-22T07:00:00.000Z'],
    ['over the change to summer time', '2026-03-28T08:00:00Z', 8, 'Europe/Berlin', '2026-03-29T06:00:00.000Z'],
    ['over the change to winter time', '2026-10-24T08:00:00Z', 8, 'Europe/Berlin', '2026-10-25T07:00:00.000Z'],
    ['at an hour that the change leaves out', '2026-03-28T12:00:00Z', 2, 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    [
      'at the first of an hour that comes twice',
      '2026-10-24T12:00:00Z',
      2,
      'Europe/Berlin',
      '2026-10-25T00:00:00.000Z',
    ],
    [
      'at midnight where clocks change by half an hour',
      '2026-10-03T10:00:00Z',
      0,
      'Australia/Lord_Howe',
      '2026-10-03T13:30:00.000Z',
    ],
  ])('%s', (_, since, hour, zone, expected) => {
    expect(digestAt(new Date(since), null, hour, zone).toISOString()).toBe(expected);
  });

  it('comes once every local day, a year through, whatever the clocks do', () => {
    for (const zone of ZONES) {
      for (const hour of [0, 1, 2, 3, 8, 23]) {
        let last = digestAt(new Date('2026-01-01T12:00:00Z'), null, hour, zone);
        const days = [local(last, zone).toPlainDate().toString()];
        for (let count = 1; count < 366; count += 1) {
          last = digestAt(new Date(last.getTime() + 1), last, hour, zone);
          days.push(local(last, zone).toPlainDate().toString());
        }
        const first = Temporal.PlainDate.from(days[0] ?? '');
        expect({ zone, hour, days }).toEqual({
          zone,
          hour,
          days: days.map((_, index) => first.add({ days: index }).toString()),
        });
      }
    }
  });
});

describe('afterQuietHours', () => {
  const quiet = { fromMinute: minuteOfDay('22:00'), toMinute: minuteOfDay('07:30') };

  it.each([
    ['in the evening', '2026-11-21T22:30:00Z', '2026-11-22T06:30:00.000Z'],
    ['before dawn', '2026-11-21T03:00:00Z', '2026-11-21T06:30:00.000Z'],
    ['by day', '2026-11-21T12:00:00Z', '2026-11-21T12:00:00.000Z'],
    ['in the night of the change to summer time', '2026-03-28T23:00:00Z', '2026-03-29T05:30:00.000Z'],
  ])('%s', (_, at, expected) => {
    expect(afterQuietHours(new Date(at), quiet, 'Europe/Berlin').toISOString()).toBe(expected);
  });

  it('never answers an earlier time, a quiet one, or one more than 26 hours away', () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const atMs = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2027, 0, 1) });
    fc.assert(
      fc.property(atMs, minute, minute, fc.constantFrom(...ZONES), (ms, fromMinute, toMinute, zone) => {
        const at = new Date(ms);
        const free = afterQuietHours(at, { fromMinute, toMinute }, zone);
        expect(free.getTime()).toBeGreaterThanOrEqual(ms);
        expect(free.getTime() - ms).toBeLessThanOrEqual(26 * 3_600_000);
        expect(afterQuietHours(free, { fromMinute, toMinute }, zone).getTime() - free.getTime()).toBeLessThanOrEqual(
          3_600_000,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('is no quiet at all where it ends when it begins', () => {
    const at = new Date('2026-11-21T22:30:00Z');
    expect(afterQuietHours(at, { fromMinute: 60, toMinute: 60 }, 'UTC')).toBe(at);
  });
});

import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { HOUR_MS, wallAt } from './local-time.js';
import { isPayday as isPaydayBy, shiftToPayday as shift } from './payday.js';

const rules = (billingCycleDay: number | null, bankCountry: string | null = null) => ({ billingCycleDay, bankCountry });
const isPayday = (at: number, cycleDay: number | null, country: string | null = null) =>
  isPaydayBy(at, rules(cycleDay, country));
const shiftToPayday = (at: number, zone: string, cycleDay: number | null, hour: number | null = null) =>
  shift(at, zone, hour, rules(cycleDay));

const wall = (day: string) => new Date(`${day}T10:00:00Z`).getTime();

describe('paydays', () => {
  it.each([
    ['2026-06-01', 'the 1st', null],
    ['2026-06-15', 'the 15th', null],
    ['2026-06-30', 'the last business day, a Tuesday', null],
    ['2026-05-29', 'the last business day before a Sunday the 31st', 28],
    ['2026-10-30', 'the last business day before a Saturday the 31st', 28],
    ['2026-06-12', 'a Friday', null],
    ['2026-06-10', 'the billing cycle day', 10],
    ['2026-02-28', 'the cycle day 31, clamped to the month', 31],
    ['2028-02-29', 'the cycle day 30, clamped to a leap year’s February', 30],
  ])('%s is one: %s', (day, _, cycleDay) => expect(isPayday(wall(day), cycleDay)).toBe(true));

  it.each([
    ['2026-06-11', null],
    ['2026-06-12', 10], // A Friday, but the merchant named a day of its own.
    ['2026-05-31', null], // A Sunday: the last business day was the 29th.
    ['2026-03-30', 31],
  ])('%s is none', (day, cycleDay) => expect(isPayday(wall(day), cycleDay)).toBe(false));

  it.each([
    ['2026-12-31', '2026-12-30', 'JP', 'New Year’s Eve is a bank holiday'],
    ['2026-07-31', '2026-07-30', 'SA', 'Friday is the week-end'],
    ['2027-12-31', '2027-12-30', 'JP', 'and again'],
    ['2029-03-30', '2029-03-29', 'DE', 'Good Friday'],
    ['2029-03-30', '2029-03-29', 'GB', 'Good Friday'],
  ])('%s gives way to %s in %s: %s', (closed, open, country) => {
    // Cycle day 5 keeps Fridays out of it.
    expect(isPayday(wall(closed), 5, country)).toBe(false);
    expect(isPayday(wall(open), 5, country)).toBe(true);
    expect(isPayday(wall(closed), 5, 'US')).toBe(true);
  });

  it('takes the hour asked for on the payday, whatever hour the day before had', () => {
    // The clocks skip 2:00 on Sunday the 8th in New York: 3:00 is taken there, and 2:00 again on the payday.
    const skipped = new Date('2026-03-08T07:00:00Z').getTime();
    expect(shiftToPayday(skipped, 'America/New_York', 9, 2)).toBe(new Date('2026-03-09T06:00:00Z').getTime());
    expect(shiftToPayday(skipped, 'America/New_York', 9)).toBe(new Date('2026-03-09T07:00:00Z').getTime());
  });

  it('moves on to the next payday at the same local time, across a change of the clocks', () => {
    // Friday the 6th, 10:00 in New York; summer time begins on the 8th.
    const from = new Date('2026-03-06T15:00:00Z').getTime();
    const shifted = shiftToPayday(from, 'America/New_York', 9);
    expect(new Date(shifted).toISOString()).toBe('2026-03-09T14:00:00.000Z');
  });

  it('waits for the fifth day where a short one makes it 96 hours', () => {
    // Friday the 6th, 23:30 in New York; Sunday has 23 hours, and Wednesday the 11th begins 95.5 hours later.
    const from = new Date('2026-03-07T04:30:00Z').getTime();
    expect(shiftToPayday(from, 'America/New_York', 11, 0)).toBe(from + 95.5 * HOUR_MS);
    expect(shiftToPayday(from, 'America/New_York', 11, 1)).toBe(from);
  });

  it('stays on a payday, even where the hour asked for is still to come', () => {
    const friday = new Date('2026-06-12T08:00:00Z').getTime();
    expect(shiftToPayday(friday, 'UTC', null, 10)).toBe(friday);
    const eve = new Date('2026-05-31T08:00:00Z').getTime();
    expect(shiftToPayday(eve, 'UTC', 31, 10)).toBe(eve);
  });

  it('waits four whole days', () => {
    const monday = new Date('2026-06-08T10:00:00Z').getTime();
    expect(shiftToPayday(monday, 'UTC', null)).toBe(monday + 96 * HOUR_MS);
  });

  it('stays where no payday comes within 96 hours', () => {
    const from = new Date('2026-06-03T10:00:00Z').getTime();
    expect(shiftToPayday(from, 'UTC', 20)).toBe(from);
  });

  it('counts real hours: four days of which one has 25 are more than 96', () => {
    const thursday = new Date('2026-04-01T23:00:00Z').getTime(); // The 2nd, 10:00 in Sydney; winter time from the 5th.
    expect(shiftToPayday(thursday, 'Australia/Sydney', 6)).toBe(thursday);
    expect(shiftToPayday(thursday, 'Australia/Sydney', 5)).toBe(thursday + 73 * HOUR_MS);
  });

  it('only ever moves later, by 96 hours at most, and onto a payday', () => {
    const zone = fc.constantFrom('America/New_York', 'Europe/London', 'Asia/Tokyo', 'Australia/Lord_Howe');
    const instant = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2031, 0, 1) });
    const cycleDay = fc.option(fc.integer({ min: 1, max: 31 }), { nil: null });
    fc.assert(
      fc.property(instant, zone, cycleDay, (at, name, day) => {
        const shifted = shiftToPayday(at, name, day);
        expect(shifted - at).toBeGreaterThanOrEqual(0);
        expect(shifted - at).toBeLessThanOrEqual(96 * HOUR_MS);
        if (shifted !== at) expect(isPayday(wallAt(shifted, name), day)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});

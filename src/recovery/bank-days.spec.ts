import { describe, expect, it } from '@jest/globals';

import { bankHolidays, buildBankCalendars, dayNumber, easterSunday, lastBusinessDay } from './bank-days.js';
import { DAY_MS } from './local-time.js';
import { parseTable } from './table-file.js';

const iso = (day: number) => new Date(day * DAY_MS).toISOString().slice(0, 10);
const holidays = (country: string, year: number) => [...(bankHolidays(country, year) ?? [])].map(iso).sort();

// As the Federal Reserve Banks, the ECB and gov.uk print them; the rest of 2026 to 2035 follows from the same rules.
const FED_2026 = '01-01 01-19 02-16 05-25 06-19 07-04 09-07 10-12 11-11 11-26 12-25';
const FED_2027 = '01-01 01-18 02-15 05-31 06-19 07-04 07-05 09-06 10-11 11-11 11-25 12-25';
const FED_2028 = '01-01 01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-11 11-23 12-25';
const TARGET_2026 = '01-01 04-03 04-06 05-01 12-25 12-26';
const UK_2026 = '01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26 12-28';
const UK_2027 = '01-01 03-26 03-29 05-03 05-31 08-30 12-25 12-26 12-27 12-28';
const UK_2028 = '01-01 01-03 04-14 04-17 05-01 05-29 08-28 12-25 12-26';

describe('bank holidays', () => {
  it.each([
    ['US', 2026, FED_2026],
    ['US', 2027, FED_2027],
    ['US', 2028, FED_2028],
    ['DE', 2026, TARGET_2026],
    ['IE', 2026, TARGET_2026],
    ['GB', 2026, UK_2026],
    ['GB', 2027, UK_2027],
    ['GB', 2028, UK_2028],
  ])('of %s in %i', (country, year, days) => {
    expect(holidays(country, year)).toEqual(days.split(' ').map((day) => `${year}-${day}`));
  });

  it('leaves the Fed open on the Friday before a Saturday 4 July', () => {
    expect(holidays('US', 2026)).not.toContain('2026-07-03');
  });

  it.each([
    [1954, '04-18'],
    [1961, '04-02'],
    [1981, '04-19'],
    [2000, '04-23'],
    [2019, '04-21'],
    [2024, '03-31'],
    [2026, '04-05'],
    [2038, '04-25'],
    [2049, '04-18'],
    [2076, '04-19'],
    [2100, '03-28'],
    [2285, '03-22'],
    [2027, '03-28'],
    [2028, '04-16'],
    [2029, '04-01'],
    [2030, '04-21'],
    [2031, '04-13'],
    [2032, '03-28'],
    [2033, '04-17'],
    [2034, '04-09'],
    [2035, '03-25'],
  ])('Easter of %i is %s', (year, day) => expect(iso(easterSunday(year))).toBe(`${year}-${day}`));

  it.each([
    [2026, '12-25 12-26 12-28'], // Boxing Day on a Saturday.
    [2027, '12-25 12-26 12-27 12-28'], // Christmas on a Saturday.
    [2032, '12-25 12-26 12-27 12-28'],
    [2033, '12-25 12-26 12-27'], // Christmas on a Sunday: made up after Boxing Day.
    [2034, '12-25 12-26'],
  ])('makes up Christmas %i in the UK on %s', (year, days) => {
    const december = holidays('GB', year).filter((day) => day.includes('-12-'));
    expect(december).toEqual(days.split(' ').map((day) => `${year}-${day}`));
  });

  it('is known for three calendars of our own', () => expect(bankHolidays('JP', 2026)).toBeNull());

  it('never falls on a day that is not counted, in ten years', () => {
    for (let year = 2026; year <= 2035; year += 1) {
      // The Fed makes up Sundays and no Saturdays; TARGET makes up nothing; the UK everything: eight weekdays a year.
      const weekdays = (country: string) =>
        holidays(country, year).filter((day) => ![0, 6].includes(new Date(day).getUTCDay())).length;
      expect(weekdays('GB')).toBe(8);
      expect(weekdays('US')).toBeGreaterThanOrEqual(9);
      expect(weekdays('US')).toBeLessThanOrEqual(11);
      expect(weekdays('FR')).toBeLessThanOrEqual(6);
      expect(weekdays('FR')).toBeGreaterThanOrEqual(2);
    }
  });
});

describe('the last business day', () => {
  it.each([
    ['US', 2026, 5, 29], // The 30th and 31st are a week-end.
    ['US', 2027, 5, 28], // The 31st is Memorial Day.
    ['GB', 2027, 5, 28],
    ['GB', 2026, 8, 28], // The 31st is the summer bank holiday.
    ['DE', 2029, 3, 29], // The 30th is Good Friday.
    ['DE', 2026, 12, 31], // TARGET works on New Year's Eve.
    ['JP', 2026, 12, 30], // Japan's banks do not.
    ['SA', 2026, 4, 30],
    ['SA', 2026, 7, 30], // Friday the 31st is week-end there.
    ['FR', 2026, 10, 30],
    ['ZZ', 2029, 3, 30],
    [null, 2026, 5, 29],
    ['JP', 2050, 12, 30], // Beyond the table: the last weekday; the 31st is a Saturday.
    ['US', 2026, 2, 27],
    ['US', 2028, 2, 29],
  ])('of %s in %i-%i is the %i', (country, year, month, day) => {
    expect(lastBusinessDay(country, year, month)).toBe(day);
    expect(lastBusinessDay(country, year, month)).toBe(day); // Remembered.
  });

  it('is a working day in every month of ten years', () => {
    for (const country of ['US', 'DE', 'GB', null]) {
      for (let month = 0; month < 120; month += 1) {
        const year = 2026 + Math.floor(month / 12);
        const day = dayNumber(year, (month % 12) + 1, lastBusinessDay(country, year, (month % 12) + 1));
        expect([0, 6]).not.toContain(new Date(day * DAY_MS).getUTCDay());
        expect(country !== null && bankHolidays(country, year)?.has(day)).toBe(false);
      }
    }
  });
});

describe('loading the calendars', () => {
  const build = (holiday: string, calendar = 'a,XX YY,s', last = 'ZZ,2026-12-30') =>
    buildBankCalendars({
      holidays: parseTable('holidays.csv', `calendar,name,day,observed,source\n${holiday}\n`),
      calendars: parseTable('calendars.csv', `calendar,countries,source\n${calendar}\n`),
      lastDays: parseTable('last.csv', `country,last_business_days\n${last}\n`),
    });

  it.each([
    ['07-04', 2026, '2026-07-04'],
    ['easter -2', 2026, '2026-04-03'],
    ['easter +50', 2026, '2026-05-25'],
    ['1 MON 09', 2026, '2026-09-07'],
    ['4 THU 11', 2026, '2026-11-26'],
    ['last MON 05', 2026, '2026-05-25'],
    ['last SUN 12', 2026, '2026-12-27'],
  ])('reads the day %s of %i as %s', (text, year, day) => {
    expect(iso(build(`a,n,${text},none,s`).rules.get('XX')?.[0]?.dayIn(year) ?? 0)).toBe(day);
  });

  it.each([
    'x07-04',
    '07-04x',
    'xeaster -2',
    'easter -2x',
    'easter 2',
    'easter -200',
    'x1 MON 09',
    '1 MON 09x',
    '0 MON 09',
    '1 mon 09',
  ])('refuses the day "%s"', (text) => expect(() => build(`a,n,${text},none,s`)).toThrow(/accepted: 01-01/));

  it.each(['x2026-12-30', '2026-12-30x', '26-12-30'])('refuses the last business day "%s"', (cell) => {
    expect(() => build('a,n,01-01,none,s', undefined, `ZZ,${cell}`)).toThrow(/accepted: 2026-12-30/);
  });

  it('reads good rows', () => {
    const { rules, lastDays } = build('a,n,2 TUE 03,none,s');
    expect(iso(rules.get('YY')?.[0]?.dayIn(2026) ?? 0)).toBe('2026-03-10');
    expect(lastDays.get('ZZ')?.get('2026-12')).toBe(30);
  });

  it.each([
    ['a fifth Monday', 'a,n,5 MON 01,none,s', undefined, undefined, /day is "5 MON 01", accepted/],
    ['a day that is none', 'a,n,1 January,none,s', undefined, undefined, /accepted: 01-01/],
    ['an unknown substitute', 'a,n,01-01,monday,s', undefined, undefined, /observed/],
    ['a calendar without holidays', 'a,n,01-01,none,s', 'b,XX,s', undefined, /no holidays/],
    ['a country with two calendars', 'a,n,01-01,none,s', 'a,XX XX,s', undefined, /XX has two/],
    ['a last day that is none', 'a,n,01-01,none,s', undefined, 'ZZ,2026-12', /last_business_days has "2026-12"/],
  ])('refuses %s', (_, holiday, calendar, last, message) => {
    expect(() => build(holiday, calendar, last)).toThrow(message);
  });
});

import { DAY_MS } from './local-time.js';
import { readTable, type TableRow } from './table-file.js';

/** A day as the number of days since 1970-01-01: compared and looked up without a time or a zone. */
export type DayNumber = number;

const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'] as const;
const SUNDAY = 0;
const SATURDAY = 6;

/** Where a holiday falls that the rule puts on a weekend: the Fed and TARGET leave a Saturday one out altogether. */
type Observed = 'none' | 'sunday_on_monday' | 'next_free_day';

interface HolidayRule {
  calendar: string;
  dayIn: (year: number) => DayNumber;
  observed: Observed;
}

/** The number of a day; `month` counts from 1 to 12, and a day past the month's end runs on into the next. */
export function dayNumber(year: number, month: number, day: number): DayNumber {
  return Math.floor(Date.UTC(year, month - 1, day) / DAY_MS);
}

function weekdayOf(day: DayNumber): number {
  return (((day + 4) % 7) + 7) % 7; // 1970-01-01 was a Thursday.
}

function isWeekend(day: DayNumber): boolean {
  const weekday = weekdayOf(day);
  return weekday === SATURDAY || weekday === SUNDAY;
}

/**
 * Easter Sunday of the Gregorian calendar.
 * @see https://en.wikipedia.org/wiki/Date_of_Easter#Anonymous_Gregorian_algorithm (Nature, 20 April 1876)
 */
export function easterSunday(year: number): DayNumber {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const h = (19 * a + b - Math.floor(b / 4) - Math.floor((8 * b + 13) / 25) + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 19 * l) / 433);
  const month = Math.floor((h + l - 7 * m + 90) / 25);
  return dayNumber(year, month, (h + l - 7 * m + 33 * month + 19) % 32);
}

/** Reads `01-01`, `3 MON 01`, `last MON 05` or `easter -2`. */
function dayRule(row: TableRow): (year: number) => DayNumber {
  const text = row.required('day');
  const fixed = /^(\d\d)-(\d\d)$/.exec(text);
  if (fixed) return (year) => dayNumber(year, Number(fixed[1]), Number(fixed[2]));
  const easter = /^easter ([+-]\d{1,2})$/.exec(text);
  if (easter) return (year) => easterSunday(year) + Number(easter[1]);
  const nth = /^([1-4]|last) (SUN|MON|TUE|WED|THU|FRI|SAT) (\d\d)$/.exec(text);
  if (!nth) throw row.bad(`day is "${text}", accepted: 01-01, 3 MON 01, last MON 05, easter -2`);
  const weekday = WEEKDAYS.findIndex((name) => name === nth[2]);
  const month = Number(nth[3]);
  if (nth[1] === 'last') return (year) => onOrBefore(dayNumber(year, month + 1, 0), weekday);
  const nthDay = 7 * Number(nth[1]); // The latest day of the month on which its n-th such weekday can fall.
  return (year) => onOrBefore(dayNumber(year, month, nthDay), weekday);
}

function onOrBefore(day: DayNumber, weekday: number): DayNumber {
  return day - ((weekdayOf(day) - weekday + 7) % 7);
}

/** The holidays of one calendar's rules in one year, the days on which a weekend's holiday is made up included. */
function holidaysOf(rules: readonly HolidayRule[], year: number): ReadonlySet<DayNumber> {
  const days = new Set(rules.map((rule) => rule.dayIn(year)));
  for (const { dayIn, observed } of rules) {
    const day = observedDay(dayIn(year), observed, days);
    if (day !== null) days.add(day);
  }
  return days;
}

function observedDay(day: DayNumber, observed: Observed, taken: ReadonlySet<DayNumber>): DayNumber | null {
  if (observed === 'none' || !isWeekend(day)) return null;
  if (observed === 'sunday_on_monday') return weekdayOf(day) === SUNDAY ? day + 1 : null;
  // Christmas on a Saturday takes the Monday, and Boxing Day then the Tuesday: the first day that nothing else took.
  let free = day + 1;
  while (isWeekend(free) || taken.has(free)) free += 1;
  return free;
}

function holidayRule(row: TableRow): HolidayRule {
  return {
    calendar: row.required('calendar'),
    dayIn: dayRule(row),
    observed: row.oneOf('observed', ['none', 'sunday_on_monday', 'next_free_day']),
  };
}

export interface BankCalendars {
  /** The calendar's rules, by country (ISO 3166 alpha-2). */
  rules: ReadonlyMap<string, readonly HolidayRule[]>;
  /** Per country, the last business day of each month (`2026-12`) in which it is not the last weekday. */
  lastDays: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** Builds the calendars from their rows. @throws {BadTable} at the first row that breaks a rule. */
export function buildBankCalendars(rows: Record<'holidays' | 'calendars' | 'lastDays', TableRow[]>): BankCalendars {
  const rules = rows.holidays.map(holidayRule);
  const byCountry = new Map<string, readonly HolidayRule[]>();
  for (const row of rows.calendars) {
    const own = rules.filter((one) => one.calendar === row.required('calendar'));
    if (own.length === 0) throw row.bad('this calendar has no holidays');
    for (const country of row.required('countries').split(' ')) {
      if (byCountry.has(country)) throw row.bad(`${country} has two calendars`);
      byCountry.set(country, own);
    }
  }
  return { rules: byCountry, lastDays: new Map(rows.lastDays.map((row) => [row.required('country'), lastDays(row)])) };
}

function lastDays(row: TableRow): ReadonlyMap<string, number> {
  const cells = row.required('last_business_days').split(' ');
  return new Map(
    cells.map((cell) => {
      const match = /^(\d{4}-\d\d)-(\d\d)$/.exec(cell);
      if (!match) throw row.bad(`last_business_days has "${cell}", accepted: 2026-12-30`);
      return [match[1] ?? '', Number(match[2])];
    }),
  );
}

/** Loaded once, with the program: a bad row stops the start. */
const CALENDARS = buildBankCalendars({
  holidays: readTable('bank-holidays.csv'),
  calendars: readTable('bank-calendars.csv'),
  lastDays: readTable('last-business-days.csv'),
});

const holidaySets = new Map<string, ReadonlySet<DayNumber>>();

/** The days in a year on which the banks of a country with a calendar of our own are closed; null without one. */
export function bankHolidays(country: string, year: number): ReadonlySet<DayNumber> | null {
  const key = `${country}${year}`;
  const known = holidaySets.get(key);
  if (known) return known;
  const rules = CALENDARS.rules.get(country);
  if (!rules) return null;
  const days = holidaysOf(rules, year);
  holidaySets.set(key, days);
  return days;
}

const lastBusinessDays = new Map<string, number>();

/**
 * The day of the month on which a country's banks work last: by the calendar rules of the Fed, TARGET and the UK, else
 * by the table made from public holidays, else (another country, another year, or null) the last weekday.
 * @param country ISO 3166 alpha-2, upper case. @param month from 1 to 12.
 */
export function lastBusinessDay(country: string | null, year: number, month: number): number {
  const key = `${country ?? ''}${year * 12 + month}`;
  const known = lastBusinessDays.get(key);
  if (known !== undefined) return known;
  const day = findLastBusinessDay(country, year, month);
  lastBusinessDays.set(key, day);
  return day;
}

function findLastBusinessDay(country: string | null, year: number, month: number): number {
  const listed = country === null ? undefined : CALENDARS.lastDays.get(country);
  const exception = listed?.get(`${year}-${String(month).padStart(2, '0')}`);
  if (exception !== undefined) return exception;
  const holidays = country === null ? null : bankHolidays(country, year);
  const first = dayNumber(year, month, 1);
  let day = dayNumber(year, month + 1, 0);
  while (isWeekend(day) || holidays?.has(day) === true) day -= 1;
  return day - first + 1;
}

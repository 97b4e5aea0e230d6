import { readFileSync, writeFileSync } from 'node:fs';

import Holidays from 'date-holidays';

/**
 * Makes src/recovery/policy/last-business-days.csv: per country, every month's last business day where it is not simply
 * the last weekday. The holiday library is asked here, once, and not by the product: it takes 0.3 s and 18 MB to load and
 * a millisecond a question. Takes a minute or two. `--from 2026 --until 2036`, both included.
 */
const from = option('from', 2026);
const until = option('until', 2036);
const policy = new URL('../src/recovery/policy/', import.meta.url);

function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? otherwise : Number(process.argv[at + 1]);
}

/** Countries with a calendar of our own, whose banks do not keep all public holidays. */
const own = new Set(
  readFileSync(new URL('bank-calendars.csv', policy), 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => line.split(',')[1]?.split(' ') ?? []),
);

/** Days on which nobody works by the weekly rhythm, as 1 (Monday) to 7; Saturday and Sunday where nothing is known. */
function weekendOf(country: string): number[] {
  const locale = new Intl.Locale(`und-${country}`) as Intl.Locale & { weekInfo?: { weekend: number[] } };
  return locale.weekInfo?.weekend ?? [6, 7];
}

function holidaysOf(library: Holidays, year: number): Set<string> {
  const found = [year - 1, year, year + 1].flatMap((each) => library.getHolidays(each)); // A substitute may lie in the next year.
  return new Set(
    found
      .filter((one) => one.type === 'public' || one.type === 'bank')
      .flatMap((one) => daysOf(one.date, one.start, one.end)),
  );
}

/** A holiday of several days has one entry: its first day, and how long it lasts. */
function daysOf(date: string, start: Date, end: Date): string[] {
  const count = Math.max(1, Math.round((end.getTime() - start.getTime()) / 86_400_000));
  const first = Date.parse(`${date.slice(0, 10)}T00:00:00Z`);
  return Array.from({ length: count }, (_, day) => new Date(first + day * 86_400_000).toISOString().slice(0, 10));
}

function lastWorkingDay(year: number, month: number, closed: (day: Date) => boolean): string {
  const day = new Date(Date.UTC(year, month, 0));
  while (closed(day)) day.setUTCDate(day.getUTCDate() - 1);
  return day.toISOString().slice(0, 10);
}

function exceptionsOf(country: string): string[] {
  const library = new Holidays(country);
  const weekend = weekendOf(country);
  const exceptions: string[] = [];
  for (let year = from; year <= until; year += 1) {
    const holidays = holidaysOf(library, year);
    for (let month = 1; month <= 12; month += 1) {
      const plain = lastWorkingDay(year, month, (day) => day.getUTCDay() === 0 || day.getUTCDay() === 6);
      const weekday = (day: Date) => (day.getUTCDay() === 0 ? 7 : day.getUTCDay());
      const real = lastWorkingDay(
        year,
        month,
        (day) => weekend.includes(weekday(day)) || holidays.has(day.toISOString().slice(0, 10)),
      );
      if (real !== plain) exceptions.push(real);
    }
  }
  return exceptions;
}

const countries = Object.keys(new Holidays().getCountries()).filter(
  (country) => /^[A-Z]{2}$/.test(country) && !own.has(country),
);
const rows: string[] = [];
for (const country of countries.sort()) {
  const exceptions = exceptionsOf(country);
  if (exceptions.length > 0) rows.push(`${country},${exceptions.join(' ')}`);
  process.stdout.write(`\r${rows.length} countries, now ${country}   `);
}
writeFileSync(new URL('last-business-days.csv', policy), ['country,last_business_days', ...rows, ''].join('\n'));

const editions = JSON.parse(readFileSync(new URL('editions.json', policy), 'utf8')) as Record<string, object>;
editions['last-business-days.csv'] = {
  edition: `${from} to ${until}`,
  rows: rows.length,
  source: 'date-holidays 3.37.0 (ISC and CC-BY-3.0), public and bank holidays of each country; weekends from the CLDR',
};
writeFileSync(new URL('editions.json', policy), `${JSON.stringify(editions, null, 2)}\n`);
console.log(`\r${rows.length} countries, ${from} to ${until}.`);

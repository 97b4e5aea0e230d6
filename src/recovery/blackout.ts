import { DAY_MS, HOUR_MS, instantOf, wallAt, type WallMs } from './local-time.js';

export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/** Local hours in which no scheduled charge is made. */
export interface BlackoutHours {
  /** First local hour without charges, 0 to 23. */
  from: number;
  /** First hour with charges again, 0 to 24. Not after `from`: on the next day. */
  to: number;
  /** The days on which it begins; every day when left out. */
  days?: readonly Weekday[] | undefined;
}

const WEEK_HOURS = 168;

/** A merchant can close a long week-end; closed for longer, a charge would miss its payday, or never find an hour. */
export const CLOSED_HOURS_MAX = 72;

/** True when the zone's clocks show a closed hour. */
export function isClosed(wall: WallMs, blackout: readonly BlackoutHours[]): boolean {
  return closedHours(blackout)[weekHourOf(wall)] === 1;
}

/** The first instant from `instantMs` on that no blackout covers: the same one, or the local hour at which it ends. */
export function nextOpen(instantMs: number, zone: string, blackout: readonly BlackoutHours[]): number {
  if (blackout.length === 0) return instantMs;
  let atMs = instantMs;
  // One step per local hour; a table that left no hour open for so long was refused when it was set.
  for (let steps = 0; steps <= WEEK_HOURS; steps += 1) {
    const wall = wallAt(atMs, zone);
    if (!isClosed(wall, blackout)) return atMs;
    const hourEnd = Math.floor(wall / HOUR_MS) * HOUR_MS + HOUR_MS;
    const next = instantOf(hourEnd, zone);
    // In the second pass of an hour that happens twice the clocks may show its end only later.
    atMs = next > atMs ? next : atMs + (hourEnd - wall);
  }
  throw new Error('These blackout hours leave no hour of the week open.');
}

/** The longest stretch of closed hours in a week. */
export function longestClosed(blackout: readonly BlackoutHours[]): number {
  const closed = closedHours(blackout);
  let run = 0;
  let longest = 0;
  // Twice around, so that a stretch over the week's end is seen whole.
  for (let hour = 0; hour < 2 * WEEK_HOURS; hour += 1) {
    run = closed[hour % WEEK_HOURS] === 1 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return Math.min(longest, WEEK_HOURS);
}

/** Hours since Sunday, 0:00. */
function weekHourOf(wall: WallMs): number {
  const hours = Math.floor(wall / HOUR_MS) + 4 * (DAY_MS / HOUR_MS); // 1970-01-01 was a Thursday.
  return ((hours % WEEK_HOURS) + WEEK_HOURS) % WEEK_HOURS;
}

// Asked several times per decision, and always of the same few lists.
const weeks = new WeakMap<readonly BlackoutHours[], Uint8Array>();

/** 1 for each closed hour of the week, counted from Sunday, 0:00. */
function closedHours(blackout: readonly BlackoutHours[]): Uint8Array {
  const known = weeks.get(blackout);
  if (known) return known;
  const week = new Uint8Array(WEEK_HOURS);
  for (const { from, to, days } of blackout) {
    const length = to > from ? to - from : to - from + 24;
    for (const name of days ?? WEEKDAYS) {
      const begins = WEEKDAYS.indexOf(name) * 24 + from;
      for (let hour = 0; hour < length; hour += 1) week[(begins + hour) % WEEK_HOURS] = 1;
    }
  }
  weeks.set(blackout, week);
  return week;
}

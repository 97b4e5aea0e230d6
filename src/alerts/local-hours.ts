import { DAY_MS, instantOf, nextLocalHour, startOfDay, wallAt } from '../recovery/local-time.js';

/** Minutes after local midnight, both ends; a span whose end is not after its beginning runs over midnight. */
export interface QuietHours {
  fromMinute: number;
  toMinute: number;
}

const MINUTE_MS = 60_000;

/** `22:30` as minutes after midnight. @throws for what is no such time. */
export function minuteOfDay(text: string): number {
  const [, hour, minute] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour === undefined || minute === undefined) throw new Error('a time of day is written HH:MM');
  return Number(hour) * 60 + Number(minute);
}

/** The first instant from `at` on that lies outside the quiet hours of the zone; `at` itself where it does. */
export function afterQuietHours(at: Date, quiet: QuietHours | null, zone: string): Date {
  if (quiet === null || quiet.fromMinute === quiet.toMinute) return at;
  const wall = wallAt(at.getTime(), zone);
  const midnight = startOfDay(wall);
  const minute = (wall - midnight) / MINUTE_MS;
  const { fromMinute, toMinute } = quiet;
  const overnight = fromMinute > toMinute;
  const isQuiet = overnight ? minute >= fromMinute || minute < toMinute : minute >= fromMinute && minute < toMinute;
  if (!isQuiet) return at;
  const endDay = overnight && minute >= fromMinute ? midnight + DAY_MS : midnight;
  const end = instantOf(endDay + toMinute * MINUTE_MS, zone);
  // Where clocks are set back within the quiet hours, the end may show twice: the later one is still ahead.
  return end > at.getTime() ? new Date(end) : new Date(end + laterShowing(end, endDay + toMinute * MINUTE_MS, zone));
}

/** How much later the zone's clocks show the same time once more; an hour where nothing else is known. */
function laterShowing(instantMs: number, wall: number, zone: string): number {
  const byLaterOffset = wall - (wallAt(instantMs + DAY_MS, zone) - (instantMs + DAY_MS));
  return byLaterOffset > instantMs ? byLaterOffset - instantMs : 60 * MINUTE_MS;
}

/**
 * When what has waited since `since` is told in a digest: the next time the zone's clocks show the hour, which is 23 or
 * 25 hours after the last one on the days that clocks change. Once a local day: `lastAt` is the digest before.
 */
export function digestAt(since: Date, lastAt: Date | null, hour: number, zone: string): Date {
  const from = lastAt === null ? since.getTime() : Math.max(since.getTime(), lastAt.getTime() + 1);
  const at = nextLocalHour(from, hour, zone);
  // An hour that a day shows twice belongs to one digest only.
  const again = lastAt !== null && sameLocalDay(at, lastAt.getTime(), zone);
  return new Date(again ? nextLocalHour(instantOf(startOfDay(wallAt(at, zone)) + DAY_MS, zone), hour, zone) : at);
}

function sameLocalDay(one: number, other: number, zone: string): boolean {
  return startOfDay(wallAt(one, zone)) === startOfDay(wallAt(other, zone));
}

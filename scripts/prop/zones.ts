import { Temporal } from 'temporal-polyfill';

import {
  clockChanges,
  DAY_MS,
  HOUR_MS,
  instantOf,
  nextLocalHour,
  offsetMsAt,
  startOfDay,
  wallAt,
} from '../../src/recovery/local-time.js';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
const MINUTE_MS = 60_000;

function broken(property: string, zone: string, atMs: number): never {
  throw new Error(`${property}: ${zone} at ${new Date(atMs).toISOString()}`);
}

/** The time-zone library's offset, asked afresh: the oracle. */
function oracleOffsetMs(atMs: number, zone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone).offsetNanoseconds / 1e6;
}

/** The library's instant of a wall time: the first of two, and in a gap the change of the clocks that made it. */
export function oracleInstantMs(wall: number, zone: string): number {
  const asked = Temporal.PlainDateTime.from(new Date(wall).toISOString().slice(0, 23));
  const instant = asked.toZonedDateTime(zone);
  if (instant.toPlainDateTime().equals(asked)) return instant.epochMilliseconds;
  const change = instant.add({ milliseconds: 1 }).getTimeZoneTransition('previous');
  if (change === null) throw new Error(`${zone} leaves ${asked.toString()} out without a change of its clocks`);
  return change.epochMilliseconds;
}

/**
 * Checks every change of a zone's clocks between two instants, a day before to a day after: offsets and wall times
 * against the library, and each local hour by what the clocks show.
 * @returns how many changes there were. @throws {Error} that names the broken property.
 */
export function checkChanges(zone: string, fromMs: number, untilMs: number): number {
  const changes = clockChanges(zone).filter((atMs) => atMs >= fromMs && atMs < untilMs);
  for (const atMs of changes) {
    for (const asideMs of [-DAY_MS, -1, 0, DAY_MS]) checkOffset(atMs + asideMs, zone);
    const wall = wallAt(atMs, zone);
    for (const asideMs of [-HOUR_MS, -30 * MINUTE_MS, -MINUTE_MS, 0, 30 * MINUTE_MS]) checkWall(wall + asideMs, zone);
    for (const hour of HOURS) {
      checkLocalHour(atMs - DAY_MS, hour, zone);
      checkLocalHour(atMs - 1, hour, zone);
      checkLocalHour(atMs, hour, zone);
    }
  }
  return changes.length;
}

function checkOffset(atMs: number, zone: string): void {
  if (offsetMsAt(atMs, zone) !== oracleOffsetMs(atMs, zone)) broken('another offset than the library', zone, atMs);
}

function checkWall(wall: number, zone: string): void {
  const instantMs = instantOf(wall, zone);
  if (instantMs !== oracleInstantMs(wall, zone)) broken('another instant than the library', zone, instantMs);
}

/** The next such hour is not before the instant, not more than a day and a gap after it, and the first that is shown. */
function checkLocalHour(fromMs: number, hour: number, zone: string): void {
  const nextMs = nextLocalHour(fromMs, hour, zone);
  if (nextMs < fromMs) broken(`the next ${hour}:00 is earlier`, zone, fromMs);
  // A zone that moves across the date line leaves a whole day out.
  if (nextMs - fromMs > 2 * DAY_MS + 2 * HOUR_MS) broken(`the next ${hour}:00 is days later`, zone, fromMs);
  const wall = wallAt(nextMs, zone);
  const today = startOfDay(wall) + hour * HOUR_MS;
  if (wall === today) return;
  // Left out, the hour is taken where the clocks go on: 23:00 of the day before may so become 0:00.
  const wanted = wall > today ? today : today - DAY_MS;
  const shown = [-DAY_MS, DAY_MS].some((aside) => {
    const instantMs = wanted - offsetMsAt(wanted + aside, zone);
    return instantMs >= fromMs && wallAt(instantMs, zone) === wanted;
  });
  if (shown) broken(`not ${hour}:00, which the clocks show`, zone, nextMs);
}

/**
 * Checks one zone day by day against the library: offset, and the instant of the local hour, on each day between two
 * years. @returns how many days. @throws {Error} that names the broken property.
 */
export function checkDays(zone: string, fromYear: number, untilYear: number, hour: number): number {
  const untilMs = Date.UTC(untilYear, 0, 1);
  let days = 0;
  for (let wall = Date.UTC(fromYear, 0, 1) + hour * HOUR_MS; wall < untilMs; wall += DAY_MS) {
    const instantMs = instantOf(wall, zone);
    checkWall(wall, zone);
    checkOffset(instantMs, zone);
    if (nextLocalHour(instantMs - 1, hour, zone) < instantMs - 1) broken('the next hour is earlier', zone, instantMs);
    days += 1;
  }
  return days;
}

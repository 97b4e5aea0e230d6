import { Temporal } from 'temporal-polyfill';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/** A wall-clock reading as milliseconds: the UTC instant that shows the same figures. Never an instant itself. */
export type WallMs = number;

/** When each UTC offset of a zone begins, oldest first; the first holds from the start of the table. */
interface Offsets {
  startsMs: number[];
  offsetsMs: number[];
}

// Instants outside are asked of the time-zone library one by one: correct, and about a hundred times slower.
const TABLE_FROM_MS = Date.UTC(2015, 0, 1);
const TABLE_UNTIL_MS = Date.UTC(2046, 0, 1);

const tables = new Map<string, Offsets>();

/** True for a name of the IANA time zone database; a bare offset such as `+02:00` is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** Milliseconds that the zone's clocks are ahead of UTC at an instant. @throws {RangeError} for an unknown zone. */
export function offsetMsAt(instantMs: number, zone: string): number {
  if (instantMs < TABLE_FROM_MS || instantMs >= TABLE_UNTIL_MS) return askedOffsetMs(instantMs, zone);
  const { startsMs, offsetsMs } = offsetsOf(zone);
  let low = 0;
  let high = startsMs.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((startsMs[middle] ?? Infinity) <= instantMs) low = middle;
    else high = middle - 1;
  }
  return offsetsMs[low] ?? 0;
}

function askedOffsetMs(instantMs: number, zone: string): number {
  return Temporal.Instant.fromEpochMilliseconds(instantMs).toZonedDateTimeISO(zone).offsetNanoseconds / 1e6;
}

function offsetsOf(zone: string): Offsets {
  const known = tables.get(zone);
  if (known) return known;
  const built = buildOffsets(zone);
  tables.set(zone, built);
  return built;
}

/** Read once per zone with the time-zone library, then only searched: one library call costs what 400 searches do. */
function buildOffsets(zone: string): Offsets {
  let at = Temporal.Instant.fromEpochMilliseconds(TABLE_FROM_MS).toZonedDateTimeISO(zone);
  const offsets: Offsets = { startsMs: [TABLE_FROM_MS], offsetsMs: [at.offsetNanoseconds / 1e6] };
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    if (next === null || next.epochMilliseconds >= TABLE_UNTIL_MS) return offsets;
    offsets.startsMs.push(next.epochMilliseconds);
    offsets.offsetsMs.push(next.offsetNanoseconds / 1e6);
    at = next;
  }
}

/** The instants at which the zone's clocks change, from 2015 to 2045, oldest first. @throws {RangeError} for an unknown zone. */
export function clockChanges(zone: string): readonly number[] {
  return offsetsOf(zone).startsMs.slice(1);
}

/** What the zone's clocks show at an instant. */
export function wallAt(instantMs: number, zone: string): WallMs {
  return instantMs + offsetMsAt(instantMs, zone);
}

/**
 * The instant at which the zone's clocks show `wall`. A time that happens twice is the first; one that a change of the
 * clocks leaves out, however much that is, is the first instant after the change (02:30 becomes 03:00).
 */
export function instantOf(wall: WallMs, zone: string): number {
  const before = wall - offsetMsAt(wall - DAY_MS, zone);
  if (wallAt(before, zone) === wall) return before;
  const after = wall - offsetMsAt(wall + DAY_MS, zone);
  return wallAt(after, zone) === wall ? after : changeBetween(after, before, zone);
}

/** The first instant with the new offset; the one change between the two instants is searched to the millisecond. */
function changeBetween(earlierMs: number, laterMs: number, zone: string): number {
  const oldOffsetMs = offsetMsAt(earlierMs, zone);
  let low = earlierMs;
  let high = laterMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetMsAt(middle, zone) === oldOffsetMs) low = middle;
    else high = middle;
  }
  return high;
}

/** The midnight that begins the wall clock's day. */
export function startOfDay(wall: WallMs): WallMs {
  return wall - (((wall % DAY_MS) + DAY_MS) % DAY_MS);
}

/** The first instant from `instantMs` on at which the zone's clocks show this full hour. */
export function nextLocalHour(instantMs: number, hour: number, zone: string): number {
  const midnight = startOfDay(wallAt(instantMs, zone));
  for (let day = 0; ; day += 1) {
    const candidate = instantOf(midnight + day * DAY_MS + hour * HOUR_MS, zone);
    if (candidate >= instantMs) return candidate;
  }
}

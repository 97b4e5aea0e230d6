const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** One slot of a schedule, as docs/behaviour.md 9 tells it. */
export interface Slot {
  days: number;
  gapHours: number;
  /** Moved on to a payday within 96 hours, if there is one. */
  payday: boolean;
}

/** The issuer's main zone of the test cards, which are from the United States. */
const ZONE = 'America/New_York';
const MORNING = 10;
const JITTER_MIN_MAX = 45;

/**
 * Holds a planned charge to its slot: not before it nor before the gap, on the next ten o'clock in the morning of the
 * card's country, a payday on top where the schedule waits for one, and never more than the jitter after the hour.
 */
export function expectSlot(
  plannedFor: string | null,
  slot: Slot | undefined,
  { anchorAt, lastAt }: { anchorAt: string; lastAt: string | null },
): void {
  if (plannedFor === null || slot === undefined) throw new Error('nothing is planned');
  const at = new Date(plannedFor).getTime();
  const gapEndsMs = lastAt === null ? -Infinity : new Date(lastAt).getTime() + slot.gapHours * HOUR_MS;
  const earliestMs = Math.max(new Date(anchorAt).getTime() + slot.days * DAY_MS, gapEndsMs);
  const afterMs = at - earliestMs;
  const paydayMs = slot.payday ? 4 * DAY_MS : 0;
  // A day with 25 hours is possible: the clocks of the zone go back once a year.
  const latestMs = 25 * HOUR_MS + paydayMs + JITTER_MIN_MAX * 60_000;
  const where = `planned for ${plannedFor}, slot of ${slot.days} days from ${anchorAt}`;
  if (afterMs < 0 || afterMs > latestMs) throw new Error(`${where}: ${Math.round(afterMs / HOUR_MS)} h after its slot`);
  const { hour, minute } = wallClock(at);
  if (hour !== MORNING || minute > JITTER_MIN_MAX) throw new Error(`${where}: at ${hour}:${minute} in ${ZONE}`);
}

function wallClock(instantMs: number): { hour: number; minute: number } {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: ZONE,
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  const parts = new Map(format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]));
  return { hour: parts.get('hour') ?? NaN, minute: parts.get('minute') ?? NaN };
}

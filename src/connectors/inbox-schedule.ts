const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** Between the tries of one event. The first are close: another process may just be working on the same debt. */
const DELAYS_MS = [SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE];

/** After so many tries an operator is told, and it is tried once an hour from then on: it is never dropped. */
export const TRIES_MAX = DELAYS_MS.length;
const PARKED_MS = 60 * MINUTE;

/** When an event is taken up again after its n-th try, and since when it is parked. Pure. */
export function afterTry(
  tries: number,
  now: Date,
  askedMs: number | undefined,
): { dueAt: Date; parkedAt: Date | null } {
  const delayMs = DELAYS_MS[tries - 1];
  if (delayMs === undefined) return { dueAt: new Date(now.getTime() + PARKED_MS), parkedAt: now };
  return { dueAt: new Date(now.getTime() + Math.max(delayMs, askedMs ?? 0)), parkedAt: null };
}

import { isClosed } from '../../src/recovery/blackout.js';
import type { OutcomeFacts } from '../../src/recovery/decide.js';
import type { ScheduleGroup } from '../../src/recovery/facts.js';
import { DAY_MS, HOUR_MS, offsetMsAt, startOfDay, wallAt } from '../../src/recovery/local-time.js';
import type { SeenAttempt } from '../../src/recovery/network-limits.js';
import { nextCharge, type NextCharge } from '../../src/recovery/schedule.js';
import { AMOUNT, type History } from './histories.js';

/** The figures of network-rules, written down once more: the checks must not read the table they check. */
const DAY_DECLINES_MAX = 9;
const MONTH_DECLINES_MAX = 34;
const CEILING = 15;
const DEBIT_REPRESENTMENTS_MAX = 2;

/** Visa's category 1, as far as the histories send it: in any spelling. */
const CATEGORY_1: ReadonlySet<string> = new Set(['14', '43', '7', 'r3']);

function broken(property: string, facts: object): never {
  throw new Error(`${property}: ${JSON.stringify(facts)}`);
}

/** No limit is exceeded in any window that holds our charge, by all that was known when it was made. */
export function checkLimits(history: History, known: readonly SeenAttempt[], ours: SeenAttempt): void {
  const brand = history.paymentMethodType ?? history.signals[0]?.brand ?? null;
  if (brand === null) return;
  const declines = [...known, ours].filter((one) => one.declined);
  const ofAmount = declines.filter((one) => one.amountMinor === AMOUNT.amountMinor);
  if (brand === 'us_bank_account') {
    const ofDebt = declines.filter((one) => one.ofThisDebt !== false);
    if (ofDebt.length > 1 + DEBIT_REPRESENTMENTS_MAX)
      broken('a debit was presented too often', { times: times(ofDebt) });
    return;
  }
  if (brand === 'mastercard') {
    checkWindows(declines, ours, DAY_MS, DAY_DECLINES_MAX);
    checkWindows(ofAmount, ours, 30 * DAY_MS, MONTH_DECLINES_MAX);
    checkStops(known, ours);
    return;
  }
  if (brand === 'visa') checkNever(known, ours);
  checkWindows(withoutFirst(ofAmount), ours, 30 * DAY_MS, history.policy.visaReattemptsMax ?? CEILING);
}

function times(attempts: readonly SeenAttempt[]): string[] {
  return attempts.map((one) => one.at.toISOString());
}

/** The first decline of all is no re-attempt. */
function withoutFirst(declines: SeenAttempt[]): SeenAttempt[] {
  return [...declines].sort((a, b) => a.at.getTime() - b.at.getTime()).slice(1);
}

/** Every window of that length that ends at an attempt and holds ours: the fullest windows end at one. */
function checkWindows(declines: readonly SeenAttempt[], ours: SeenAttempt, lengthMs: number, max: number): void {
  if (!declines.includes(ours)) return;
  const oursMs = ours.at.getTime();
  const allMs = declines.map((one) => one.at.getTime());
  for (const endMs of allMs) {
    if (endMs < oursMs || endMs - lengthMs >= oursMs) continue;
    let inside = 0;
    for (const atMs of allMs) if (atMs <= endMs && atMs > endMs - lengthMs) inside += 1;
    if (inside > max)
      broken(`${inside} declines in a window of ${lengthMs / HOUR_MS} h`, { times: times(declines), ours: ours.at });
  }
}

/** A card that Visa's category 1 refused, on whichever debt, is never charged again. */
function checkNever(known: readonly SeenAttempt[], ours: SeenAttempt): void {
  const never = known.find(({ declined, networkDeclineCode }) => declined && CATEGORY_1.has(networkDeclineCode ?? ''));
  if (never) broken('a card was charged after category 1', { never, ours: ours.at });
}

function checkStops(known: readonly SeenAttempt[], ours: SeenAttempt): void {
  const oursMs = ours.at.getTime();
  for (const { at, declined, networkAdviceCode } of known) {
    const stops = declined && (networkAdviceCode === '03' || networkAdviceCode === '21');
    if (stops && oursMs - at.getTime() < 30 * DAY_MS)
      broken('a card was charged within 30 days of a stop', { at, ours: ours.at });
  }
}

/** The instant lies after every earliest time, before the deadline's last hour, in no gap and in no blackout. */
export function checkDue(facts: OutcomeFacts, dueAt: Date, group: ScheduleGroup, waitMs: number | null): void {
  const { policy, round, now, limitsFreeAt } = facts;
  const row = policy.rows[group];
  const dueMs = dueAt.getTime();
  if (Number.isNaN(dueMs)) broken('no instant', facts);
  if (dueMs < now.getTime()) broken('due in the past', facts);
  if (dueMs > round.deadlineAt.getTime() - HOUR_MS) broken('due after the last hour', facts);
  if (round.lastAttemptAt && dueMs < round.lastAttemptAt.getTime() + row.gapHours * HOUR_MS)
    broken('within the gap', facts);
  if (policy.notBefore && dueAt < policy.notBefore) broken('before notBefore', facts);
  if (limitsFreeAt?.freeAt && dueAt < limitsFreeAt.freeAt) broken('before a limit frees', facts);
  if (limitsFreeAt && limitsFreeAt.freeAt === null) broken('after a limit that never frees', facts);
  if (waitMs !== null && dueMs < now.getTime() + waitMs) broken("before a network's wait ends", facts);
  if (isClosed(wallAt(dueMs, policy.timezone), policy.blackoutHours ?? [])) broken('in a blackout', facts);
  checkLocalHour(facts, group);
}

/** Without jitter and blackout a charge comes at the local hour, unless the clocks skip that hour on that day. */
function checkLocalHour(facts: OutcomeFacts, group: ScheduleGroup): void {
  const { policy, round, now } = facts;
  const { localHour } = policy.rows[group];
  if (localHour === null || (policy.blackoutHours ?? []).length > 0) return;
  const earliestAt = facts.limitsFreeAt?.freeAt ?? null;
  const next = nextCharge(policy, group, round, { now, earliestAt, jitter: 0 });
  if (next.kind === 'none') return;
  for (const instantMs of [next.placement.localMs, next.placement.paydayMs]) {
    const wall = wallAt(instantMs, policy.timezone);
    const today = startOfDay(wall) + localHour * HOUR_MS;
    // Left out, the hour is taken where the clocks go on: 23:00 of the day before may so become 0:00.
    const wanted = wall >= today ? today : today - DAY_MS;
    if (wall !== wanted && isShown(wanted, policy.timezone)) broken('not at the local hour', facts);
  }
}

/** True when the zone's clocks show that wall time at all: with the offset of the day before, or of the day after. */
function isShown(wall: number, zone: string): boolean {
  return [-DAY_MS, DAY_MS].some((aside) => {
    const instantMs = wall - offsetMsAt(wall + aside, zone);
    return wallAt(instantMs, zone) === wall;
  });
}

/** One failure more never makes the next charge earlier: one of ours, or one of others on the same card. */
export function checkLater(facts: OutcomeFacts, group: ScheduleGroup): void {
  const { policy, round, now } = facts;
  // A share of jitter shrinks with the way from the last attempt: the schedule itself is compared without it.
  const moment = { now, earliestAt: facts.limitsFreeAt?.freeAt ?? null, jitter: 0 };
  const before = dueMsOf(nextCharge(policy, group, round, moment));
  const ours = {
    ...round,
    scheduledTaken: round.scheduledTaken + 1,
    chargesMade: round.chargesMade + 1,
    lastAttemptAt: now,
  };
  if (dueMsOf(nextCharge(policy, group, ours, moment)) < before)
    broken('earlier after one failure more of ours', facts);
  const others = { ...round, lastAttemptAt: now };
  if (dueMsOf(nextCharge(policy, group, others, moment)) < before)
    broken('earlier after one failure more of others', facts);
}

/** Never is later than any instant. */
function dueMsOf(next: NextCharge): number {
  return next.kind === 'due' ? next.dueAt.getTime() : Infinity;
}

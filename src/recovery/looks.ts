import type { Loss } from './facts.js';
import { DAY_MS, HOUR_MS } from './local-time.js';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

/** When a lost answer is looked for, counted from the loss; daily after these to the seventh day, then weekly. */
export const RECONCILE_LOOK_DELAYS_MS: readonly number[] = [
  10 * SECOND_MS,
  60 * SECOND_MS,
  5 * MINUTE_MS,
  HOUR_MS,
  6 * HOUR_MS,
  24 * HOUR_MS,
];

/** From this age of a loss a look that finds no change means: not executed. A gateway may still be at work before. */
export const SETTLED_AFTER_MS = 60 * SECOND_MS;

/**
 * A gateway keeps an idempotency key for 24 hours at least; one hour less leaves room for a slow call.
 * @see https://docs.stripe.com/api/idempotent_requests
 */
const KEY_LIFE_MS = 23 * HOUR_MS;

/** A critical alert asks an operator from then on; the looks go on weekly. */
export const LOST_FOR_TOO_LONG_MS = 7 * DAY_MS;
export const PENDING_FOR_TOO_LONG_MS = 30 * DAY_MS;

/** The next look for a lost answer, always after `now`: no open recovery is ever without one. */
export function nextLookAt(lostAt: Date, now: Date): Date {
  const ageMs = now.getTime() - lostAt.getTime();
  const early = RECONCILE_LOOK_DELAYS_MS.find((delayMs) => delayMs > ageMs);
  return new Date(lostAt.getTime() + (early ?? nextStepMs(ageMs, DAY_MS, LOST_FOR_TOO_LONG_MS)));
}

/** The next reading of a payment that is at the bank: daily for 30 days, then weekly. */
export function nextBankPollAt(pendingSince: Date, now: Date): Date {
  const ageMs = Math.max(0, now.getTime() - pendingSince.getTime());
  return new Date(pendingSince.getTime() + nextStepMs(ageMs, DAY_MS, PENDING_FOR_TOO_LONG_MS));
}

/** The next reading of a payment that the customer must authenticate: hourly for three days, then every six hours, and at the deadline. */
export function nextAuthenticationPollAt(since: Date, now: Date, deadlineAt: Date): Date {
  const ageMs = Math.max(0, now.getTime() - since.getTime());
  const stepMs = ageMs < 3 * DAY_MS ? HOUR_MS : 6 * HOUR_MS;
  const nextMs = since.getTime() + (Math.floor(ageMs / stepMs) + 1) * stepMs;
  return new Date(Math.min(nextMs, deadlineAt.getTime()));
}

/** The first multiple of `stepMs` after an age; once past `weeklyFromMs`, whole weeks after that. */
function nextStepMs(ageMs: number, stepMs: number, weeklyFromMs: number): number {
  if (ageMs < weeklyFromMs) return (Math.floor(ageMs / stepMs) + 1) * stepMs;
  return weeklyFromMs + (Math.floor((ageMs - weeklyFromMs) / (7 * DAY_MS)) + 1) * 7 * DAY_MS;
}

export interface NotExecutedFacts {
  loss: Loss;
  /** When the reply was lost; after a crash, when the attempt was opened. */
  lostAt: Date;
  /** When the attempt's key was first sent, on the gateway's clock as far as known. */
  firstSentAt: Date;
  now: Date;
}

/**
 * What may follow a look that found no change. A 5xx is replayed under its key for ever, so only a new key helps; a
 * lost reply goes out again under the same key, which can not charge twice while the gateway still knows it.
 */
export function whatNotExecutedAllows(facts: NotExecutedFacts): 'look_again' | 'resend_same_key' | 'new_attempt' {
  const nowMs = facts.now.getTime();
  if (nowMs - facts.lostAt.getTime() < SETTLED_AFTER_MS) return 'look_again';
  if (facts.loss === 'received_5xx') return 'new_attempt';
  return nowMs - facts.firstSentAt.getTime() < KEY_LIFE_MS ? 'resend_same_key' : 'new_attempt';
}

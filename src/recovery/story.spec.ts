import { describe, expect, it } from '@jest/globals';

import { adviceFor, isHeld } from './advice.js';
import { decideAfterOutcome } from './decide.js';
import { routeDecline } from './decline.js';
import type { Decision, DeclineSignals, Outcome, RoundFacts, Route, State } from './facts.js';
import { decideFirstStep } from './first-step.js';
import { endReasonOf, stateOf } from './lifecycle.js';
import { DAY_MS, HOUR_MS } from './local-time.js';
import { snapshotPolicy } from './policy.js';
import { defaultDeadline } from './schedule.js';

// The main story, row by row: what `/execute` answers, how the recovery ends, and what the merchant is told.

const NOW = new Date('2026-06-03T09:00:00Z');

const policy = snapshotPolicy({
  request: null,
  client: { policy: null, timezone: 'UTC', billingCycleDay: null },
  cardCountry: 'US',
});

function signals(declineCode: string): DeclineSignals {
  const none = { errorCode: null, adviceCode: null, networkDeclineCode: null, networkAdviceCode: null };
  return { ...none, declineCode, brand: 'visa' };
}

const declined = (code: string): Outcome => ({ kind: 'declined', signals: signals(code) });

interface Story {
  /** The state that `/execute` answers with. */
  now: State;
  chargesInRequest: number;
  /** Days from acceptance to the first retry; null when there is none. */
  firstRetryDay: number | null;
  end: State;
  endReason: string | null;
  charges: number;
  lastChargeDay: number;
  advice: string;
  detail: string | null;
  held: boolean;
}

/** Plays one debt to its end: the token answers `answers` in turn, and its last answer for ever. */
function play(original: string | null, answers: Outcome[], failedAt: Date | null = null): Story {
  const round: RoundFacts = {
    anchorAt: failedAt ?? NOW,
    openedAt: NOW,
    deadlineAt: defaultDeadline(NOW),
    scheduledTaken: 0,
    chargesMade: 0,
    lastAttemptAt: failedAt,
  };
  let route: Route | null = original === null ? null : routeDecline(signals(original));
  let decision = firstDecision(original, round, failedAt, answers);
  const story = {
    now: stateOf(decision.next),
    chargesInRequest: round.chargesMade,
    firstRetryDay: null as number | null,
  };
  if (decision.outcome) route = routeOf(decision.outcome, route);
  while (decision.next.kind === 'retry') {
    const at: Date = decision.next.dueAt;
    story.firstRetryDay ??= Math.floor((at.getTime() - NOW.getTime()) / DAY_MS);
    round.scheduledTaken += 1;
    decision = charge(round, at, answers, original !== null);
    if (decision.outcome) route = routeOf(decision.outcome, route);
  }
  const end = stateOf(decision.next);
  const endReason = endReasonOf(decision.next);
  const detail = decision.next.kind === 'failed' ? decision.next.detail : null;
  const advice = adviceFor({ state: end, endReason, route, detail, charges: round.chargesMade });
  return {
    ...story,
    end,
    endReason,
    charges: round.chargesMade,
    lastChargeDay: ((round.lastAttemptAt ?? NOW).getTime() - NOW.getTime()) / DAY_MS,
    advice: advice.recommendedAction,
    detail: advice.recommendedActionDetail,
    held: isHeld({ endReason, route, recommendedAction: advice.recommendedAction, simulated: false }),
  };
}

function routeOf(outcome: Outcome, before: Route | null): Route | null {
  return outcome.kind === 'declined' ? routeDecline(outcome.signals) : before;
}

interface Step {
  next: Decision;
  outcome: Outcome | null;
}

function firstDecision(original: string | null, round: RoundFacts, failedAt: Date | null, answers: Outcome[]): Step {
  const facts = { binPrefix: null, paymentMethodType: 'card', cardCountry: 'US', cardOrigin: null };
  const card = { cardChangedSince: false, hasFallback: false, tokenReusable: true, failedAt, limitsFreeAt: null };
  const sent = original === null ? null : signals(original);
  const decide = (lookFoundNone: boolean) =>
    decideFirstStep({ ...facts, ...card, signals: sent, lookFoundNone, now: NOW, policy, round, jitter: 0 });
  const looked = decide(false);
  const step = looked.kind === 'look' ? decide(true) : looked;
  switch (step.kind) {
    case 'charge':
      return charge(round, NOW, answers, failedAt !== null);
    case 'queue':
      return { next: { kind: 'retry', dueAt: step.dueAt, attemptsRemaining: 0, rule: step.rule }, outcome: null };
    case 'fail':
      return { next: { ...step, kind: 'failed' }, outcome: null };
    case 'authenticate':
      return { next: { kind: 'action_required', dueAt: NOW, rule: step.rule }, outcome: null };
    case 'block':
      return { next: { kind: 'blocked', rule: step.rule }, outcome: null };
    case 'look':
      throw new Error('A look that found nothing must not ask for another.');
  }
}

function charge(round: RoundFacts, now: Date, answers: Outcome[], anchored: boolean): Step {
  const outcome = answers[round.chargesMade] ?? answers.at(-1) ?? { kind: 'succeeded' as const };
  if (round.chargesMade === 0 && !anchored) round.anchorAt = now;
  round.chargesMade += 1;
  round.lastAttemptAt = now;
  const facts = { outcome, policy, round, now, jitter: 0, fallbackLeft: false, tokenReusable: true, binPrefix: null };
  return { next: decideAfterOutcome(facts), outcome };
}

const PAID: Outcome[] = [{ kind: 'succeeded' }];
const SPENT = {
  end: 'failed',
  endReason: 'exhausted',
  advice: 'request_card_update',
  detail: null,
  held: true,
} as const;
const BLOCKED = {
  now: 'blocked',
  end: 'blocked',
  endReason: 'never_charge',
  firstRetryDay: null,
  held: false,
} as const;
const HARD = { now: 'failed', end: 'failed', firstRetryDay: null, held: false } as const;
const WAITS = { now: 'action_required', end: 'action_required', endReason: null } as const;

describe('the main story', () => {
  it('collects at once', () => {
    expect(play(null, PAID)).toMatchObject({
      now: 'succeeded',
      chargesInRequest: 1,
      end: 'succeeded',
      endReason: null,
    });
  });

  it('tries an unlucky card four times, on days 2 to 15', () => {
    const story = play(null, [declined('do_not_honor')]);
    expect(story).toMatchObject({ ...SPENT, now: 'queued', chargesInRequest: 1, firstRetryDay: 2, charges: 4 });
    expect(story.lastChargeDay).toBeGreaterThanOrEqual(9);
    expect(story.lastChargeDay).toBeLessThanOrEqual(15);
  });

  it.each(['fraudulent', 'fraud_suspected'])('never charges after %s', (code) => {
    expect(play(code, PAID)).toMatchObject({ ...BLOCKED, charges: 0, advice: 'manual_review' });
    expect(play(null, [declined(code)])).toMatchObject({ ...BLOCKED, charges: 1, advice: 'manual_review' });
  });

  it('hands authentication to the customer', () => {
    const told = { advice: 'request_card_update', detail: 'authenticate' };
    expect(play('authentication_required', PAID)).toMatchObject({ ...WAITS, ...told, charges: 0 });
    expect(play(null, [declined('authentication_required')])).toMatchObject({ ...WAITS, ...told, charges: 1 });
  });

  it('waits three days and a payday for funds', () => {
    const story = play('insufficient_funds', PAID);
    expect(story).toMatchObject({ now: 'queued', chargesInRequest: 0, end: 'succeeded', charges: 1 });
    expect(story.lastChargeDay * DAY_MS).toBeGreaterThanOrEqual(72 * HOUR_MS);
    expect(story.lastChargeDay).toBeLessThanOrEqual(3 + 1 + 4);
  });

  it('collects on the third charge of a card that declines twice', () => {
    const answers = [declined('insufficient_funds'), declined('insufficient_funds'), ...PAID];
    expect(play('insufficient_funds', answers)).toMatchObject({ end: 'succeeded', charges: 3 });
  });

  it.each(['insufficient_funds', 'card_velocity_exceeded', 'withdrawal_count_limit_exceeded'])('queues %s', (code) => {
    const story = play(code, [declined(code)]);
    expect(story).toMatchObject({ ...SPENT, now: 'queued', chargesInRequest: 0, charges: 4 });
    expect(story.firstRetryDay).toBeGreaterThanOrEqual(3);
  });

  it.each(['do_not_honor', 'generic_decline', 'card_declined', 'call_issuer'])('charges after %s', (code) => {
    expect(play(code, PAID)).toMatchObject({ now: 'succeeded', chargesInRequest: 1 });
    expect(play(code, [declined(code)])).toMatchObject({ ...SPENT, now: 'queued', firstRetryDay: 2, charges: 4 });
  });

  it('waits for day 2 after a decline of an hour ago', () => {
    const story = play('do_not_honor', PAID, new Date(NOW.getTime() - HOUR_MS));
    expect(story).toMatchObject({ now: 'queued', chargesInRequest: 0, firstRetryDay: 2, end: 'succeeded' });
  });

  it.each([
    'expired_card',
    'incorrect_cvc',
    'incorrect_number',
    'invalid_account',
    'card_not_supported',
    'transaction_not_allowed',
    'do_not_try_again',
  ])('ends at once after %s', (code) => {
    const told = { endReason: 'hard_decline', advice: 'request_card_update' };
    expect(play(code, PAID)).toMatchObject({ ...HARD, ...told, charges: 0 });
    expect(play(null, [declined(code)])).toMatchObject({ ...HARD, ...told, charges: 1 });
  });

  it.each(['lost_card', 'stolen_card', 'pickup_card', 'restricted_card'])('blocks %s', (code) => {
    expect(play(code, PAID)).toMatchObject({ ...BLOCKED, charges: 0, advice: 'request_card_update' });
  });

  it.each(['revocation_of_authorization', 'stop_payment_order'])('blocks %s, for a review', (code) => {
    expect(play(code, PAID)).toMatchObject({ ...BLOCKED, charges: 0, advice: 'manual_review' });
  });

  it.each(['processing_error', 'issuer_not_available', 'try_again_later'])('repeats %s next morning', (code) => {
    expect(play(code, PAID)).toMatchObject({ now: 'succeeded', chargesInRequest: 1 });
    const story = play(code, [declined(code)]);
    expect(story).toMatchObject({ ...SPENT, now: 'queued', chargesInRequest: 1, charges: 4 });
    expect(story.firstRetryDay).toBeLessThanOrEqual(1);
    expect(story.lastChargeDay).toBeGreaterThanOrEqual(3);
    expect(story.lastChargeDay).toBeLessThanOrEqual(4.1);
  });

  it('charges after the look for a timed-out charge', () => {
    expect(play('gateway_timeout', PAID)).toMatchObject({ now: 'succeeded', chargesInRequest: 1 });
  });

  it.each(['duplicate_transaction', 'invalid_amount', 'testmode_decline', 'api_key_expired'])('reviews %s', (code) => {
    const told = { endReason: 'configuration', advice: 'manual_review' };
    expect(play(code, PAID)).toMatchObject({ ...HARD, ...told, charges: 0 });
  });

  it('treats an unlisted code with care', () => {
    const story = play('zz_9', [declined('zz_9')]);
    expect(story).toMatchObject({ ...SPENT, now: 'queued', chargesInRequest: 0, charges: 4 });
    expect(story.firstRetryDay).toBeGreaterThanOrEqual(2);
  });

  it.each(['insufficient_funds', 'do_not_honor', 'zz_9'])('blocks as soon as a retry after %s says stolen', (code) => {
    const story = play(code, [declined(code), declined('stolen_card')]);
    expect(story).toMatchObject({ now: 'queued', end: 'blocked', endReason: 'never_charge', charges: 2, held: false });
    expect(story.advice).toBe('request_card_update');
  });

  it('looks for a lost answer before anything else', () => {
    const story = play(null, [{ kind: 'unknown', loss: 'lost_reply' }]);
    expect(story).toMatchObject({ now: 'reconciling', end: 'reconciling', charges: 1, advice: 'monitor' });
  });
});

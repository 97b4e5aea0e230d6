import { routeDecline } from './decline.js';
import { latestEarliest, ruleOfPlacement } from './earliest.js';
import type { Decision, DeclineSignals, Outcome, Policy, Route, RoundFacts, Rule } from './facts.js';
import { nextAuthenticationPollAt, nextBankPollAt, nextLookAt } from './looks.js';
import type { LimitHold } from './network-limits.js';
import { rule } from './rules.js';
import { attemptsRemaining, nextCharge } from './schedule.js';

export interface OutcomeFacts {
  outcome: Outcome;
  policy: Policy;
  /** Already counts this charge, unless it turned out never to have been executed. */
  round: RoundFacts;
  now: Date;
  /** In [0, 1). */
  jitter: number;
  /** A consented fallback token that this recovery has not charged yet. */
  fallbackLeft: boolean;
  /** False for a token without a customer: it was charged once and can not be again. */
  tokenReusable: boolean;
  binPrefix: string | null;
  paymentMethodType?: string | null;
  /** When the reply was lost; `now` when left out. */
  lostAt?: Date | null;
  /** Since when the payment has been at the bank, or waiting for the customer; `now` when left out. */
  waitingSince?: Date | null;
  /** The network's limit that holds the next attempt on this card back; null while all allow it now. */
  limitsFreeAt?: LimitHold | null;
  /** A look found a payment of this customer and amount: the debt may have been paid already. */
  similarPaymentFound?: boolean;
  /** This recovery has replaced a canceled payment before: once is enough. */
  paymentReplaced?: boolean;
}

/** Decides what follows one charge, or one reading of it. Pure: the same facts give the same decision. */
export function decideAfterOutcome(facts: OutcomeFacts): Decision {
  const { outcome, now } = facts;
  switch (outcome.kind) {
    case 'succeeded':
      return { kind: 'succeeded', rule: rule('outcome_succeeded') };
    case 'declined':
      return decideAfterDecline(facts, outcome.signals);
    case 'pending': // At the bank: wait, never retry.
      return {
        kind: 'await_bank',
        dueAt: nextBankPollAt(facts.waitingSince ?? now, now),
        rule: rule('outcome_pending'),
      };
    case 'requires_action':
      return awaitAuthentication(facts, rule('outcome_requires_action'));
    case 'requires_capture': // The money is held: charging again could take it twice.
      return { kind: 'failed', endReason: 'possibly_paid', detail: 'possibly_paid', rule: rule('outcome_held') };
    case 'canceled':
      return decideAfterCancel(facts, outcome.by);
    case 'unknown':
      return { kind: 'reconcile', dueAt: nextLookAt(facts.lostAt ?? now, now), rule: rule('outcome_unknown') };
  }
}

function hintsOf({ binPrefix, paymentMethodType }: Pick<OutcomeFacts, 'binPrefix' | 'paymentMethodType'>) {
  return { binPrefix, paymentMethodType: paymentMethodType ?? null };
}

function decideAfterDecline(facts: OutcomeFacts, signals: DeclineSignals): Decision {
  const route = routeDecline(signals, hintsOf(facts));
  if (route.neverCharge) return { kind: 'blocked', rule: route.rule };
  if (route.firstStep === 'authenticate') return awaitAuthentication(facts, route.rule);
  if (route.bucket === 'configuration') return decideConfiguration(facts, route);
  if (facts.fallbackLeft && route.retryable !== 'yes' && attemptLeft(facts)) return fallback();
  if (!facts.tokenReusable) return decideSpentToken(facts);
  if (route.retryable !== 'yes') return { kind: 'failed', endReason: 'hard_decline', detail: null, rule: route.rule };
  return decideRetry(facts, route);
}

/** Neither a retry nor another card mends these; one of them says that the debt may have been paid already. */
function decideConfiguration(facts: OutcomeFacts, route: Route): Decision {
  const paid = facts.similarPaymentFound === true;
  return paid
    ? { kind: 'failed', endReason: 'possibly_paid', detail: 'possibly_paid', rule: rule('look_first') }
    : { kind: 'failed', endReason: 'configuration', detail: null, rule: route.rule };
}

function decideSpentToken(facts: OutcomeFacts): Decision {
  if (facts.fallbackLeft && attemptLeft(facts)) return fallback();
  const detail = 'token_not_reusable';
  return { kind: 'failed', endReason: 'token_not_reusable', detail, rule: rule('token_not_reusable') };
}

/** The same token while the schedule has room, then a fallback token, then the end. */
function decideRetry(facts: OutcomeFacts, route: Route): Decision {
  const { policy, round, now, jitter } = facts;
  // A gateway's own back-off row has no schedule: as a decline it is a technical one.
  const group = route.group ?? 'technical';
  const hold = facts.limitsFreeAt ?? null;
  const earliest = latestEarliest(route, now, hold, policy);
  const next = nextCharge(policy, group, round, { now, earliestAt: earliest?.at ?? null, jitter });
  const by = ruleOfPlacement(earliest, next.placement, next.rule);
  if (next.kind === 'due' && hold !== null && hold.freeAt === null) return decideNeverAgain(facts, hold.rule);
  if (next.kind === 'due') {
    const remaining = attemptsRemaining(policy, group, round);
    return { kind: 'retry', dueAt: next.dueAt, attemptsRemaining: remaining, rule: by, placement: next.placement };
  }
  if (facts.fallbackLeft && attemptLeft(facts)) return fallback();
  return { kind: 'failed', endReason: next.endReason, detail: null, rule: by };
}

export type HeldFacts = Pick<OutcomeFacts, 'policy' | 'round' | 'now' | 'jitter' | 'fallbackLeft'> & {
  hold: LimitHold;
  /** What the newest decline means; null before any. */
  route: Route | null;
  /** False for a charge that was asked for by hand, or of a new card: it waits for the limit, and for no slot. */
  scheduled: boolean;
};

/** Decides what follows a charge that is due and that a network's limit refuses. Pure. */
export function decideHeldCharge({ hold, route, scheduled, ...facts }: HeldFacts): Decision {
  const group = route?.group ?? 'ambiguous';
  const { policy, round, now, jitter } = facts;
  if (hold.freeAt === null) return decideNeverAgain(facts, hold.rule);
  const remaining = attemptsRemaining(policy, group, round);
  if (!scheduled && hold.freeAt < round.deadlineAt) {
    return { kind: 'retry', dueAt: hold.freeAt, attemptsRemaining: Math.max(1, remaining), rule: hold.rule };
  }
  const next = nextCharge(policy, group, round, { now, earliestAt: hold.freeAt, jitter });
  if (next.kind === 'due') return { kind: 'retry', dueAt: next.dueAt, attemptsRemaining: remaining, rule: hold.rule };
  if (facts.fallbackLeft && attemptLeft(facts)) return fallback();
  return { kind: 'failed', endReason: next.endReason, detail: null, rule: hold.rule };
}

/** The schedule has room, but the network never allows this card again: another one has limits of its own. */
function decideNeverAgain(facts: Pick<OutcomeFacts, 'policy' | 'round' | 'now' | 'fallbackLeft'>, by: Rule): Decision {
  if (facts.fallbackLeft && attemptLeft(facts)) return fallback();
  return { kind: 'failed', endReason: 'hard_decline', detail: null, rule: by };
}

function fallback(): Decision {
  return { kind: 'fallback', rule: rule('fallback_token') };
}

function attemptLeft({ policy, round, now }: Pick<OutcomeFacts, 'policy' | 'round' | 'now'>): boolean {
  return round.chargesMade < policy.attemptsMax && now < round.deadlineAt;
}

function decideAfterCancel(facts: OutcomeFacts, by: 'us' | 'gateway' | 'other'): Decision {
  // We cancel the payment of an open recovery only to make another; the gateway's own expiry is no word of the merchant.
  if (by !== 'other' && facts.paymentReplaced !== true)
    return { kind: 'replace_payment', rule: rule('payment_replaced') };
  return { kind: 'cancelled', endReason: 'voided', rule: rule('payment_canceled') };
}

function awaitAuthentication(facts: OutcomeFacts, by: Decision['rule']): Decision {
  const { now, round } = facts;
  if (now >= round.deadlineAt) {
    return { kind: 'failed', endReason: 'not_authenticated', detail: 'authenticate', rule: rule('not_authenticated') };
  }
  const dueAt = nextAuthenticationPollAt(facts.waitingSince ?? now, now, round.deadlineAt);
  return { kind: 'action_required', dueAt, rule: by };
}

/**
 * What a reading of a payment in `action_required` leads to. Only money, the bank, a cancel or the deadline ends the
 * wait: a failed try of the customer's leaves it open.
 */
export function decideAfterAuthenticationLook(facts: OutcomeFacts): Decision {
  switch (facts.outcome.kind) {
    case 'succeeded':
    case 'pending':
    case 'requires_capture':
    case 'canceled':
      return decideAfterOutcome(facts);
    case 'declined':
    case 'requires_action':
    case 'unknown':
      return awaitAuthentication(facts, rule('outcome_requires_action'));
  }
}

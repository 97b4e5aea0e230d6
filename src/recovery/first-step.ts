import type {
  DeclineSignals,
  EndReason,
  FirstStep,
  Placement,
  Policy,
  Route,
  RoundFacts,
  Rule,
  ScheduleGroup,
  State,
} from './facts.js';
import { routeDecline } from './decline.js';
import { latestEarliest, ruleOfPlacement } from './earliest.js';
import type { LimitHold } from './network-limits.js';
import { rule } from './rules.js';
import { isFirstSlotAhead, nextCharge } from './schedule.js';
import { strictness } from './signals.js';

export interface FirstStepFacts {
  /** How the failed charge was declined; null when nothing was said about it. */
  signals: DeclineSignals | null;
  binPrefix: string | null;
  paymentMethodType: string | null;
  /** ISO 3166 alpha-2 of the issuer as the gateway reads the card; null when not known. */
  cardCountry: string | null;
  /** The merchant's own word for it, used only where the gateway is silent. */
  cardOrigin: string | null;
  /** The gateway's card behind the token is newer than the one that was declined. */
  cardChangedSince: boolean;
  /** A fallback token is left, and the customer consented to its use. */
  hasFallback: boolean;
  /** False for a token without a customer: the gateway lets it be charged once. */
  tokenReusable: boolean;
  /** When the failed charge failed; null when not known. */
  failedAt: Date | null;
  /** True once the look of a `look` step found no payment that may have been made. */
  lookFoundNone: boolean;
  now: Date;
  policy: Policy;
  round: RoundFacts;
  /** The network's limit that holds the next attempt on this card back; null while all allow it now. */
  limitsFreeAt: LimitHold | null;
  /** In [0, 1). */
  jitter: number;
}

export type FirstStepDecision = { rule: Rule; route: Route | null } & (
  | { kind: 'charge'; token: 'primary' | 'fallback' }
  | { kind: 'queue'; dueAt: Date; token: 'primary' | 'fallback'; placement?: Placement }
  /** Read what may have been paid; when none is found decide again with `lookFoundNone`. */
  | { kind: 'look'; then: 'charge' | 'fail' }
  | { kind: 'fail'; endReason: EndReason; detail: string | null }
  | { kind: 'authenticate' }
  | { kind: 'block' }
);

/** What `/execute` does first. Pure; the order of its checks is the order of precedence. */
export function decideFirstStep(facts: FirstStepFacts): FirstStepDecision {
  const route = facts.signals && routeDecline(facts.signals, facts);
  const { step, by } = strictestStep(facts, route);
  switch (step) {
    case 'block':
      return { kind: 'block', route, rule: by };
    case 'authenticate':
      return { kind: 'authenticate', route, rule: by };
    case 'fail':
      return decideFail(facts, route, by);
    case 'look_then_fail':
      if (facts.lookFoundNone) return decideFail(facts, route, by);
      return { kind: 'look', then: 'fail', route, rule: rule('look_first', route?.code ?? undefined) };
    case 'look_then_charge':
      if (facts.lookFoundNone) return chargeUnlessHeldBack(facts, route, by);
      return { kind: 'look', then: 'charge', route, rule: rule('look_first', route?.code ?? undefined) };
    case 'charge':
      return decideCharge(facts, route, by);
    case 'queue':
      return decideQueue(facts, route, by);
  }
}

/** Where a first step leaves the recovery; null where the charge, or the look, that comes next decides. */
export function stateAfterFirstStep(
  step: FirstStepDecision,
): { state: State; endReason: EndReason | null; detail: string | null } | null {
  switch (step.kind) {
    case 'charge':
    case 'look':
      return null;
    case 'queue':
      return { state: 'queued', endReason: null, detail: null };
    case 'fail':
      return { state: 'failed', endReason: step.endReason, detail: step.detail };
    case 'authenticate':
      return { state: 'action_required', endReason: null, detail: null };
    case 'block':
      return { state: 'blocked', endReason: 'never_charge', detail: null };
  }
}

/** India's issuers refuse every off-session charge without a mandate: only the customer can clear it. */
export function needsMandate(cardCountry: string | null | undefined): boolean {
  return cardCountry?.toUpperCase() === 'IN';
}

function strictestStep(facts: FirstStepFacts, route: Route | null): { step: FirstStep; by: Rule } {
  const step = route?.firstStep ?? 'charge';
  const country = facts.cardCountry ?? facts.cardOrigin;
  // A card that would not be charged anyway needs no authentication: it would not help.
  if (needsMandate(country) && strictness(step) < strictness('fail')) {
    return { step: 'authenticate', by: rule('india_without_mandate') };
  }
  return { step, by: route?.rule ?? rule('no_code') };
}

function decideFail(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  // Neither a newer nor another card mends an amount, an account or an open dispute.
  if (route?.bucket === 'configuration')
    return { kind: 'fail', endReason: 'configuration', detail: null, route, rule: by };
  if (facts.cardChangedSince) return chargeUnlessHeldBack(facts, route, rule('card_changed'));
  if (facts.hasFallback) return chargeFallback(facts, route);
  return { kind: 'fail', endReason: 'hard_decline', detail: null, route, rule: by };
}

function decideCharge(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  if (!facts.tokenReusable) return chargeUnlessHeldBack(facts, route, rule('token_not_reusable'));
  switch (facts.policy.firstCharge) {
    case 'now':
      return chargeUnlessHeldBack(facts, route, rule('first_charge_now'));
    case 'scheduled':
      return queueToSlot(facts, route, rule('first_charge_scheduled'));
    case 'auto': {
      const row = facts.policy.rows[groupOf(route)];
      const repeats = !facts.cardChangedSince && facts.failedAt && isFirstSlotAhead(row, facts.failedAt, facts.now);
      if (repeats) return queueToSlot(facts, route, rule('first_slot_ahead'));
      return chargeUnlessHeldBack(facts, route, by);
    }
  }
}

function decideQueue(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  if (!facts.tokenReusable) return chargeUnlessHeldBack(facts, route, rule('token_not_reusable'));
  if (facts.policy.firstCharge === 'now') return chargeUnlessHeldBack(facts, route, rule('first_charge_now'));
  return queueToSlot(facts, route, by);
}

/** A charge now, unless the merchant, the network's advice or the network's limits say later. */
function chargeUnlessHeldBack(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  const { notBefore } = facts.policy;
  if (notBefore && notBefore > facts.now) return queueToSlot(facts, route, rule('not_before'));
  const waitEndsAt = networkWaitEnd(facts, route);
  if (waitEndsAt && waitEndsAt > facts.now) return queueToSlot(facts, route, rule('network_wait'));
  const hold = facts.limitsFreeAt;
  if (hold && (hold.freeAt === null || hold.freeAt > facts.now)) return queueToSlot(facts, route, hold.rule);
  return facts.now >= facts.round.deadlineAt ? over(route) : { kind: 'charge', token: 'primary', route, rule: by };
}

/** A debt that could be read only after its deadline is not charged any more. */
function over(route: Route | null): FirstStepDecision {
  return { kind: 'fail', endReason: 'deadline', detail: null, route, rule: rule('deadline_passed') };
}

/** Another card: waits and limits of the declined one do not bind it, the merchant's own start does. */
function chargeFallback(facts: FirstStepFacts, route: Route | null): FirstStepDecision {
  const { notBefore } = facts.policy;
  if (notBefore && notBefore > facts.now) {
    return { kind: 'queue', dueAt: notBefore, token: 'fallback', route, rule: rule('not_before') };
  }
  if (facts.now >= facts.round.deadlineAt) return over(route);
  return { kind: 'charge', token: 'fallback', route, rule: rule('fallback_token') };
}

function queueToSlot(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  const { policy, round, now, jitter, limitsFreeAt, failedAt } = facts;
  if (limitsFreeAt && limitsFreeAt.freeAt === null) return neverAgain(facts, route, limitsFreeAt.rule);
  const waiting = facts.cardChangedSince ? null : route;
  const earliest = latestEarliest(waiting, failedAt ?? now, limitsFreeAt, policy);
  const next = nextCharge(policy, groupOf(route), round, { now, earliestAt: earliest?.at ?? null, jitter });
  const named = ruleOfPlacement(earliest, next.placement, next.kind === 'due' ? by : next.rule);
  return next.kind === 'due'
    ? { kind: 'queue', dueAt: next.dueAt, token: 'primary', route, rule: named, placement: next.placement }
    : { kind: 'fail', endReason: next.endReason, detail: null, route, rule: named };
}

/** The network's limit never frees for this card; another one has limits of its own. */
function neverAgain(facts: FirstStepFacts, route: Route | null, by: Rule): FirstStepDecision {
  if (facts.hasFallback) return chargeFallback(facts, route);
  return { kind: 'fail', endReason: 'hard_decline', detail: null, route, rule: by };
}

/** A network's wait counts from the decline; from now where its time is not known, which is never too early. */
function networkWaitEnd(facts: FirstStepFacts, route: Route | null): Date | null {
  if (route?.waitMs == null || facts.cardChangedSince) return null;
  return new Date((facts.failedAt ?? facts.now).getTime() + route.waitMs);
}

/** Without a code, or after a code that stops the old card, further charges run as after an ambiguous decline. */
function groupOf(route: Route | null): ScheduleGroup {
  return route?.group ?? 'ambiguous';
}

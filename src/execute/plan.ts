import { FORCED_FAILURE_AMOUNT } from '../engine/event-composer.js';
import { withPriorCode } from '../engine/prior-attempts.js';
import type { Recovery } from '../engine/recovery.js';
import { roundFactsOf } from '../engine/recovery.js';
import { foreignCharges, holdOn, seenOfForeign } from '../engine/seen-charges.js';
import { isHeld } from '../recovery/advice.js';
import { decideAfterOutcome } from '../recovery/decide.js';
import { routeDecline } from '../recovery/decline.js';
import type {
  Decision,
  DeclineSignals,
  EndReason,
  FirstStep,
  Placement,
  Route,
  RoundFacts,
} from '../recovery/facts.js';
import { decideFirstStep, type FirstStepDecision, type FirstStepFacts } from '../recovery/first-step.js';
import type { SeenAttempt } from '../recovery/network-limits.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { placementWords } from '../recovery/placement-words.js';

export interface PlannedStep {
  at: string;
  kind: 'charge' | 'recovery.failed';
  reason: string;
  rule: string;
}

export interface RecoveryPlan {
  firstStep: FirstStep;
  rule: string;
  deadlineAt: string;
  plan: PlannedStep[];
  warnings: string[];
}

/** No schedule has as many steps; a plan that had would be a bug, and must not run for ever. */
const STEPS_MAX = 20;

/**
 * What would happen to this request, as if each charge declined like the last, without jitter. Pure: nothing is read at
 * a gateway, so the card's country, a changed card and the original charge are not known here.
 */
export function planRecovery(asked: Recovery, now: Date, holdMinutes: number): RecoveryPlan {
  const recovery = withPriorCode(asked);
  const { binPrefix, paymentMethodType } = hintsOf(recovery);
  // Of the card only what the request tells is known.
  const seen = foreignCharges(recovery).map(seenOfForeign);
  const facts: FirstStepFacts = {
    signals: recovery.originalSignals,
    binPrefix,
    paymentMethodType,
    cardCountry: null,
    cardOrigin: recovery.hints.cardOrigin ?? null,
    cardChangedSince: false,
    hasFallback: recovery.fallbackLeft > 0,
    tokenReusable: true,
    failedAt: recovery.lastAttemptAt,
    lookFoundNone: false,
    now,
    policy: recovery.policy,
    round: roundFactsOf(recovery),
    limitsFreeAt: holdOn(recovery, seen, now),
    jitter: 0,
  };
  const first = decideFirstStep(facts);
  // As if a look found nothing: what it finds is not known here.
  const step = first.kind === 'look' ? decideFirstStep({ ...facts, lookFoundNone: true }) : first;
  const signals = recovery.originalSignals ?? { ...NO_SIGNALS, declineCode: 'generic_decline' };
  return {
    firstStep: wordOf(first),
    rule: first.rule.name,
    deadlineAt: recovery.deadlineAt.toISOString(),
    plan: stepsAfter(step, first.kind === 'look', { recovery, signals, seen, now, holdMinutes }),
    warnings: warningsOf(recovery, first),
  };
}

function hintsOf(recovery: Recovery): { binPrefix: string | null; paymentMethodType: string | null } {
  const { binPrefix, paymentMethodType } = recovery.hints;
  return { binPrefix: binPrefix ?? null, paymentMethodType: paymentMethodType ?? null };
}

function wordOf(first: FirstStepDecision): FirstStep {
  return first.kind === 'look' ? (first.then === 'charge' ? 'look_then_charge' : 'look_then_fail') : first.kind;
}

/** What the planned charges are decided from. */
interface Story {
  recovery: Recovery;
  signals: DeclineSignals;
  /** Charges of the card that the request tells of. */
  seen: readonly SeenAttempt[];
  now: Date;
  holdMinutes: number;
}

function stepsAfter(step: FirstStepDecision, looks: boolean, story: Story): PlannedStep[] {
  const { now } = story;
  const afterLook = looks ? ', after the look' : '';
  const rule = step.rule.name;
  switch (step.kind) {
    case 'block':
    case 'authenticate':
      return [];
    case 'look':
      throw new Error('a look that found nothing asks for another');
    case 'fail': {
      const end = ended(story, step.endReason, step.route, now, rule);
      return [{ ...end, reason: `${looks ? 'possibly_paid, else ' : ''}${end.reason}${afterLook}` }];
    }
    case 'charge':
      return charges(story, { at: now, reason: `in the request${afterLook}`, rule }, step.token);
    case 'queue':
      return charges(story, { at: step.dueAt, reason: `${scheduled(step.placement)}${afterLook}`, rule }, step.token);
  }
}

function scheduled(placement: Placement | undefined): string {
  return placement === undefined ? 'scheduled' : `scheduled: ${placementWords(placement)}`;
}

interface Planned {
  at: Date;
  reason: string;
  rule: string;
}

function charges(story: Story, start: Planned, token: 'primary' | 'fallback'): PlannedStep[] {
  const { recovery, signals, now } = story;
  const steps: PlannedStep[] = [];
  let round: RoundFacts = roundFactsOf(recovery);
  let next = start;
  let fallbackLeft = recovery.fallbackLeft - (token === 'fallback' ? 1 : 0);
  // A fallback token is another card, with limits of its own.
  let seen = token === 'fallback' ? [] : story.seen;
  while (steps.length < STEPS_MAX) {
    steps.push({ at: next.at.toISOString(), kind: 'charge', reason: next.reason, rule: next.rule });
    round = charged(round, recovery, next.at, next.at > now);
    seen = [...seen, attemptOf(recovery, signals, next.at)];
    const decision = afterDecline(story, seen, round, next.at, fallbackLeft > 0);
    if (decision.kind === 'fallback') {
      fallbackLeft -= 1;
      seen = [];
      next = { at: next.at, reason: 'fallback token', rule: decision.rule.name };
    } else if (decision.kind === 'retry') {
      next = { at: decision.dueAt, reason: scheduled(decision.placement), rule: decision.rule.name };
    } else {
      return [...steps, ...endOf(decision, story, next.at)];
    }
  }
  throw new Error('a plan did not end');
}

function attemptOf({ amountMinor, currency }: Recovery, signals: DeclineSignals, at: Date): SeenAttempt {
  const { networkDeclineCode, networkAdviceCode } = signals;
  return { at, declined: true, amountMinor, currency, networkDeclineCode, networkAdviceCode };
}

function charged(round: RoundFacts, recovery: Recovery, at: Date, scheduled: boolean): RoundFacts {
  return {
    ...round,
    anchorAt: recovery.anchorAt ?? (scheduled ? round.anchorAt : at),
    lastAttemptAt: at,
    chargesMade: round.chargesMade + 1,
    scheduledTaken: round.scheduledTaken + (scheduled ? 1 : 0),
  };
}

function afterDecline(
  { recovery, signals }: Story,
  seen: readonly SeenAttempt[],
  round: RoundFacts,
  at: Date,
  fallbackLeft: boolean,
): Decision {
  const outcome = { kind: 'declined' as const, signals };
  const facts = { outcome, policy: recovery.policy, round, now: at, jitter: 0, fallbackLeft, tokenReusable: true };
  return decideAfterOutcome({ ...facts, ...hintsOf(recovery), limitsFreeAt: holdOn(recovery, seen, at) });
}

/** Only `recovery.failed` is a step of its own: a block or an authentication asks for something else. */
function endOf(decision: Decision, story: Story, at: Date): PlannedStep[] {
  if (decision.kind !== 'failed') return [];
  const route = routeDecline(story.signals, hintsOf(story.recovery));
  return [ended(story, decision.endReason, route, at, decision.rule.name)];
}

/** The round's `recovery.failed`, when it is sent: held as when the event is composed. */
function ended(
  { recovery, holdMinutes }: Story,
  endReason: EndReason,
  route: Route | null,
  at: Date,
  rule: string,
): PlannedStep {
  // Nothing of a simulation is held.
  const simulated = recovery.simulateOutcome !== null || recovery.amountRequestedMinor === FORCED_FAILURE_AMOUNT;
  const recommendedAction = route?.finalAction ?? 'request_card_update';
  const held = holdMinutes > 0 && isHeld({ endReason, route, recommendedAction, simulated });
  const sentAt = held ? new Date(at.getTime() + holdMinutes * 60_000) : at;
  const reason = held ? `${endReason}, held ${holdMinutes} minutes` : endReason;
  return { at: sentAt.toISOString(), kind: 'recovery.failed', reason, rule };
}

function warningsOf(recovery: Recovery, first: FirstStepDecision): string[] {
  const warnings = ['The gateway was not read: the card, its country and the original charge may change this plan.'];
  if (recovery.originalSignals === null) warnings.push('No decline code was given: planned as generic_decline.');
  if (first.route && !first.route.listed) warnings.push('The decline code is not listed: treated with care.');
  if (first.kind === 'block') warnings.push('Answered with 403 blocked; nothing is charged.');
  if (first.kind === 'authenticate') warnings.push('Answered with 403; the customer must authenticate the payment.');
  if (recovery.simulateOutcome !== null) {
    warnings.push('simulateOutcome was sent: an execute would pretend that outcome, and charge nothing.');
  }
  if (recovery.hints.zoneOpen === true && recovery.hints.cardOrigin === undefined)
    warnings.push('No time zone is set: UTC, unless the card names a country.');
  return warnings;
}

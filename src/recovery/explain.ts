import { adviceFor, type FullAdvice } from './advice.js';
import { decideAfterOutcome } from './decide.js';
import { routeDecline } from './decline.js';
import type { Decision, DeclineSignals, Policy, Route, RoundFacts, Rule } from './facts.js';
import { decideFirstStep, type FirstStepDecision, stateAfterFirstStep } from './first-step.js';
import { endReasonOf, stateOf } from './lifecycle.js';
import { type LimitHold, limitOptionsOf, limitsFreeAt, type SeenAttempt } from './network-limits.js';
import { rule } from './rules.js';
import { defaultDeadline } from './schedule.js';
import { networkOf } from './signals.js';
import { type Weighed, weighRules } from './weighed-rules.js';

export interface ExplainFacts {
  signals: DeclineSignals;
  paymentMethodType: string | null;
  /** ISO 3166 alpha-2 of the card's issuer. */
  cardCountry: string | null;
  policy: Policy;
  /** Our charges so far, each declined with these signals; the first at `at`. None: the code is named in the request. */
  attempts: number;
  /** When the request came. */
  at: Date;
}

/** A charge that was or will be made, as if each were declined alike, without jitter. */
export interface Instant {
  number: number;
  at: Date;
  rule: string;
}

/** What follows an answer that is no decline: nothing was charged, and no attempt is counted. */
export type NoDecline = { rule: Rule } & (
  | { kind: 'account_refused' } // Charging pauses for the whole client.
  | { kind: 'call_repeated' } // In seconds.
);

export interface Explanation {
  decision: Decision | FirstStepDecision | NoDecline;
  route: Route;
  /** The code says nothing about the money: the decision holds only if the payment reads neither paid nor running. */
  readFirst: boolean;
  /** Null where the charge, or the look, that comes next decides. */
  advice: FullAdvice | null;
  /** Every rule that was weighed, in the order of precedence, and which of them won. */
  weighed: Weighed[];
  /** The charges made so far. */
  made: Instant[];
  next: Instant[];
  /** Why nothing follows the last of them. */
  end: Decision | null;
}

// One amount: limits that count by amount count them all.
const AMOUNT = { amountMinor: 2500, currency: 'USD' };

/** No round has as many charges; one that had would be a bug, and must not run for ever. */
const CHARGES_MAX = 20;

interface Story {
  facts: ExplainFacts;
  round: RoundFacts;
  made: Instant[];
}

/**
 * Explains one decision: what it is, which rules were weighed and which won, and the instants that follow. It asks the
 * functions that decide, and adds no rule. Fewer charges than asked for are played when the round ends before.
 */
export function explainDecision(facts: ExplainFacts): Explanation {
  const story: Story = { facts, round: openedRound(facts), made: [] };
  const route = routeDecline(facts.signals, facts);
  if (facts.attempts === 0) return explainFirstStep(story, route);
  if (route.scope === 'account') return explainNoDecline(story, route, 'account_refused');
  if (route.scope === 'back_off') return explainNoDecline(story, route, 'call_repeated');
  let decision = charge(story, facts.at, 'initial');
  while (decision.kind === 'retry' && story.made.length < facts.attempts) {
    decision = charge(story, decision.dueAt, decision.rule.name);
  }
  const made = [...story.made];
  const weighed = weighRules({ ...weighedFacts(story, route), decision });
  // No end of a declined charge needs its detail told: the end reason implies it.
  const after = { state: stateOf(decision), endReason: endReasonOf(decision), detail: null };
  const advice = adviceFor({ ...after, route, charges: made.length });
  const readFirst = route.scope === 'read_first';
  return { decision, route, readFirst, advice, weighed, made, ...playOn(story, decision) };
}

/** The recovery waits in `queued`, as if the call had never been made. */
function explainNoDecline(story: Story, route: Route, kind: NoDecline['kind']): Explanation {
  const decision: NoDecline = { kind, rule: rule(kind) };
  const weighed = weighRules({ ...weighedFacts(story, route), decision });
  const advice = adviceFor({ state: 'queued', endReason: null, detail: null, route, charges: 0 });
  return { decision, route, readFirst: false, advice, weighed, made: [], next: [], end: null };
}

function openedRound({ at }: ExplainFacts): RoundFacts {
  const deadlineAt = defaultDeadline(at);
  return { anchorAt: at, openedAt: at, deadlineAt, scheduledTaken: 0, chargesMade: 0, lastAttemptAt: null };
}

function explainFirstStep(story: Story, route: Route): Explanation {
  const { facts, round } = story;
  const decision = decideFirstStep({
    signals: facts.signals,
    binPrefix: null,
    paymentMethodType: facts.paymentMethodType,
    cardCountry: facts.cardCountry,
    cardOrigin: null,
    cardChangedSince: false,
    hasFallback: false,
    tokenReusable: true,
    failedAt: null,
    lookFoundNone: false,
    now: facts.at,
    policy: facts.policy,
    round,
    limitsFreeAt: null,
    jitter: 0,
  });
  const weighed = weighRules({ ...weighedFacts(story, route), decision });
  const state = stateAfterFirstStep(decision);
  const advice = state && adviceFor({ ...state, route, charges: 0 });
  const told = { decision, route, readFirst: false, advice, weighed, made: [] };
  const firstAt = firstChargeAt(decision, facts.at);
  if (firstAt === null) return { ...told, next: [], end: null };
  const after = charge(story, firstAt, decision.rule.name, decision.kind === 'queue');
  const { next, end } = playOn(story, after);
  return { ...told, next: [...story.made.slice(0, 1), ...next], end };
}

function firstChargeAt(step: FirstStepDecision, at: Date): Date | null {
  if (step.kind === 'queue') return step.dueAt;
  return step.kind === 'charge' || (step.kind === 'look' && step.then === 'charge') ? at : null;
}

function weighedFacts({ facts, round, made }: Story, route: Route) {
  const now = made.at(-1)?.at ?? facts.at;
  return { ...facts, route, round, now, seen: seenAttempts(facts, made), amount: AMOUNT };
}

/** Makes one charge that is declined, and decides what follows it. */
function charge(story: Story, at: Date, by: string, scheduled = story.made.length > 0): Decision {
  const { facts, round, made } = story;
  if (made.length >= CHARGES_MAX) throw new Error('A round did not end.');
  made.push({ number: made.length + 1, at, rule: by });
  story.round = {
    ...round,
    chargesMade: round.chargesMade + 1,
    scheduledTaken: round.scheduledTaken + (scheduled ? 1 : 0),
    lastAttemptAt: at,
  };
  return decideAfterOutcome({
    outcome: { kind: 'declined', signals: facts.signals },
    policy: facts.policy,
    round: story.round,
    now: at,
    jitter: 0,
    fallbackLeft: false,
    tokenReusable: true,
    binPrefix: null,
    paymentMethodType: facts.paymentMethodType,
    limitsFreeAt: holdOf(facts, made, at),
  });
}

function holdOf(facts: ExplainFacts, made: Instant[], at: Date): LimitHold | null {
  const network = networkOf(facts.signals, facts);
  return limitsFreeAt(seenAttempts(facts, made), network, AMOUNT, at, limitOptionsOf(facts.policy));
}

function seenAttempts({ signals }: ExplainFacts, made: Instant[]): SeenAttempt[] {
  const { networkDeclineCode, networkAdviceCode } = signals;
  return made.map(({ at }) => ({ at, declined: true, ...AMOUNT, networkDeclineCode, networkAdviceCode }));
}

function playOn(story: Story, decision: Decision): { next: Instant[]; end: Decision | null } {
  const made = story.made.length;
  let last = decision;
  while (last.kind === 'retry') last = charge(story, last.dueAt, last.rule.name);
  return { next: story.made.slice(made), end: last };
}

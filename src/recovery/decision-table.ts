import { adviceFor, type AdviceFacts, isHeld } from './advice.js';
import { decideAfterOutcome } from './decide.js';
import { routeDecline } from './decline.js';
import type { Bucket, DeclineSignals, EndReason, Policy, Route, RoundFacts, State } from './facts.js';
import { decideFirstStep, type FirstStepDecision, stateAfterFirstStep } from './first-step.js';
import { endReasonOf, stateOf } from './lifecycle.js';
import { HOUR_MS } from './local-time.js';
import { snapshotPolicy } from './policy.js';
import { defaultDeadline } from './schedule.js';
import { BUCKETS, TABLES } from './tables.js';
import { customerText } from './wording.js';

/** What was charged before the decision: nothing yet, or a charge that was declined with the group's codes. */
export const HISTORIES = {
  named: 'named in the request, nothing charged yet',
  declined: 'a charge declined, retries left',
  fallback: 'a charge declined, a consented fallback token left',
  spent: 'a charge declined, the last of the round',
} as const;
export type History = keyof typeof HISTORIES;

export const DEADLINES = { ahead: 'ahead', near: 'within the hour', passed: 'passed' } as const;
export type Deadline = keyof typeof DEADLINES;

/** One line of the table: what the merchant reads, and how long it waits before it is sent. */
export interface Verdict {
  /** Where the recovery stands, or what is done next where that decides. */
  then: State | 'charged now' | 'fallback charged now' | 'looks, then charges' | 'looks, then fails';
  endReason: EndReason | null;
  recommendedAction: string | null;
  /** `recommendedActionReason`, for the merchant's own people. */
  reason: string | null;
  detail: string | null;
  /** What the customer may be shown; '' means: say nothing. Null where the next charge decides. */
  customer: string | null;
  willRetry: boolean | null;
  final: boolean | null;
  hold: boolean;
}

export interface VerdictLine {
  history: History | 'any';
  deadline: Deadline | 'any';
  verdict: Verdict;
}

/** Codes that every history and deadline treats alike. */
export interface CodeGroup {
  bucket: Bucket;
  codes: string[];
  lines: VerdictLine[];
}

// Any instant serves: the table says what follows, not when. A Wednesday noon, so that a morning and a payday fit.
const NOW = new Date('2026-06-03T12:00:00Z');

const POLICY: Policy = snapshotPolicy({
  request: null,
  client: { policy: null, timezone: 'UTC', billingCycleDay: null },
  cardCountry: null,
});

/** An unlisted code, and a decline that names none, stand beside the listed ones. */
export const UNLISTED_NAME = '(a code no table lists)';
export const NO_CODE_NAME = '(no code given)';

const HISTORY_NAMES = Object.keys(HISTORIES) as History[];
const DEADLINE_NAMES = Object.keys(DEADLINES) as Deadline[];

/**
 * The advice of every code that is routed as a decline, by bucket, history and deadline: asked of the same functions
 * that decide, so that the table can not say anything else than the engine does. Codes treated alike share a group.
 */
export function decisionTable(): CodeGroup[] {
  const groups = new Map<string, CodeGroup>();
  for (const [code, signals] of routedCodes()) {
    const route = routeDecline(signals);
    const lines = folded(linesOf(signals, route));
    const key = JSON.stringify([route.bucket, lines]);
    const group = groups.get(key) ?? { bucket: route.bucket, codes: [], lines };
    group.codes.push(code);
    groups.set(key, group);
  }
  const rank = (group: CodeGroup) => BUCKETS.indexOf(group.bucket);
  return [...groups.values()].sort((a, b) => rank(a) - rank(b) || b.codes.length - a.codes.length);
}

function routedCodes(): [string, DeclineSignals][] {
  const none = { errorCode: null, adviceCode: null, networkDeclineCode: null, networkAdviceCode: null, brand: null };
  const listed = [...TABLES.declines.values()]
    .filter((row) => row.scope === 'debt')
    // A text of both kinds is looked up as decline code: its other row never speaks alone.
    .filter((row) => row.kind === 'decline_code' || !TABLES.declines.has(`decline_code:${row.code}`))
    .map((row): [string, DeclineSignals] => [`\`${row.code}\``, { ...none, declineCode: row.code }]);
  return [
    ...listed,
    [UNLISTED_NAME, { ...none, declineCode: 'not_in_any_table' }],
    [NO_CODE_NAME, { ...none, declineCode: null }],
  ];
}

function linesOf(signals: DeclineSignals, route: Route): VerdictLine[] {
  return HISTORY_NAMES.flatMap((history) =>
    DEADLINE_NAMES.map((deadline) => ({ history, deadline, verdict: verdictOf(signals, route, history, deadline) })),
  );
}

function verdictOf(signals: DeclineSignals, route: Route, history: History, deadline: Deadline): Verdict {
  const round = roundOf(history, deadline);
  if (history === 'named') return afterFirstStep(firstStepOf(signals, round), route);
  const charges = round.chargesMade;
  const decision = decideAfterOutcome({
    outcome: { kind: 'declined', signals },
    policy: POLICY,
    round,
    now: NOW,
    jitter: 0,
    fallbackLeft: history === 'fallback',
    tokenReusable: true,
    binPrefix: null,
  });
  if (decision.kind === 'fallback') return open('fallback charged now');
  // No end of a declined charge needs its detail told: the end reason implies it.
  return told({ state: stateOf(decision), endReason: endReasonOf(decision), detail: null, route, charges });
}

function roundOf(history: History, deadline: Deadline): RoundFacts {
  const chargesMade = { named: 0, declined: 1, fallback: 1, spent: POLICY.attemptsMax }[history];
  const deadlineMs = {
    ahead: defaultDeadline(NOW).getTime(),
    near: NOW.getTime() + HOUR_MS / 2,
    passed: NOW.getTime(),
  };
  return {
    anchorAt: NOW,
    openedAt: NOW,
    deadlineAt: new Date(deadlineMs[deadline]),
    scheduledTaken: Math.max(0, chargesMade - 1),
    chargesMade,
    lastAttemptAt: NOW,
  };
}

function firstStepOf(signals: DeclineSignals, round: RoundFacts): FirstStepDecision {
  return decideFirstStep({
    signals,
    binPrefix: null,
    paymentMethodType: null,
    cardCountry: null,
    cardOrigin: null,
    cardChangedSince: false,
    hasFallback: false,
    tokenReusable: true,
    failedAt: null,
    lookFoundNone: false,
    now: NOW,
    policy: POLICY,
    round,
    limitsFreeAt: null,
    jitter: 0,
  });
}

function afterFirstStep(step: FirstStepDecision, route: Route): Verdict {
  const after = stateAfterFirstStep(step);
  if (after !== null) return told({ ...after, route, charges: 0 });
  if (step.kind === 'look') return open(step.then === 'charge' ? 'looks, then charges' : 'looks, then fails');
  return open('charged now');
}

/** Nothing is told yet: the charge, or the look, that comes next decides. */
function open(then: Verdict['then']): Verdict {
  const silent = { endReason: null, recommendedAction: null, reason: null, detail: null, customer: null };
  return { then, ...silent, willRetry: null, final: null, hold: false };
}

function told(facts: AdviceFacts): Verdict {
  const { state, endReason, route } = facts;
  const { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry, final } = adviceFor(facts);
  return {
    then: state,
    endReason,
    recommendedAction,
    reason: recommendedActionReason,
    detail: recommendedActionDetail,
    customer: customerText(route, final),
    willRetry,
    final,
    hold: isHeld({ endReason, route, recommendedAction, simulated: false }),
  };
}

/** Lines that agree are told once: first over the deadlines of a history, then over all histories. */
function folded(lines: VerdictLine[]): VerdictLine[] {
  const byHistory = HISTORY_NAMES.flatMap((history) => {
    const own = lines.filter((line) => line.history === history);
    return allAlike(own) ? own.slice(0, 1).map((line) => ({ ...line, deadline: 'any' as const })) : own;
  });
  return allAlike(byHistory) ? byHistory.slice(0, 1).map((line) => ({ ...line, history: 'any' as const })) : byHistory;
}

function allAlike(lines: VerdictLine[]): boolean {
  return new Set(lines.map((line) => JSON.stringify(line.verdict))).size === 1;
}

import { decideAfterOutcome, type OutcomeFacts } from '../../src/recovery/decide.js';
import { routeDecline } from '../../src/recovery/decline.js';
import type { Decision, DeclineSignals, RoundFacts } from '../../src/recovery/facts.js';
import { type LimitHold, limitsFreeAt, type SeenAttempt } from '../../src/recovery/network-limits.js';
import { checkDue, checkLater, checkLimits } from './checks.js';
import { AMOUNT, type History } from './histories.js';

/** What the runs came across, so that a run that tested nothing does not pass for one that did. */
export interface Seen {
  histories: number;
  decisions: number;
  retries: number;
  charges: number;
  /** Decisions and charges that a network limit put off or refused. */
  held: number;
  ends: Map<string, number>;
}

export function nothingSeen(): Seen {
  return { histories: 0, decisions: 0, retries: 0, charges: 0, held: 0, ends: new Map() };
}

interface Table {
  history: History;
  attempts: SeenAttempt[];
  round: RoundFacts;
  /** Our charges in the order made: how many so far picks the code, jitter and lateness. */
  charges: number;
  seen: Seen;
}

/** A round ends after eight charges at most. */
const STEPS_MAX = 12;

/** Plays one debt to its end and checks every decision. @throws {Error} that names the broken property. */
export function playHistory(history: History, seen: Seen): void {
  seen.histories += 1;
  const table = opened(history, seen);
  let now = new Date(history.openedMs);
  let decision = history.chargedInRequest ? charge(table, now) : decide(table, now);
  for (let step = 0; decision?.kind === 'retry'; step += 1) {
    if (step >= STEPS_MAX) throw new Error('a round did not end');
    foreignCharge(table, now);
    const madeAt = new Date(decision.dueAt.getTime() + pick(history.lateMs, table.charges, 0));
    table.round = { ...table.round, scheduledTaken: table.round.scheduledTaken + 1 };
    decision = charge(table, madeAt);
    now = table.round.lastAttemptAt ?? madeAt;
  }
  const end =
    decision === null ? 'refused at the charge' : decision.kind === 'failed' ? decision.endReason : decision.kind;
  seen.ends.set(end, (seen.ends.get(end) ?? 0) + 1);
}

function opened(history: History, seen: Seen): Table {
  const openedAt = new Date(history.openedMs);
  const failedAt = history.failedAgoMs === null ? null : new Date(history.openedMs - history.failedAgoMs);
  const original: SeenAttempt[] = failedAt ? [{ at: failedAt, declined: true, ...AMOUNT }] : [];
  return {
    history,
    attempts: [...history.before, ...original],
    round: {
      anchorAt: failedAt ?? openedAt,
      openedAt,
      deadlineAt: new Date(history.openedMs + history.deadlineMs),
      scheduledTaken: 0,
      chargesMade: 0,
      lastAttemptAt: failedAt,
    },
    charges: 0,
    seen,
  };
}

function pick<T>(from: readonly T[], index: number, otherwise: T): T {
  return from.length === 0 ? otherwise : (from[index % from.length] ?? otherwise);
}

function signalsOf({ history, charges }: Table): DeclineSignals {
  const [first] = history.signals;
  if (!first) throw new Error('a history has no signals');
  return pick(history.signals, charges, first);
}

function holdAt({ history, attempts }: Table, now: Date): LimitHold | null {
  const brand = history.paymentMethodType ?? history.signals[0]?.brand ?? null;
  const reattemptsMax = history.policy.visaReattemptsMax;
  return limitsFreeAt(attempts, brand, AMOUNT, now, reattemptsMax === undefined ? {} : { reattemptsMax });
}

/** As the engine does: the limits are asked again at the charge, since others charge the card as well. */
function charge(table: Table, dueAt: Date): Decision | null {
  const hold = holdAt(table, dueAt);
  if (hold !== null) table.seen.held += 1;
  if (hold !== null && hold.freeAt === null) return null;
  const now = hold?.freeAt ?? dueAt;
  // Charged the very moment that the limit frees: a millisecond early would already be one too many.
  if (hold !== null && holdAt(table, now) !== null) throw new Error('a limit did not free when it said it would');
  const { networkAdviceCode, networkDeclineCode } = signalsOf(table);
  const ours: SeenAttempt = { at: now, declined: true, ...AMOUNT, networkAdviceCode, networkDeclineCode };
  checkLimits(table.history, table.attempts, ours);
  table.attempts.push(ours);
  table.seen.charges += 1;
  const decision = decide({ ...table, round: charged(table, now) }, now);
  table.round = charged(table, now);
  table.charges += 1;
  return decision;
}

function charged({ round }: Table, now: Date): RoundFacts {
  return { ...round, chargesMade: round.chargesMade + 1, lastAttemptAt: now };
}

function foreignCharge(table: Table, now: Date): void {
  const other = table.history.foreign[table.charges];
  if (other) table.attempts.push({ ...other.attempt, at: new Date(now.getTime() + other.afterMs) });
}

function decide(table: Table, now: Date): Decision {
  const { history, round, seen } = table;
  const signals = signalsOf(table);
  const facts: OutcomeFacts = {
    outcome: { kind: 'declined', signals },
    policy: history.policy,
    round,
    now,
    jitter: pick(history.jitter, table.charges, 0),
    fallbackLeft: false,
    tokenReusable: true,
    binPrefix: null,
    paymentMethodType: history.paymentMethodType,
    limitsFreeAt: holdAt(table, now),
  };
  const decision = decideAfterOutcome(facts);
  seen.decisions += 1;
  if (facts.limitsFreeAt !== null) seen.held += 1;
  if (decision.kind !== 'retry') return decision;
  seen.retries += 1;
  const route = routeDecline(signals, { paymentMethodType: history.paymentMethodType });
  const group = route.group ?? 'technical';
  checkDue(facts, decision.dueAt, group, route.waitMs);
  checkLater(facts, group);
  // Copying the facts takes longer than all other checks: one in sixteen.
  if (seen.retries % 16 === 0) checkSame(facts, decision);
  return decision;
}

/** The same facts, as other objects, give the same decision. */
function checkSame(facts: OutcomeFacts, decision: Decision): void {
  const again = decideAfterOutcome(structuredClone(facts));
  if (JSON.stringify(again) !== JSON.stringify(decision)) throw new Error('same facts, another decision');
}

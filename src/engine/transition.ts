import { adviceFor } from '../recovery/advice.js';
import { assertMove } from '../recovery/lifecycle.js';
import type { Decision, DeclineSignals, EndReason, Route, Rule, State, Trigger } from '../recovery/facts.js';
import { routeDecline } from '../recovery/decline.js';
import { messageFor } from '../recovery/wording.js';
import { quietly, step, type Change } from './change.js';
import type { DueKind, Recovery } from './recovery.js';

/** Who moved a recovery and when, for its timeline. */
export interface Mover {
  at: Date;
  actor: string;
  /** What the decision was made from: codes, outcomes, ids. Never a token or an address. */
  inputs?: Record<string, unknown>;
}

interface Move {
  state: State;
  endReason?: EndReason | null;
  endDetail?: string | null;
  dueAt?: Date | null;
  dueKind?: DueKind | null;
  patch?: Partial<Recovery>;
  type: string;
  rule: Rule;
}

/**
 * Moves a recovery to a state, with the advice and the words that go with it, as one step of the timeline.
 * @throws {Error} for a move that the lifecycle does not know: a bug, stopped before it is stored.
 */
export function move(change: Change, moved: Move, mover: Mover): Change {
  const { state, type, rule, patch } = moved;
  if (change.recovery.sequence > 0) assertMove(change.recovery.state, state);
  const endReason = moved.endReason ?? null;
  const endDetail = moved.endDetail ?? null;
  const route = routeOf({ ...change.recovery, ...patch });
  const charges = chargesOf(change.recovery);
  const paidTwice = state === 'succeeded' && change.recovery.endReason === 'paid_elsewhere';
  const { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry } = adviceFor({
    state,
    endReason,
    detail: endDetail,
    route,
    charges,
    paidTwice,
  });
  return step(
    change,
    {
      ...patch,
      state,
      endReason,
      endDetail,
      dueAt: moved.dueAt ?? null,
      dueKind: moved.dueKind ?? null,
      advice: { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry },
      message: messageFor(state, endReason, charges),
    },
    { type, rule, at: mover.at, actor: mover.actor, ...(mover.inputs ? { inputs: mover.inputs } : {}) },
  );
}

/** Charges of ours that the words of an end speak of; a simulation pretends to have made every one. */
export function chargesOf({ simulateOutcome, policy, attemptCount }: Recovery): number {
  return simulateOutcome === null ? attemptCount : policy.attemptsMax;
}

/** What the newest decline means; null before any. */
export function routeOf(recovery: Recovery): Route | null {
  const signals: DeclineSignals | null = recovery.lastSignals ?? recovery.originalSignals;
  return signals ? routeDecline(signals, hintsOf(recovery)) : null;
}

export function hintsOf(recovery: Pick<Recovery, 'hints'>): {
  binPrefix: string | null;
  paymentMethodType: string | null;
} {
  return {
    binPrefix: recovery.hints.binPrefix ?? null,
    paymentMethodType: recovery.hints.paymentMethodType ?? null,
  };
}

const TYPE_OF: Record<Decision['kind'], string> = {
  succeeded: 'recovered',
  retry: 'retry_scheduled',
  fallback: 'fallback_chosen',
  replace_payment: 'payment_replaced',
  await_bank: 'awaiting_bank',
  reconcile: 'outcome_unknown',
  action_required: 'authentication_required',
  blocked: 'blocked',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** Carries a decision of the core over to the row. Pure: the engine stores what comes out. */
export function applyDecision(change: Change, decision: Decision, trigger: Trigger, mover: Mover): Change {
  const { rule, kind } = decision;
  const to = (moved: Omit<Move, 'rule' | 'type'>) => move(change, { rule, type: TYPE_OF[kind], ...moved }, mover);
  switch (decision.kind) {
    case 'succeeded':
      return to({
        state: 'succeeded',
        patch: {
          ...ended(trigger),
          recoveredAt: mover.at,
          ...(trigger === 'external' ? { strategy: 'external' } : {}),
        },
      });
    case 'retry':
      return to({
        state: 'queued',
        dueAt: decision.dueAt,
        dueKind: 'charge',
        patch: {
          nextTrigger: 'scheduled_retry',
          attemptsRemaining: decision.attemptsRemaining,
          waitingSince: null,
          engineApplied: true,
        },
      });
    case 'fallback':
    case 'replace_payment':
      return to({
        state: 'queued',
        dueAt: mover.at,
        dueKind: 'charge',
        patch: { nextTrigger: trigger, waitingSince: null },
      });
    case 'await_bank':
      return to({ state: 'in_progress', dueAt: decision.dueAt, dueKind: 'settle' });
    case 'reconcile':
      return to({ state: 'reconciling', dueAt: decision.dueAt, dueKind: 'settle' });
    case 'action_required':
      return to({ state: 'action_required', dueAt: decision.dueAt, dueKind: 'authentication' });
    case 'blocked':
      return to({ state: 'blocked', endReason: 'never_charge', patch: ended(trigger) });
    case 'failed':
      return to({ state: 'failed', endReason: decision.endReason, endDetail: decision.detail, patch: ended(trigger) });
    case 'cancelled':
      return closing(to({ state: 'cancelled', endReason: decision.endReason, patch: ended(trigger) }));
  }
}

function ended(trigger: Trigger): Partial<Recovery> {
  return { trigger, waitingSince: null, attemptsRemaining: 0 };
}

/** A cancelled recovery leaves a chore: its payment must not stay open at the gateway, if we made it. */
export function closing(change: Change): Change {
  const { paymentIsOurs, paymentObjectId, paymentObjectKind, simulateOutcome, updatedAt } = change.recovery;
  const ours = paymentIsOurs && paymentObjectKind === 'payment' && paymentObjectId !== null && simulateOutcome === null;
  return ours ? quietly(change, { dueAt: updatedAt, dueKind: 'cancel_payment' }) : change;
}

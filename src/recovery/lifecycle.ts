import { type Decision, END_REASONS, type EndReason, type State, STATES } from './facts.js';

/**
 * How a recovery may move: `progress` within a round, `reopen` by a new card or a manual retry (the next round), and
 * `late_success`, which corrects a closed recovery once. Money's truth only moves up: open < closed < succeeded.
 */
export type Move = 'progress' | 'reopen' | 'late_success';

const CLOSED: readonly State[] = ['failed', 'blocked', 'cancelled', 'holdout'];
/** Something is still due, and the debt is taken. */
export const OPEN_STATES: readonly State[] = ['queued', 'in_progress', 'reconciling', 'action_required'];

/** Where each open state may go; a repeated state is a new due time in it. A hold-out is drawn at acceptance only. */
const PROGRESS: Readonly<Record<State, readonly State[]>> = {
  queued: ['queued', 'in_progress', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled', 'holdout'],
  in_progress: [
    'queued',
    'in_progress',
    'reconciling',
    'action_required',
    'succeeded',
    'failed',
    'blocked',
    'cancelled',
  ],
  reconciling: [
    'queued',
    'in_progress',
    'reconciling',
    'action_required',
    'succeeded',
    'failed',
    'blocked',
    'cancelled',
  ],
  action_required: ['queued', 'in_progress', 'action_required', 'succeeded', 'failed', 'cancelled'],
  succeeded: [],
  failed: [],
  blocked: [],
  cancelled: [],
  holdout: [],
};

/** The states that a recovery may be stored in first: an answer is lost, or a charge made, only after acceptance. */
export const FIRST_STATES: readonly State[] = STATES.filter((state) => state !== 'reconciling');

/** Which kind of move leads from one state to another; null when none does. */
export function moveBetween(from: State, to: State): Move | null {
  if (PROGRESS[from].includes(to)) return 'progress';
  if (!isClosed(from)) return null;
  if (to === 'succeeded') return 'late_success';
  return to === 'queued' || to === 'in_progress' ? 'reopen' : null;
}

/** @throws {Error} for a move that the table does not know: a bug, stopped before it is stored. */
export function assertMove(from: State, to: State): Move {
  const move = moveBetween(from, to);
  if (move === null) throw new Error(`A recovery can not go from ${from} to ${to}.`);
  return move;
}

export function isOpen(state: State): boolean {
  return OPEN_STATES.includes(state);
}

/** Ended without money. */
export function isClosed(state: State): boolean {
  return CLOSED.includes(state);
}

/** No charge may follow now: its outcome would come on top of one that is still unknown. */
export function isOutcomeOpen(state: State): boolean {
  return state === 'in_progress' || state === 'reconciling';
}

/** `status` of the status call and of `existingStatus`. */
export function statusWord(state: State): 'succeeded' | 'failed' | 'blocked' | 'unknown' {
  switch (state) {
    case 'succeeded':
      return 'succeeded';
    case 'failed':
    case 'cancelled':
    case 'holdout':
      return 'failed';
    case 'blocked':
    case 'action_required':
      return 'blocked';
    case 'queued':
    case 'in_progress':
    case 'reconciling':
      return 'unknown';
  }
}

/** `status` of an execute body: as the status call's, but `queued` has a word of its own. */
export function executeStatusWord(state: State): 'succeeded' | 'failed' | 'blocked' | 'queued' | 'unknown' {
  return state === 'queued' ? 'queued' : statusWord(state);
}

/** The HTTP status that answers an execute whose recovery is in that state. */
export function answerStatus(state: State): 200 | 202 | 403 {
  switch (executeStatusWord(state)) {
    case 'succeeded':
    case 'failed':
      return 200;
    case 'blocked':
      return 403;
    case 'queued':
    case 'unknown':
      return 202;
  }
}

/** The state that a decision leads to. */
export function stateOf(decision: Decision): State {
  switch (decision.kind) {
    case 'retry':
      return 'queued';
    case 'fallback':
    case 'replace_payment':
    case 'await_bank':
      return 'in_progress';
    case 'reconcile':
      return 'reconciling';
    case 'action_required':
    case 'succeeded':
    case 'blocked':
    case 'failed':
    case 'cancelled':
      return decision.kind;
  }
}

const CANCEL_REASONS: ReadonlySet<EndReason> = new Set([
  'paid_elsewhere',
  'abandoned',
  'customer_request',
  'voided',
  'uncollectible',
  'subscription_deleted',
  'deauthorised',
  'superseded',
] as const);

/** The closed state that an end reason belongs to. */
export function stateOfEnd(endReason: EndReason): 'failed' | 'blocked' | 'cancelled' | 'holdout' {
  if (endReason === 'never_charge') return 'blocked';
  if (endReason === 'holdout') return 'holdout';
  return CANCEL_REASONS.has(endReason) ? 'cancelled' : 'failed';
}

/** True when state and end reason go together: none while open or after success, a fitting one when closed. */
export function isEndConsistent(state: State, endReason: EndReason | null): boolean {
  if (endReason === null) return !isClosed(state);
  return END_REASONS.includes(endReason) && stateOfEnd(endReason) === state;
}

/** The end reason of a decision; null while it leaves the recovery open, and after success. */
export function endReasonOf(decision: Decision): EndReason | null {
  if (decision.kind === 'blocked') return 'never_charge';
  return decision.kind === 'failed' || decision.kind === 'cancelled' ? decision.endReason : null;
}

export type EndEvent =
  'recovery.success' | 'recovery.failed' | 'recovery.blocked' | 'recovery.cancelled' | 'recovery.holdout';

/** The one event, with `final: true`, that ends a round in that state; null while it is open. */
export function endEventOf(state: State): EndEvent | null {
  switch (state) {
    case 'succeeded':
      return 'recovery.success';
    case 'failed':
    case 'blocked':
    case 'cancelled':
    case 'holdout':
      return `recovery.${state}`;
    case 'queued':
    case 'in_progress':
    case 'reconciling':
    case 'action_required':
      return null;
  }
}

export interface ReopenFacts {
  state: State;
  endReason: EndReason | null;
  /** The card that would be charged has the fingerprint (else the token) of the one charged before. */
  sameCard: boolean;
  /** The network or issuer said never again on that card (do_not_try_again, Mastercard 03 or 21, Visa category 1). */
  cardStopped: boolean;
}

/** Why a closed recovery may not open for another round; null when it may. */
export function reopenObstacle(
  facts: ReopenFacts,
): 'succeeded' | 'paid_elsewhere' | 'blocked_card' | 'stopped_card' | null {
  if (facts.state === 'succeeded') return 'succeeded';
  if (facts.endReason === 'paid_elsewhere') return 'paid_elsewhere';
  if (facts.state === 'blocked' && facts.sameCard) return 'blocked_card';
  return facts.cardStopped && facts.sameCard ? 'stopped_card' : null;
}

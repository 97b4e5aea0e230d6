import { describe, expect, it } from '@jest/globals';

import { type Decision, END_REASONS, type State, STATES } from './facts.js';
import {
  answerStatus,
  assertMove,
  endEventOf,
  endReasonOf,
  executeStatusWord,
  FIRST_STATES,
  isClosed,
  isEndConsistent,
  isOpen,
  isOutcomeOpen,
  type Move,
  moveBetween,
  reopenObstacle,
  stateOf,
  stateOfEnd,
  statusWord,
} from './lifecycle.js';

// One line per state, one letter per state it may go to, in the order of STATES:
// queued, in_progress, reconciling, action_required, succeeded, failed, blocked, cancelled, holdout.
const LETTERS: Record<string, Move | null> = { p: 'progress', r: 'reopen', l: 'late_success', '-': null };
const MATRIX: Record<State, string> = {
  queued: 'pp-pppppp',
  in_progress: 'pppppppp-',
  reconciling: 'pppppppp-',
  action_required: 'pp-ppp-p-',
  succeeded: '---------',
  failed: 'rr--l----',
  blocked: 'rr--l----',
  cancelled: 'rr--l----',
  holdout: 'rr--l----',
};
const pairs = STATES.flatMap((from) =>
  STATES.map((to, index) => [from, to, LETTERS[MATRIX[from][index] ?? '']] as const),
);

describe('the moves of a recovery', () => {
  it('are known for every pair', () => {
    expect(pairs).toHaveLength(81);
    expect(pairs.every(([, , move]) => move !== undefined)).toBe(true);
  });

  it.each(pairs)('from %s to %s: %s', (from, to, move) => {
    expect(moveBetween(from, to)).toBe(move);
    if (move === null) expect(() => assertMove(from, to)).toThrow(`from ${from} to ${to}`);
    else expect(assertMove(from, to)).toBe(move);
  });

  it('never lead down from money, nor from one closed state to another', () => {
    const rank = (state: State) => (isOpen(state) ? 0 : isClosed(state) ? 1 : 2);
    const down = pairs.filter(([from, to, move]) => move && rank(to) < rank(from) && move !== 'reopen');
    const sideways = pairs.filter(([from, to, move]) => move && isClosed(from) && isClosed(to));
    expect([down, sideways]).toEqual([[], []]);
  });

  it('begin anywhere but in a lost answer', () => {
    expect(FIRST_STATES).toEqual(STATES.filter((state) => state !== 'reconciling'));
  });
});

it.each([
  ['queued', 'unknown', 'queued', 202, null, true, false],
  ['in_progress', 'unknown', 'unknown', 202, null, true, true],
  ['reconciling', 'unknown', 'unknown', 202, null, true, true],
  ['action_required', 'blocked', 'blocked', 403, null, true, false],
  ['succeeded', 'succeeded', 'succeeded', 200, 'recovery.success', false, false],
  ['failed', 'failed', 'failed', 200, 'recovery.failed', false, false],
  ['blocked', 'blocked', 'blocked', 403, 'recovery.blocked', false, false],
  ['cancelled', 'failed', 'failed', 200, 'recovery.cancelled', false, false],
  ['holdout', 'failed', 'failed', 200, 'recovery.holdout', false, false],
] as const)('%s reads %s by status and %s (HTTP %i) by execute', (state, status, word, http, event, open, waits) => {
  expect(statusWord(state)).toBe(status);
  expect(executeStatusWord(state)).toBe(word);
  expect(answerStatus(state)).toBe(http);
  expect(endEventOf(state)).toBe(event);
  expect(isOpen(state)).toBe(open);
  expect(isOutcomeOpen(state)).toBe(waits);
  expect(isClosed(state)).toBe(!open && state !== 'succeeded');
});

describe('ends', () => {
  const cancelled =
    'paid_elsewhere abandoned customer_request voided uncollectible subscription_deleted deauthorised superseded';

  it.each(END_REASONS)('%s belongs to one closed state', (endReason) => {
    const expected =
      endReason === 'never_charge'
        ? 'blocked'
        : endReason === 'holdout'
          ? 'holdout'
          : cancelled.split(' ').includes(endReason)
            ? 'cancelled'
            : 'failed';
    expect(stateOfEnd(endReason)).toBe(expected);
    expect(STATES.filter((state) => isEndConsistent(state, endReason))).toEqual([expected]);
  });

  it('have no reason while open and after success, and one when closed', () => {
    const without = STATES.filter((state) => isEndConsistent(state, null));
    expect(without).toEqual(['queued', 'in_progress', 'reconciling', 'action_required', 'succeeded']);
  });

  const rule = { name: 'x', source: 'y' };
  const dueAt = new Date('2026-06-03T09:00:00Z');
  it.each([
    [{ kind: 'succeeded', rule }, 'succeeded', null],
    [{ kind: 'retry', dueAt, attemptsRemaining: 1, rule }, 'queued', null],
    [{ kind: 'fallback', rule }, 'in_progress', null],
    [{ kind: 'replace_payment', rule }, 'in_progress', null],
    [{ kind: 'await_bank', dueAt, rule }, 'in_progress', null],
    [{ kind: 'reconcile', dueAt, rule }, 'reconciling', null],
    [{ kind: 'action_required', dueAt, rule }, 'action_required', null],
    [{ kind: 'blocked', rule }, 'blocked', 'never_charge'],
    [{ kind: 'failed', endReason: 'exhausted', detail: null, rule }, 'failed', 'exhausted'],
    [{ kind: 'cancelled', endReason: 'voided', rule }, 'cancelled', 'voided'],
  ] as [Decision, State, string | null][])('a decision %j leads to %s', (decision, state, endReason) => {
    expect(stateOf(decision)).toBe(state);
    expect(endReasonOf(decision)).toBe(endReason);
    expect(isEndConsistent(stateOf(decision), endReasonOf(decision))).toBe(true);
  });
});

describe('another round', () => {
  const failed = { state: 'failed', endReason: 'exhausted', sameCard: true, cardStopped: false } as const;

  it.each([
    [failed, null],
    [{ ...failed, state: 'succeeded', endReason: null }, 'succeeded'],
    [{ ...failed, state: 'cancelled', endReason: 'paid_elsewhere', sameCard: false }, 'paid_elsewhere'],
    [{ ...failed, state: 'cancelled', endReason: 'abandoned' }, null],
    [{ ...failed, state: 'blocked', endReason: 'never_charge' }, 'blocked_card'],
    [{ ...failed, state: 'blocked', endReason: 'never_charge', sameCard: false }, null],
    [{ ...failed, cardStopped: true }, 'stopped_card'],
    [{ ...failed, cardStopped: true, sameCard: false }, null],
    [{ ...failed, state: 'queued', endReason: null }, null],
  ] as const)('after %j is stopped by %s', (facts, obstacle) => expect(reopenObstacle(facts)).toBe(obstacle));
});

import { nextBankPollAt, nextLookAt } from '../recovery/looks.js';
import { rule } from '../recovery/rules.js';
import { step, unchanged, type Change } from './change.js';
import type { Attempt, Recovery } from './recovery.js';

/** A look at a charge that told nothing new: noted, and the next one set. Pure. */
export function lookedInVain(
  recovery: Recovery,
  attempt: Attempt,
  inputs: Record<string, string>,
  now: Date,
): { change: Change; since: Date; atBank: boolean; dueAt: Date } {
  const since = recovery.waitingSince ?? attempt.lostAt ?? attempt.openedAt;
  const atBank = attempt.outcome === 'pending';
  const dueAt = atBank ? nextBankPollAt(since, now) : nextLookAt(since, now);
  const change = step(
    unchanged(recovery),
    { dueAt, dueKind: 'settle' },
    {
      type: 'looked',
      rule: rule(atBank ? 'outcome_pending' : 'outcome_unknown'),
      at: now,
      actor: 'engine',
      inputs: { attemptId: attempt.id, ...inputs },
    },
  );
  return { change, since, atBank, dueAt };
}

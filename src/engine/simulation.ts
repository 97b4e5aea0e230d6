import { Injectable } from '@nestjs/common';

import type { Decision, DeclineSignals, Trigger } from '../recovery/facts.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { quietly, type Change } from './change.js';
import type { Recovery } from './recovery.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import { move } from './transition.js';
import { unchanged } from './change.js';
import { afterMs, type WorkContext } from './work-context.js';

export const SIMULATED_OUTCOMES = [
  'success',
  'failed',
  'blocked',
  'queued_then_success',
  'queued_then_failed',
  'unknown_then_success',
  'authentication_required',
] as const;
export type SimulatedOutcome = (typeof SIMULATED_OUTCOMES)[number];

const QUEUED_MS = 86_400_000;
const UNKNOWN_MS = 10_000;

const RULE = { name: 'simulated', source: 'the request: simulateOutcome' };

/** `simulateOutcome`: the answers and events of each way a recovery can go, without any gateway call. */
@Injectable()
export class Simulation {
  constructor(private readonly writer: RecoveryWriter) {}

  /** The first step of a simulated recovery, or of a round that a command opened. Pure. */
  begin(change: Change, outcome: SimulatedOutcome, context: WorkContext, trigger: Trigger = 'initial'): Change {
    // Its times are told to the millisecond: counted from the acceptance itself.
    const now = change.recovery.createdAt;
    const declined = withDecline(change);
    const to = (start: Change, decision: SimpleDecision) =>
      decided(start, { ...decision, rule: RULE }, trigger, context, { simulateOutcome: outcome });
    switch (outcome) {
      case 'success':
        return to(change, { kind: 'succeeded' });
      case 'failed':
        return to(declined, { kind: 'failed', endReason: 'exhausted', detail: null });
      case 'blocked':
        return to(withDecline(change, 'fraudulent'), { kind: 'blocked' });
      case 'authentication_required':
        return to(withDecline(change, 'authentication_required'), {
          kind: 'action_required',
          dueAt: change.recovery.deadlineAt,
        });
      case 'queued_then_success':
      case 'queued_then_failed': {
        const dueAt = afterMs(now, QUEUED_MS);
        return secondStep(to(declined, { kind: 'retry', dueAt, attemptsRemaining: 1 }));
      }
      case 'unknown_then_success': {
        const dueAt = afterMs(now, UNKNOWN_MS);
        const patch = { waitingSince: now };
        const opened = { state: 'in_progress' as const, dueAt: now, dueKind: 'simulated' as const, patch, rule: RULE };
        const started = move(change, { ...opened, type: 'charge_opened' }, { at: now, actor: context.actor });
        return secondStep(to(started, { kind: 'reconcile', dueAt }));
      }
    }
  }

  /** The second step, at its due time. */
  async finish(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const outcome = recovery.simulateOutcome as SimulatedOutcome;
    const { nextTrigger } = recovery;
    const asked = nextTrigger === 'manual_retry' || nextTrigger === 'card_updated';
    // What ends at once ends so again, whoever asks for it.
    if (!outcome.includes('_then_')) {
      return this.writer.finish(this.begin(unchanged(recovery), outcome, context, nextTrigger), context);
    }
    const own = outcome === 'unknown_then_success' ? 'reconciliation' : 'scheduled_retry';
    const trigger = asked ? nextTrigger : own;
    const decision: Decision =
      outcome === 'queued_then_failed'
        ? { kind: 'failed', endReason: 'exhausted', detail: null, rule: RULE }
        : { kind: 'succeeded', rule: RULE };
    return this.writer.finish(decided(unchanged(recovery), decision, trigger, context), context);
  }
}

type WithoutRule<T> = T extends unknown ? Omit<T, 'rule'> : never;
type SimpleDecision = WithoutRule<Decision>;

function secondStep(change: Change): Change {
  return quietly(change, { dueKind: 'simulated' });
}

/** A simulated decline has the code that the merchant sent, else the plainest one. */
function withDecline(change: Change, code?: string): Change {
  const sent = change.recovery.originalSignals;
  const signals: DeclineSignals =
    code === undefined && sent ? sent : { ...NO_SIGNALS, declineCode: code ?? 'generic_decline' };
  return quietly(change, { lastSignals: signals });
}

import { quietly, step, unchanged, type Change } from '../engine/change.js';
import type { Recovery } from '../engine/recovery.js';
import { decided } from '../engine/recovery-writer.js';
import { routeOf } from '../engine/transition.js';
import type { WorkContext } from '../engine/work-context.js';
import { adviceFor } from '../recovery/advice.js';
import { messageFor } from '../recovery/wording.js';
import type { GuardVerdict } from './guards.js';

/** Guard 7: `draw` is a fraction of chance. */
export function isHeldOut(context: WorkContext, draw: number): boolean {
  return draw * 100 < context.client.holdoutPercent;
}

/** In the control group: accepted and closed, and nothing is attempted. */
export function heldOut(change: Change, context: WorkContext): Change {
  const rule = { name: 'holdout_drawn', source: 'the client: holdoutPercent' };
  const at = context.now();
  const end = { state: 'holdout' as const, endReason: 'holdout' as const };
  const { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry } = adviceFor({
    ...end,
    route: routeOf(change.recovery),
    detail: null,
  });
  const patch = {
    ...end,
    dueAt: null,
    dueKind: null,
    trigger: 'initial' as const,
    attemptsRemaining: 0,
    advice: { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry },
    message: messageFor(end.state, end.endReason),
  };
  return step(change, patch, { type: 'held_out', rule, at, actor: context.actor });
}

/**
 * How an accepted recovery is answered when the database went away while it was worked: a charge may be on its way, and
 * whoever takes it over reads what became of it.
 */
export function unsettled(accepted: Recovery): Recovery {
  const { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry } = adviceFor({
    state: 'reconciling',
    endReason: null,
    route: routeOf(accepted),
    detail: null,
  });
  const advice = { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry };
  return { ...accepted, state: 'reconciling', advice, message: messageFor('reconciling', null) };
}

/** There is nothing to charge: no retry helps, and the customer has to give a payment method. */
export function withoutMethod(change: Change, context: WorkContext): Change {
  const rule = { name: 'no_payment_method', source: 'docs/connectors.md#what-each-event-does' };
  return decided(change, { kind: 'failed', endReason: 'hard_decline', detail: null, rule }, 'initial', context);
}

/** Guard 5: the card was stopped on this debt before. A recovery of its own, and nothing is charged. */
export function stopped(change: Change, { cardStop }: GuardVerdict, context: WorkContext): Change {
  if (!cardStop) return change;
  const { recovery: planned, timeline } = change;
  const accepted = timeline[0];
  if (!accepted) throw new Error(`recovery ${planned.id} has no first step`);
  const base: Change = {
    ...unchanged({ ...planned, state: 'queued', sequence: accepted.sequence, endReason: null, endDetail: null }),
    timeline: [accepted],
  };
  const signalled = quietly(base, { originalSignals: cardStop.signals, lastSignals: null, recoveredAt: null });
  const rule = {
    name: `card_${cardStop.kind}`,
    source: 'docs/decisions.md: this card was stopped on this debt before',
  };
  return cardStop.kind === 'blocked'
    ? decided(signalled, { kind: 'blocked', rule }, 'initial', context)
    : decided(signalled, { kind: 'failed', endReason: 'hard_decline', detail: null, rule }, 'initial', context);
}

import { decideHeldCharge } from '../recovery/decide.js';
import type { LimitHold } from '../recovery/network-limits.js';
import { quietly, unchanged, type AlertDraft, type Change } from './change.js';
import { roundFactsOf, type Recovery } from './recovery.js';
import { decided } from './recovery-writer.js';
import { routeOf } from './transition.js';
import type { WorkContext } from './work-context.js';

/**
 * A charge that is due, and that a network's limit refuses: what follows instead, with the fee that it would have cost on
 * the timeline, and told to the operator. `toFallback`: another card is to be charged, at once. Pure.
 */
export function refuseByLimit(
  recovery: Recovery,
  hold: LimitHold,
  jitter: number,
  context: WorkContext,
): { change: Change; toFallback: boolean } {
  const { nextTrigger } = recovery;
  // A charge by command or of a new card waits for no slot, and takes none.
  const scheduled = nextTrigger === 'initial' || nextTrigger === 'scheduled_retry';
  const decision = decideHeldCharge({
    hold,
    route: routeOf(recovery),
    scheduled,
    policy: recovery.policy,
    round: roundFactsOf(recovery),
    now: context.now(),
    jitter,
    fallbackLeft: recovery.fallbackLeft > 0,
  });
  const next = decided(unchanged(recovery), decision, nextTrigger, context, refusalFacts(hold));
  const told = { ...next, alerts: [...next.alerts, limitAlert(recovery, hold)] };
  const keepsTrigger = !scheduled && decision.kind === 'retry';
  return { change: keepsTrigger ? quietly(told, { nextTrigger }) : told, toFallback: decision.kind === 'fallback' };
}

/** Which limit, when it frees, and the fee avoided in the smallest unit of its currency. */
export function refusalFacts({ rule, freeAt, fee }: LimitHold): Record<string, string | number | null> {
  return {
    limit: rule.name,
    freeAt: freeAt?.toISOString() ?? null,
    feeAvoided: fee?.amountMinor ?? null,
    feeCurrency: fee?.currency ?? null,
  };
}

/** One open alert for each recovery and limit. */
export function limitAlert(recovery: Recovery, hold: LimitHold): AlertDraft {
  return {
    kind: 'network_limit_reached',
    severity: 'warning',
    facts: { transactionId: recovery.id, brand: recovery.card?.brand ?? null, ...refusalFacts(hold) },
    dedupeKey: `network_limit_reached:${recovery.id}:${hold.rule.name}`,
  };
}

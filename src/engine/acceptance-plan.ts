import type { Decision } from '../recovery/facts.js';
import type { OriginalDecision } from '../recovery/original.js';
import { quietly, unchanged, type Change } from './change.js';
import type { Recovery } from './recovery.js';
import { decided } from './recovery-writer.js';
import { routeOf } from './transition.js';
import type { Refusal } from './understanding.js';
import { rereadAt, type WorkContext } from './work-context.js';

export type AcceptancePlan =
  | { kind: 'refused'; refusal: Refusal }
  /** `chargeNow`: due at once, and in the request where there is one. */
  | { kind: 'planned'; change: Change; chargeNow: boolean };

export function planned(change: Change): AcceptancePlan {
  return { kind: 'planned', change, chargeNow: false };
}

export function chargeNow(change: Change, context: WorkContext): AcceptancePlan {
  return { kind: 'planned', chargeNow: true, change: quietly(change, { dueAt: context.now(), dueKind: 'charge' }) };
}

/** The payment of an earlier recovery that this one would go on with, unless its own original is adopted. */
export function takenOnId(recovery: Recovery, read: Recovery, original: OriginalDecision | null): string | null {
  const isOwn = original !== null && original.kind !== 'create_new';
  return isOwn || read.paymentObjectId !== null ? null : recovery.paymentObjectId;
}

/** Nothing is known now: accepted all the same, read again at 10 s, 60 s, 5 m …, and charged only after that. */
export function waitForReading(recovery: Recovery, context: WorkContext): Change {
  const now = context.now();
  const readAt = rereadAt(now, recovery.readingsFailed);
  const decision: Decision = {
    kind: 'retry',
    dueAt: readAt < recovery.deadlineAt ? readAt : recovery.deadlineAt,
    attemptsRemaining: recovery.policy.attemptsMax,
    rule: { name: 'gateway_silent', source: 'docs/decisions.md: an unread debt is not charged' },
  };
  const waiting = decided(unchanged(recovery), decision, 'initial', context);
  const { nextTrigger, readingsFailed } = recovery;
  return quietly(waiting, { dueKind: 'accept', readingsFailed: readingsFailed + 1, nextTrigger });
}

export function awaitAccount(change: Change): Change {
  return quietly(change, { dueKind: 'accept' });
}

export function refusedLater(recovery: Recovery, refusal: Refusal, context: WorkContext): Change {
  const endReason = refusal.code === 'original_transaction_open' ? refusal.code : 'configuration';
  const rule = { name: 'refused_by_reading', source: 'docs/decisions.md: read only after acceptance' };
  const decision: Decision = { kind: 'failed', endReason, detail: refusal.code, rule };
  return decided(unchanged(recovery), decision, 'initial', context, { field: refusal.field });
}

/** The code that the merchant sent is a stop for this card, as one of our own charge would be. */
export function stopping(change: Change): Change {
  const { debtName, cardFingerprint, tokenHash, originalSignals: signals } = change.recovery;
  const route = routeOf(change.recovery);
  if (!signals || !route || !(route.neverCharge || route.stopsCard)) return change;
  const kind = route.neverCharge ? ('blocked' as const) : ('stopped' as const);
  return { ...change, cardStops: [...change.cardStops, { debtName, cardFingerprint, tokenHash, kind, signals }] };
}

export function inputsOf(recovery: Recovery): Record<string, unknown> {
  return { ...recovery.originalSignals, failedAt: recovery.lastAttemptAt, preset: recovery.policy.preset };
}

export function fieldOf(recovery: Recovery): string {
  if (recovery.originalGatewayTransactionId !== null) return 'originalGatewayTransactionId';
  return recovery.invoiceId === null ? 'reference' : 'invoiceId';
}

/** Does the decision leave a debt to be charged? */
export function clears(decision: OriginalDecision): boolean {
  return decision.kind === 'charge_invoice' || decision.kind === 'adopt' || decision.kind === 'create_new';
}

import { declineCodeOf, routeDecline } from '../recovery/decline.js';
import type { Bucket, DeclineSignals } from '../recovery/facts.js';
import { executeStatusWord, statusWord } from '../recovery/lifecycle.js';
import { errorFor } from '../recovery/wording.js';
import type { Attempt, Recovery } from './recovery.js';

/** The decline code that bodies show: the newest decline's, else the one the merchant sent. */
export function declineCodeShown(recovery: Recovery): string | null {
  const signals = signalsShown(recovery);
  return signals ? declineCodeOf(signals, { binPrefix: recovery.hints.binPrefix ?? null }) : null;
}

export function categoryShown(recovery: Recovery): Bucket | null {
  const signals = signalsShown(recovery);
  return signals ? routeDecline(signals, { binPrefix: recovery.hints.binPrefix ?? null }).bucket : null;
}

/** What the newest decline said; a success and a recovery never declined show none. */
export function signalsShown(recovery: Recovery): DeclineSignals | null {
  return recovery.state === 'succeeded' ? null : (recovery.lastSignals ?? recovery.originalSignals);
}

/** The body of 200, 202 and 403 (openapi.yaml). The same row gives the same bytes. */
export function executeBody(recovery: Recovery): Record<string, unknown> {
  const blocked = recovery.state === 'blocked' || recovery.state === 'action_required';
  return {
    success: recovery.state === 'succeeded',
    status: executeStatusWord(recovery.state),
    state: recovery.state,
    ...(blocked ? { action: 'blocked' } : {}),
    message: recovery.message,
    error: errorFor(recovery.state, recovery.message),
    endReason: recovery.endReason,
    round: recovery.round,
    transactionId: recovery.id,
    idempotencyKey: recovery.idempotencyKey,
    reference: recovery.reference,
    amount: recovery.amountMinor,
    currency: recovery.currency,
    strategyUsed: recovery.strategy,
    gatewaysAttempted: recovery.gatewaysAttempted,
    attemptCount: recovery.attemptCount,
    attemptsRemaining: recovery.attemptsRemaining,
    recoveryEngineApplied: recovery.engineApplied,
    declineCode: declineCodeShown(recovery),
    declineCategory: categoryShown(recovery),
    ...recovery.advice,
    trigger: recovery.trigger,
    amountRequested: recovery.amountRequestedMinor,
    holdout: recovery.state === 'holdout',
    scheduledFor: scheduledFor(recovery),
    deadlineAt: recovery.deadlineAt.toISOString(),
    gatewayTransactionToken: recovery.gatewayTransactionToken,
    livemode: recovery.livemode,
    isSimulated: recovery.simulateOutcome !== null,
    sequence: recovery.sequence,
    createdAt: recovery.createdAt.toISOString(),
    updatedAt: recovery.updatedAt.toISOString(),
  };
}

/** A row of the list, and with `attempts` the answer of the status call (openapi.yaml). */
export function statusBody(recovery: Recovery): Record<string, unknown> {
  return {
    transactionId: recovery.id,
    status: statusWord(recovery.state),
    state: recovery.state,
    reference: recovery.reference,
    customerId: recovery.customerId,
    idempotencyKey: recovery.idempotencyKey,
    metadata: recovery.metadata,
    recovered: recovery.state === 'succeeded',
    amount: recovery.amountMinor,
    amountRequested: recovery.amountRequestedMinor,
    currency: recovery.currency,
    recoveredAt: recovery.recoveredAt?.toISOString() ?? null,
    trigger: recovery.trigger,
    strategyUsed: recovery.strategy,
    attemptCount: recovery.attemptCount,
    lastDeclineCode: declineCodeShown(recovery),
    ...recovery.advice,
    nextRetryAt: scheduledFor(recovery),
    deadlineAt: recovery.deadlineAt.toISOString(),
    endReason: recovery.endReason,
    round: recovery.round,
    createdAt: recovery.createdAt.toISOString(),
    updatedAt: recovery.updatedAt.toISOString(),
  };
}

export function attemptBody(attempt: Attempt): Record<string, unknown> {
  return {
    attemptId: attempt.id,
    number: attempt.number,
    at: attempt.openedAt.toISOString(),
    endedAt: attempt.endedAt?.toISOString() ?? null,
    trigger: attempt.trigger,
    strategyUsed: attempt.strategy,
    amount: attempt.amountMinor,
    // A charge on the wire has no outcome yet: nobody knows it.
    outcome: attempt.outcome ?? 'unknown',
    declineCode: attempt.declineCode,
    networkDeclineCode: attempt.networkDeclineCode,
    adviceCode: attempt.adviceCode,
    gatewayTransactionToken: attempt.gatewayTransactionToken,
  };
}

/** When the next charge is planned; null while something else is awaited, or nothing. */
export function scheduledFor(recovery: Recovery): string | null {
  return recovery.state === 'queued' && recovery.dueAt !== null ? recovery.dueAt.toISOString() : null;
}

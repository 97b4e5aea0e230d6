import type { Recovery } from '../engine/recovery.js';
import { LeaseLost } from '../engine/recovery-store.js';
import { routeOf } from '../engine/transition.js';
import { conflict, DomainError } from '../platform/http/domain-error.js';
import type { Trigger } from '../recovery/facts.js';
import { needsMandate } from '../recovery/first-step.js';
import { isDebitType } from '../recovery/signals.js';

/** A bank debit may be presented again only after the return codes that allow it, whoever asks. */
export function isReturnedForGood(recovery: Recovery): boolean {
  const { paymentMethodType } = recovery.hints;
  const isDebit = paymentMethodType !== undefined && isDebitType(paymentMethodType);
  return isDebit && recovery.lastSignals !== null && routeOf(recovery)?.retryable !== 'yes';
}

/** A card that only its holder can clear is no charge: what is owed is read again, and the customer asked. */
export function dueKindOf({ simulateOutcome, card }: Recovery, trigger: Trigger): 'simulated' | 'accept' | 'charge' {
  if (simulateOutcome !== null) return 'simulated';
  return trigger === 'card_updated' && needsMandate(card?.country) ? 'accept' : 'charge';
}

/** The rule tells why: `succeeded`, `paid_elsewhere`, `blocked_card`, `stopped_card`, `authentication_required`, `holdout`. */
export function notRetryable(rule: string, more: Record<string, unknown> = {}): DomainError {
  return conflict('not_retryable', `this can not be retried: ${rule}`, { rule, ...more });
}

export function outcomeUnknown(): DomainError {
  return conflict('outcome_unknown', 'a charge is on the wire or unknown; its outcome decides first');
}

/** A command whose lease ran out before it could write was not carried out. @throws {DomainError} 503: it may be sent again. */
export function unlessTakenOver(error: unknown): never {
  if (!(error instanceof LeaseLost)) throw error;
  const detail =
    'Another process has taken this recovery over meanwhile; nothing was changed by this call. Send it again.';
  throw new DomainError({ status: 503, code: 'not_accepted', detail, headers: { 'retry-after': '1' }, cause: error });
}

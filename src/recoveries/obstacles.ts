import type { Recovery } from '../engine/recovery.js';
import { routeOf } from '../engine/transition.js';
import { conflict, type DomainError } from '../platform/http/domain-error.js';
import type { Trigger } from '../recovery/facts.js';
import { needsMandate } from '../recovery/first-step.js';
import { SETTLED_AFTER_MS } from '../recovery/looks.js';
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

/** @param lostAt when the reply to the charge was lost. */
export function lossStillRunning(lostAt: Date): DomainError {
  const from = new Date(lostAt.getTime() + SETTLED_AFTER_MS).toISOString();
  const detail = `the lost request may still be carried out: from ${from} on a reading can tell that it was not`;
  return conflict('outcome_unknown', detail, { tellableFrom: from });
}

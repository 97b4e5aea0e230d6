import type { BilledInvoice } from '../../gateways/stripe/billing.js';

/** What an event about an invoice asks for, by what the invoice reads now. */
export type InvoiceStep =
  /** A recovery of it speaks for the debt: it is looked at, whatever its state. */
  | { kind: 'look' }
  /** A debt of ours from now on. `token` is null where the customer has no method at all. */
  | { kind: 'open'; token: string | null }
  | { kind: 'nothing'; why: string };

/**
 * Decides by the reading alone: neither the order of the events nor what each of them held plays a part, so that all
 * orders end the same. Pure.
 * @param isFailure that one of the events told a failure: nothing else opens a recovery.
 */
export function decideInvoiceEvent(invoice: BilledInvoice, isKnown: boolean, isFailure: boolean): InvoiceStep {
  if (isKnown) return { kind: 'look' };
  const why = whyNotOpened(invoice, isFailure);
  if (why !== null) return { kind: 'nothing', why };
  return { kind: 'open', token: invoice.methodId ?? invoice.failure?.paymentMethodId ?? null };
}

function whyNotOpened(invoice: BilledInvoice, isFailure: boolean): string | null {
  if (!isFailure) return 'no_failure';
  if (invoice.status !== 'open') return `invoice_${invoice.status}`;
  if (invoice.collectionMethod !== 'charge_automatically') return 'sent_to_the_customer';
  // Somebody at a checkout whose card was refused: no subscription stands behind it yet, and nothing to recover.
  if (invoice.billingReason === 'subscription_create') return 'first_payment';
  if (isOver(invoice.subscription?.status ?? null)) return 'subscription_over';
  if (!invoice.attempted) return 'not_attempted';
  return invoice.amountRemainingMinor > 0 ? null : 'nothing_owed';
}

/** True for a subscription that will never be served again. */
export function isOver(status: string | null): boolean {
  return status === 'canceled' || status === 'incomplete_expired';
}

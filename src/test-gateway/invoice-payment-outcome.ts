import type { Stored } from './bodies.js';
import { subscriptionPaid } from './subscriptions.js';
import type { UnitOfWork } from './unit-of-work.js';

/** What a payment's end means for the invoice it belongs to; nothing, where it belongs to none. */
export async function invoiceCollected(uow: UnitOfWork, payment: Stored<'payment_intent'>): Promise<void> {
  const invoice = await invoiceOf(uow, payment);
  if (!invoice) return;
  const { body } = invoice;
  const amountMinor = payment.body.amount;
  body.amount_paid += amountMinor;
  body.amount_remaining = Math.max(0, body.amount_remaining - amountMinor);
  markPaid(uow, invoice);
  for (const part of await uow.below('invoice_payment', body.id)) {
    if (part.relatedId !== payment.body.id) continue;
    part.body.status = 'paid';
    part.body.amount_paid = amountMinor;
    part.body.status_transitions.paid_at = uow.nowSeconds;
    uow.save(part);
    uow.emit('invoice_payment.paid', part.body);
  }
  uow.emit('invoice.paid', body);
  uow.emit('invoice.payment_succeeded', body);
  await subscriptionPaid(uow, invoice);
}

/** Turns an invoice to `paid`, however the money came. */
export function markPaid(uow: UnitOfWork, invoice: Stored<'invoice'>): void {
  const { body } = invoice;
  body.status = 'paid';
  body.attempted = true;
  body.next_payment_attempt = null;
  body.status_transitions.paid_at = uow.nowSeconds;
  countFirstAttempt(invoice);
  uow.save(invoice);
}

/** Tells that an invoice's payment was declined, or waits for its customer. */
export async function invoiceNotCollected(
  uow: UnitOfWork,
  payment: Stored<'payment_intent'>,
  why: 'declined' | 'requires_action',
): Promise<void> {
  const invoice = await invoiceOf(uow, payment);
  if (!invoice) return;
  invoice.body.attempted = true;
  countFirstAttempt(invoice);
  uow.save(invoice);
  uow.emit('invoice.payment_failed', invoice.body);
  if (why === 'requires_action') uow.emit('invoice.payment_action_required', invoice.body);
}

async function invoiceOf(uow: UnitOfWork, payment: Stored<'payment_intent'>): Promise<Stored<'invoice'> | null> {
  return payment.parentId === null ? null : uow.lock('invoice', payment.parentId);
}

/** The first attempt of any kind counts; later ones count only when Stripe itself makes them, which it does not here. */
function countFirstAttempt(invoice: Stored<'invoice'>): void {
  if (invoice.body.attempt_count === 0) invoice.body.attempt_count = 1;
}

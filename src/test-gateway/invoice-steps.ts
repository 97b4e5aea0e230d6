import type { Stored } from './bodies.js';
import type { Call } from './call.js';
import { cancelPayment } from './payment-intents.js';
import { checkAmount } from './currencies.js';
import { invoicePaymentBody } from './invoice-body.js';
import { markPaid } from './invoice-payment-outcome.js';
import { paymentIntentBody } from './payment-intent-body.js';
import { ok, type Reply } from './reply.js';
import { wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Invoice = Stored<'invoice'>;

/** POST /v1/invoices/{id}/finalize: it becomes payable, and its payment comes into being. */
export async function finalizeInvoice({ uow, params, id }: Call): Promise<Reply> {
  const autoAdvance = params.flag('auto_advance');
  params.refuseUnknown();
  const invoice = await uow.lock('invoice', id);
  const { body } = invoice;
  if (body.status !== 'draft')
    throw wrongState("This invoice is already finalized, you can't re-finalize a non-draft invoice.");
  body.auto_advance = autoAdvance ?? body.auto_advance ?? false;
  openInvoice(uow, invoice);
  return ok(body);
}

/** A draft becomes payable; one that asks for nothing is paid with it. */
export function openInvoice(uow: UnitOfWork, invoice: Invoice): void {
  const { body } = invoice;
  body.status = 'open';
  body.effective_at = uow.nowSeconds;
  body.status_transitions.finalized_at = uow.nowSeconds;
  body.number = `TEST-${uow.newId('n').slice(2, 10).toUpperCase()}`;
  body.hosted_invoice_url = `${uow.scope.publicUrl}/i/${body.id}`;
  uow.save(invoice);
  uow.emit('invoice.finalized', body);
  if (body.amount_remaining > 0) makePayment(uow, invoice);
  else payNothing(uow, invoice);
}

function makePayment(uow: UnitOfWork, { body }: Invoice): void {
  checkAmount(body.amount_remaining, body.currency);
  const id = uow.newId('pi');
  const payment = paymentIntentBody({
    id,
    clientSecret: `${id}_secret_${uow.newId('s').slice(2)}`,
    amountMinor: body.amount_remaining,
    currency: body.currency,
    created: uow.nowSeconds,
    customer: body.customer,
    paymentMethod: null,
    // An invoice's payment takes what the invoice allows and never redirects by itself.
    automaticPaymentMethods: null,
    captureMethod: 'automatic',
    confirmationMethod: 'automatic',
    setupFutureUsage: null,
    description: `Payment for Invoice ${body.number ?? body.id}`,
    metadata: {},
    transferGroup: null,
  });
  uow.create('payment_intent', payment, { parentId: body.id });
  uow.emit('payment_intent.created', payment);
  const part = invoicePaymentBody(uow.newId('inpay'), body, id, uow.nowSeconds);
  uow.create('invoice_payment', part, { parentId: body.id, relatedId: id });
}

function payNothing(uow: UnitOfWork, invoice: Invoice): void {
  markPaid(uow, invoice);
  uow.emit('invoice.paid', invoice.body);
  uow.emit('invoice.payment_succeeded', invoice.body);
}

/** POST /v1/invoices/{id}/void: for good; its payment is cancelled with it. */
export async function voidInvoice({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  const invoice = await lockUnpaid(uow, id, 'void');
  invoice.body.status = 'void';
  invoice.body.status_transitions.voided_at = uow.nowSeconds;
  await dropPayment(uow, invoice);
  uow.save(invoice);
  uow.emit('invoice.voided', invoice.body);
  return ok(invoice.body);
}

/** POST /v1/invoices/{id}/mark_uncollectible: written off, and still payable. */
export async function markUncollectible({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  const invoice = await lockUnpaid(uow, id, 'mark uncollectible');
  invoice.body.status = 'uncollectible';
  invoice.body.status_transitions.marked_uncollectible_at = uow.nowSeconds;
  uow.save(invoice);
  uow.emit('invoice.marked_uncollectible', invoice.body);
  return ok(invoice.body);
}

/** An invoice that was finalised and is not settled. */
export async function lockUnpaid(uow: UnitOfWork, id: string, verb: string): Promise<Invoice> {
  const invoice = await uow.lock('invoice', id);
  const { status } = invoice.body;
  if (status === 'open' || status === 'uncollectible') return invoice;
  if (status === 'paid') throw wrongState('Invoice is already paid');
  throw wrongState(`You can only ${verb} an open or uncollectible invoice; this one is ${status}.`);
}

/** The money came, or will come, by another way: the default payment is cancelled. */
export async function dropPayment(uow: UnitOfWork, invoice: Invoice): Promise<void> {
  for (const part of await uow.below('invoice_payment', invoice.body.id)) {
    if (part.body.status !== 'open') continue;
    const payment = await uow.lock('payment_intent', part.body.payment.payment_intent);
    await cancelPayment(uow, payment, 'void_invoice');
    part.body.status = 'canceled';
    part.body.status_transitions.canceled_at = uow.nowSeconds;
    uow.save(part);
  }
}

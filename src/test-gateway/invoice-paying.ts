import type { Stored } from './bodies.js';
import type { Call } from './call.js';
import { playCharge, type Outcome } from './charging.js';
import { refuseStranger } from './confirming.js';
import { loadInstrument } from './instruments.js';
import { markPaid } from './invoice-payment-outcome.js';
import { dropPayment, lockUnpaid } from './invoice-steps.js';
import { failed, ok, spoiltAfter, type Reply } from './reply.js';
import { invalidRequest, wrongState } from './stripe-refusal.js';
import { subscriptionPaid } from './subscriptions.js';
import type { UnitOfWork } from './unit-of-work.js';

type Invoice = Stored<'invoice'>;
type Payment = Stored<'payment_intent'>;

/** POST /v1/invoices/{id}/pay: one charge for what is left of it, off-session unless told otherwise. */
export async function payInvoice({ uow, params, id }: Call): Promise<Reply> {
  const method = params.filled('payment_method') ?? null;
  const offSession = params.flag('off_session') ?? true;
  const outOfBand = params.flag('paid_out_of_band') ?? false;
  params.ignore('forgive', 'mandate');
  params.refuseUnknown();
  const invoice = await lockUnpaid(uow, id, 'pay');
  if (outOfBand) return payOutOfBand(uow, invoice);

  const payment = await defaultPayment(uow, invoice);
  const instrument = await loadInstrument(uow, method ?? (await attachedMethod(uow, invoice)), 'payment_method');
  refuseStranger(payment, instrument);
  const wanted = { instrument, offSession, errorOnRequiresAction: false, returnUrl: null };
  const played = await playCharge(uow, payment, wanted);
  if (played.kind === 'not_reached') return played.reply;
  const reply = payReply(invoice, payment, played.outcome);
  return played.fault === null ? reply : spoiltAfter(reply, played.fault);
}

async function payOutOfBand(uow: UnitOfWork, invoice: Invoice): Promise<Reply> {
  await dropPayment(uow, invoice);
  invoice.body.amount_paid_off_stripe = invoice.body.amount_remaining;
  invoice.body.amount_paid += invoice.body.amount_remaining;
  invoice.body.amount_remaining = 0;
  markPaid(uow, invoice);
  uow.emit('invoice.paid', invoice.body);
  await subscriptionPaid(uow, invoice);
  return ok(invoice.body);
}

export async function defaultPayment(uow: UnitOfWork, invoice: Invoice): Promise<Payment> {
  const parts = await uow.below('invoice_payment', invoice.body.id);
  const part = parts.find(({ body }) => body.is_default && body.status === 'open');
  if (!part) throw new Error(`Invoice ${invoice.body.id} is unpaid and has no open payment.`);
  const payment = await uow.lock('payment_intent', part.body.payment.payment_intent);
  if (payment.body.status !== 'processing') return payment;
  throw wrongState('A payment for this invoice is still processing.', {
    code: 'payment_intent_unexpected_state',
    payment_intent: payment.body,
  });
}

/** The invoice's own method, else the subscription's, else the customer's. */
export async function attachedMethod(uow: UnitOfWork, { body, parentId }: Invoice): Promise<string> {
  if (body.default_payment_method !== null) return body.default_payment_method;
  const subscription = parentId === null ? null : await uow.find('subscription', parentId);
  if (subscription && subscription.body.default_payment_method !== null)
    return subscription.body.default_payment_method;
  const customer = await uow.get('customer', body.customer ?? '', 'customer');
  const chosen = customer.body.invoice_settings.default_payment_method;
  if (typeof chosen === 'string') return chosen;
  throw invalidRequest(
    'There is no `default_payment_method` set on this Customer or Invoice. Please set a `default_payment_method`.',
    { code: 'missing', param: 'payment_method' },
  );
}

function payReply(invoice: Invoice, payment: Payment, outcome: Outcome): Reply {
  switch (outcome.kind) {
    case 'declined':
      return failed(402, {
        ...outcome.error,
        type: 'card_error',
        message: outcome.error.message ?? '',
        payment_intent: payment.body,
      });
    case 'requires_action':
      return failed(402, {
        type: 'card_error',
        code: 'invoice_payment_intent_requires_action',
        message:
          'This payment requires additional user action before it can be completed successfully. Payment can be ' +
          'completed using the PaymentIntent associated with the invoice.',
        payment_intent: payment.body,
      });
    case 'succeeded':
    case 'requires_capture':
    case 'processing':
      return ok(invoice.body);
  }
}

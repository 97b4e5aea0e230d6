import type Stripe from 'stripe';

import type { Stored } from './bodies.js';
import type { Call } from './call.js';
import { book, collected } from './charging.js';
import { confirmPayment, confirmRequest, unexpectedState } from './confirming.js';
import { checkAmount, checkedCurrency } from './currencies.js';
import { loadInstrument } from './instruments.js';
import type { Params } from './params.js';
import { paymentIntentBody } from './payment-intent-body.js';
import { ok, type Reply } from './reply.js';
import { invalidRequest, wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Payment = Stored<'payment_intent'>;

const OPEN = new Set<string>(['requires_payment_method', 'requires_confirmation', 'requires_action']);

/** POST /v1/payment_intents */
export async function createPaymentIntent({ uow, params }: Call): Promise<Reply> {
  const confirm = params.flag('confirm') ?? false;
  const wanted = confirmRequest(params);
  const body = readNewPayment(uow, params);
  params.refuseUnknown();
  if (wanted.offSession && !confirm) {
    throw invalidRequest('You can only set `off_session` when `confirm` is true.', { param: 'off_session' });
  }
  if (body.customer !== null) await uow.get('customer', body.customer, 'customer');
  if (body.payment_method !== null) await loadInstrument(uow, body.payment_method, 'payment_method');

  const payment = uow.create('payment_intent', body);
  uow.emit('payment_intent.created', body);
  return confirm ? confirmPayment(uow, payment, wanted) : ok(body);
}

function readNewPayment(uow: UnitOfWork, params: Params) {
  params.ignore('application_fee_amount', 'on_behalf_of', 'statement_descriptor', 'statement_descriptor_suffix');
  params.ignore('transfer_data');
  const amountMinor = params.requiredInteger('amount');
  const currency = checkedCurrency(params.required('currency'));
  checkAmount(amountMinor, currency);
  const id = uow.newId('pi');
  return paymentIntentBody({
    id,
    clientSecret: `${id}_secret_${uow.newId('s').slice(2)}`,
    amountMinor,
    currency,
    created: uow.nowSeconds,
    customer: params.filled('customer') ?? null,
    paymentMethod: params.filled('payment_method') ?? null,
    automaticPaymentMethods: automaticMethods(params),
    captureMethod: params.oneOf('capture_method', ['automatic', 'automatic_async', 'manual']) ?? 'automatic_async',
    confirmationMethod: params.oneOf('confirmation_method', ['automatic', 'manual']) ?? 'automatic',
    setupFutureUsage: params.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? null,
    description: params.filled('description') ?? null,
    metadata: params.metadata({}),
    transferGroup: params.filled('transfer_group') ?? null,
  });
}

/** Stripe turns automatic payment methods on, redirects included, for whoever says nothing. */
function automaticMethods(params: Params): Stripe.PaymentIntent.AutomaticPaymentMethods | null {
  const given = params.child('automatic_payment_methods');
  const redirects = given?.oneOf('allow_redirects', ['always', 'never']) ?? 'always';
  const enabled = given ? given.flag('enabled') : true;
  if (enabled === undefined) {
    const param = 'automatic_payment_methods[enabled]';
    throw invalidRequest(`Missing required param: ${param}.`, { code: 'parameter_missing', param });
  }
  return enabled ? { enabled, allow_redirects: redirects } : null;
}

/** POST /v1/payment_intents/{id}/confirm */
export async function confirmPaymentIntent({ uow, params, id }: Call): Promise<Reply> {
  const wanted = confirmRequest(params);
  params.ignore('capture_method');
  params.refuseUnknown();
  // Both reads go out together; the second is remembered for when the method is looked up.
  const [payment] = await Promise.all([
    uow.lock('payment_intent', id),
    wanted.paymentMethod === null ? null : uow.find('payment_method', wanted.paymentMethod),
  ]);
  return confirmPayment(uow, payment, wanted);
}

/** POST /v1/payment_intents/{id} */
export async function updatePaymentIntent({ uow, params, id }: Call): Promise<Reply> {
  const payment = await uow.lock('payment_intent', id);
  const { body } = payment;
  const before = { ...body };
  body.description = params.has('description') ? (params.filled('description') ?? null) : body.description;
  body.metadata = params.metadata(body.metadata);
  const termsChange = ['amount', 'currency', 'customer', 'payment_method', 'setup_future_usage', 'capture_method'];
  if (termsChange.some((name) => params.has(name))) changeTerms(payment, params);
  params.ignore('receipt_email', 'shipping', 'payment_method_options', 'statement_descriptor_suffix', 'transfer_group');
  params.refuseUnknown();
  if (body.customer !== null && body.customer !== before.customer) await uow.get('customer', body.customer, 'customer');
  if (body.payment_method !== null) await loadInstrument(uow, body.payment_method, 'payment_method');
  uow.save(payment);
  return ok(body);
}

function changeTerms(payment: Payment, params: Params): void {
  const { body } = payment;
  if (!OPEN.has(body.status)) {
    throw unexpectedState(
      payment,
      `This PaymentIntent could not be updated because it has a status of ${body.status}.`,
    );
  }
  refuseForInvoice(payment, 'update');
  const currency = params.filled('currency');
  if (currency !== undefined) body.currency = checkedCurrency(currency);
  body.amount = params.integer('amount') ?? body.amount;
  checkAmount(body.amount, body.currency);
  body.customer = params.filled('customer') ?? body.customer;
  body.capture_method =
    params.oneOf('capture_method', ['automatic', 'automatic_async', 'manual']) ?? body.capture_method;
  if (params.has('setup_future_usage')) {
    body.setup_future_usage = params.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? null;
  }
  const method = params.filled('payment_method');
  if (method !== undefined) {
    body.payment_method = method;
    body.status = 'requires_confirmation';
  }
}

/** POST /v1/payment_intents/{id}/cancel */
export async function cancelPaymentIntent({ uow, params, id }: Call): Promise<Reply> {
  const reasons = ['abandoned', 'duplicate', 'fraudulent', 'requested_by_customer'] as const;
  const reason = params.oneOf('cancellation_reason', reasons) ?? null;
  params.refuseUnknown();
  const payment = await uow.lock('payment_intent', id);
  refuseForInvoice(payment, 'cancel');
  await cancelPayment(uow, payment, reason);
  return ok(payment.body);
}

/** @throws {StripeRefusal} when the payment has ended, or is at the bank. */
export async function cancelPayment(
  uow: UnitOfWork,
  payment: Payment,
  reason: Stripe.PaymentIntent.CancellationReason | null,
): Promise<void> {
  const { body } = payment;
  if (!OPEN.has(body.status) && body.status !== 'requires_capture') {
    throw unexpectedState(
      payment,
      `You cannot cancel this PaymentIntent because it has a status of ${body.status}. Only a PaymentIntent with one of ` +
        'the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, ' +
        'requires_action.',
    );
  }
  if (body.status === 'requires_capture' && body.latest_charge !== null) {
    const charge = await uow.lock('charge', body.latest_charge);
    charge.body.refunded = true;
    uow.save(charge);
    book(uow, payment, charge.body.id, 'failed', null);
    uow.emit('charge.expired', charge.body);
  }
  body.status = 'canceled';
  body.canceled_at = uow.nowSeconds;
  body.cancellation_reason = reason;
  body.amount_capturable = 0;
  body.next_action = null;
  uow.save(payment);
  uow.emit('payment_intent.canceled', body);
}

/** POST /v1/payment_intents/{id}/capture: takes the whole amount that is held. */
export async function capturePaymentIntent({ uow, params, id }: Call): Promise<Reply> {
  const amountMinor = params.integer('amount_to_capture');
  params.refuseUnknown();
  const payment = await uow.lock('payment_intent', id);
  const { body } = payment;
  if (body.status !== 'requires_capture' || body.latest_charge === null) {
    throw unexpectedState(
      payment,
      `This PaymentIntent could not be captured because it has a status of ${body.status}.`,
    );
  }
  if (amountMinor !== undefined && amountMinor !== body.amount) {
    throw invalidRequest('This test gateway captures whole amounts only.', { param: 'amount_to_capture' });
  }
  const charge = await uow.lock('charge', body.latest_charge);
  charge.body.captured = true;
  charge.body.amount_captured = body.amount;
  uow.save(charge);
  uow.emit('charge.captured', charge.body);
  await collected(uow, payment, charge.body);
  return ok(body);
}

function refuseForInvoice(payment: Payment, verb: string): void {
  if (payment.parentId === null) return;
  throw wrongState(
    `You cannot ${verb} this PaymentIntent because it belongs to the invoice ${payment.parentId}. Void or pay the invoice instead.`,
    { code: 'payment_intent_invalid_parameter', payment_intent: payment.body },
  );
}

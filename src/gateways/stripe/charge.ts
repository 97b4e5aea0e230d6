import type Stripe from 'stripe';

import type { ChargeRequest, ChargeResult } from '../gateway.js';
import { classifyError, type Fault, type ScopeOf } from './classify.js';
import { defaultPaymentId, expanded, idOf, mustBe, subscriptionFacts } from './map.js';
import { SUBSCRIPTION } from './original.js';
import { type Session, withoutCallSite } from './session.js';
import { declineSignals } from './signals.js';
import { invoiceRow, paymentRow } from './status-table.js';

/**
 * Sends one charging call, once: a confirm of the debt's PaymentIntent, or `pay` of its invoice. Never throws for
 * anything the gateway or the network does.
 */
export async function sendCharge(session: Session, request: ChargeRequest, scopeOf: ScopeOf): Promise<ChargeResult> {
  try {
    const { target } = request;
    return await withoutCallSite(() =>
      target.kind === 'invoice'
        ? payInvoice(session, request, target.invoiceId)
        : confirmPayment(session, request, target),
    );
  } catch (error) {
    return await chargeFailed(session, classifyError(error, scopeOf));
  }
}

async function confirmPayment(
  { stripe, mutation }: Session,
  { paymentMethodToken, idempotencyKey }: ChargeRequest,
  target: { paymentId: string; returnUrl: string | null },
): Promise<ChargeResult> {
  const payment = await stripe.paymentIntents.confirm(
    target.paymentId,
    {
      payment_method: paymentMethodToken,
      off_session: true,
      error_on_requires_action: true,
      expand: ['latest_charge'],
      ...(target.returnUrl === null ? {} : { return_url: target.returnUrl }),
    },
    mutation(idempotencyKey),
  );
  return readPayment(payment);
}

async function payInvoice(
  { stripe, mutation }: Session,
  { paymentMethodToken, idempotencyKey }: ChargeRequest,
  invoiceId: string,
): Promise<ChargeResult> {
  const invoice = await stripe.invoices.pay(
    invoiceId,
    // Four levels are all that Stripe expands: the charge of the payment comes as its id.
    {
      payment_method: paymentMethodToken,
      off_session: true,
      expand: ['payments.data.payment.payment_intent', SUBSCRIPTION],
    },
    mutation(idempotencyKey),
  );
  const row = invoiceRow(mustBe(invoice, 'invoice').status);
  const payment = defaultPayment(invoice);
  if (row.charge === 'succeeded') {
    return {
      kind: 'succeeded',
      paymentId: payment?.id ?? null,
      chargeId: idOf(payment?.latest_charge),
      subscription: subscriptionFacts(invoice),
    };
  }
  if (row.charge === 'by_payment' && payment) return readPayment(payment);
  return look(`invoice reads ${String(invoice.status)}`, row.status === 'unmapped' ? String(invoice.status) : null);
}

function defaultPayment(invoice: Stripe.Invoice): Stripe.PaymentIntent | null {
  const payments = invoice.payments?.data ?? [];
  const id = defaultPaymentId(payments);
  const entry = payments.find(({ payment }) => idOf(payment.payment_intent) === id);
  return expanded(entry?.payment.payment_intent);
}

/** What a 200 says. The table decides by status; only an executed and refused attempt is a decline. */
function readPayment(payment: Stripe.PaymentIntent): ChargeResult {
  const row = paymentRow(mustBe(payment, 'payment_intent').status);
  const paymentId = payment.id;
  switch (row.charge) {
    case 'succeeded':
      return { kind: 'succeeded', paymentId, chargeId: idOf(payment.latest_charge) };
    case 'pending':
    case 'requires_action':
    case 'requires_capture':
    case 'canceled':
      return { kind: row.charge, paymentId };
    case 'declined_if_error':
      return payment.last_payment_error
        ? declined(payment, payment.last_payment_error)
        : look('the payment was not executed', null);
    case 'look':
      return look(`payment reads ${payment.status}`, row.status === 'unmapped' ? payment.status : null);
  }
}

function declined(payment: Stripe.PaymentIntent, error: Stripe.PaymentIntent.LastPaymentError): ChargeResult {
  return {
    kind: 'declined',
    signals: declineSignals(error, expanded(payment.latest_charge)),
    paymentId: payment.id,
    chargeId: error.charge ?? idOf(payment.latest_charge),
    message: error.message ?? null,
  };
}

function look(message: string, unmapped: string | null): ChargeResult {
  return { kind: 'unknown', loss: 'lost_reply', message, ...(unmapped === null ? {} : { unmapped }) };
}

async function chargeFailed(session: Session, fault: Fault): Promise<ChargeResult> {
  switch (fault.kind) {
    case 'lost_reply':
    case 'received_5xx':
      return { kind: 'unknown', loss: fault.kind, message: fault.message };
    case 'back_off':
      return { kind: 'back_off', retryAfterMs: fault.retryAfterMs, code: fault.code, keyInUse: fault.keyInUse };
    case 'declined':
      return await declinedByError(session, fault.error, fault.message);
    case 'requires_action':
      return { kind: 'requires_action', paymentId: fault.error.payment_intent?.id ?? null };
    case 'rejected':
      return { ...fault, kind: 'read_first' };
    case 'account_refused':
      return fault;
  }
}

/** A 402. The error names its PaymentIntent and charge; what it leaves out is read, where that can change the route. */
async function declinedByError(
  session: Session,
  error: Stripe.errors.StripeError,
  message: string,
): Promise<ChargeResult> {
  const payment = error.payment_intent ?? null;
  const chargeId = error.charge ?? idOf(payment?.latest_charge);
  const charge = expanded(payment?.latest_charge) ?? (saysLittle(error) ? await readCharge(session, chargeId) : null);
  return {
    kind: 'declined',
    signals: declineSignals(error, charge),
    paymentId: payment?.id ?? idOf(charge?.payment_intent),
    chargeId,
    message,
  };
}

/**
 * A generic decline that no network gave a code for may be one that Stripe itself blocked, and only the charge's
 * outcome tells. Declines of the network, by far the most, carry the network's code and need no further call.
 * @see https://docs.stripe.com/declines#blocked-payments
 */
function saysLittle(error: Stripe.errors.StripeError): boolean {
  const code = error.decline_code || error.code || '';
  return !error.network_decline_code && ['', 'generic_decline', 'card_declined'].includes(code);
}

async function readCharge({ stripe, reading }: Session, chargeId: string | null): Promise<Stripe.Charge | null> {
  if (chargeId === null) return null;
  try {
    return mustBe(await stripe.charges.retrieve(chargeId, {}, reading()), 'charge');
  } catch {
    return null; // The decline stands without it; the outcome would only have made it stricter.
  }
}

import type Stripe from 'stripe';

import type {
  CardFacts,
  ChargeFacts,
  InvoiceFacts,
  PaymentFacts,
  PaymentMethodFacts,
  SubscriptionFacts,
} from '../gateway.js';
import { UnreadableReply } from './classify.js';
import { brandName, declineSignals } from './signals.js';
import { chargeStatus, invoiceRow, paymentRow } from './status-table.js';

/** Stripe answers an id where an object was not expanded; both name the same thing. */
export function idOf(reference: string | { id: string } | null | undefined): string | null {
  if (reference === null || reference === undefined) return null;
  return typeof reference === 'string' ? reference : reference.id;
}

/** The object itself where it was expanded, else null. */
export function expanded<T extends object>(reference: string | T | null | undefined): T | null {
  return typeof reference === 'object' ? reference : null;
}

/**
 * Asserts that the answer is what was asked for: a proxy's JSON must never be taken for a payment.
 * @throws {UnreadableReply}
 */
export function mustBe<T extends { object: string }>(reply: T, object: T['object']): T {
  if (reply.object !== object) throw new UnreadableReply(`the answer is no ${object}`);
  return reply;
}

/** A PaymentIntent with `latest_charge` expanded. The PaymentIntent itself does not tell its invoice: the caller does. */
export function paymentFacts(payment: Stripe.PaymentIntent, invoiceId: string | null): PaymentFacts {
  mustBe(payment, 'payment_intent');
  const error = payment.last_payment_error;
  const charge = expanded(payment.latest_charge);
  return {
    kind: 'payment',
    id: payment.id,
    status: paymentRow(payment.status).status,
    amountMinor: minorUnits(payment.amount),
    currency: payment.currency.toUpperCase(),
    customerId: idOf(payment.customer),
    invoiceId,
    captureMethod: captureMethod(payment),
    confirmationMethod: payment.confirmation_method,
    setupFutureUsage: setupFutureUsage(payment),
    allowsRedirects: allowsRedirects(payment),
    cancellationReason: payment.cancellation_reason,
    createdAt: instant(payment.created),
    metadata: { ...payment.metadata },
    latestCharge: charge && chargeFacts(charge, error),
    lastError: error && {
      signals: declineSignals(error, charge),
      requestLogUrl: error.request_log_url ?? null,
      chargeId: error.charge ?? null,
    },
  };
}

/** A charge; `error` is the PaymentIntent's `last_payment_error`, which says more where it speaks of this charge. */
export function chargeFacts(charge: Stripe.Charge, error: Stripe.PaymentIntent.LastPaymentError | null): ChargeFacts {
  mustBe(charge, 'charge');
  const status = chargeStatus(charge.status);
  const ownError = error?.charge === charge.id ? error : null;
  return {
    id: charge.id,
    status,
    amountMinor: minorUnits(charge.amount),
    currency: charge.currency.toUpperCase(),
    refunded: charge.refunded || charge.amount_refunded > 0, // A part given back is the merchant's decision too.
    disputed: charge.disputed,
    createdAt: instant(charge.created),
    customerId: idOf(charge.customer),
    card: cardFacts(charge.payment_method_details?.card),
    paymentId: idOf(charge.payment_intent),
    signals: status === 'failed' ? declineSignals(ownError, charge) : null,
  };
}

/** An invoice, with the facts of its default payment read separately: five levels are more than Stripe expands. */
export function invoiceFacts(invoice: Stripe.Invoice, payment: PaymentFacts | null): InvoiceFacts {
  mustBe(invoice, 'invoice');
  return {
    kind: 'invoice',
    id: invoice.id,
    status: invoiceRow(invoice.status).status,
    amountRemainingMinor: minorUnits(invoice.amount_remaining),
    currency: invoice.currency.toUpperCase(),
    customerId: idOf(invoice.customer),
    createdAt: instant(invoice.created),
    subscription: subscriptionFacts(invoice),
    nextAttemptAt: invoice.next_payment_attempt ? instant(invoice.next_payment_attempt) : null,
    payment,
  };
}

/** The subscription of an invoice, where it was expanded. */
export function subscriptionFacts(invoice: Stripe.Invoice): SubscriptionFacts | null {
  const subscription = expanded(invoice.parent?.subscription_details?.subscription);
  return subscription && { id: subscription.id, status: subscription.status };
}

/** A saved payment method, under the token the merchant gave: test tokens read back under another id. */
export function paymentMethodFacts(method: Stripe.PaymentMethod, token: string): PaymentMethodFacts {
  mustBe(method, 'payment_method');
  return { token, type: method.type, customerId: idOf(method.customer), card: cardFacts(method.card) };
}

/**
 * Which of an invoice's payments is charged by `pay`: the default one while it is open, else the default one, else the
 * newest. Null when the invoice has none, such as a draft.
 */
export function defaultPaymentId(payments: readonly Stripe.InvoicePayment[]): string | null {
  const byRank = payments.filter((entry) => idOf(entry.payment.payment_intent) !== null);
  byRank.sort((a, b) => rank(b) - rank(a) || b.created - a.created);
  return idOf(byRank[0]?.payment.payment_intent);
}

function rank(entry: Stripe.InvoicePayment): number {
  return (entry.is_default ? 2 : 0) + (entry.status === 'canceled' ? 0 : 1);
}

interface CardFields {
  brand?: string | null;
  last4?: string | null;
  fingerprint?: string | null;
  country?: string | null;
  exp_month?: number | null;
  exp_year?: number | null;
}

function cardFacts(card: CardFields | null | undefined): CardFacts | null {
  if (!card) return null;
  return {
    brand: brandName(card.brand),
    last4: card.last4 ?? null,
    fingerprint: card.fingerprint ?? null,
    country: card.country ?? null,
    expMonth: card.exp_month ?? null,
    expYear: card.exp_year ?? null,
  };
}

/** `manual` where a card would only be authorised, whichever of the two places says so. */
function captureMethod(payment: Stripe.PaymentIntent): string {
  return payment.payment_method_options?.card?.capture_method === 'manual' ? 'manual' : payment.capture_method;
}

/** Stripe refuses `off_session` with it in either place. */
function setupFutureUsage(payment: Stripe.PaymentIntent): string | null {
  const forCards = payment.payment_method_options?.card?.setup_future_usage;
  return payment.setup_future_usage ?? (forCards && forCards !== 'none' ? forCards : null);
}

/** Without automatic methods, anything beside cards may redirect; a `return_url` too many does no harm. */
function allowsRedirects(payment: Stripe.PaymentIntent): boolean {
  const automatic = payment.automatic_payment_methods;
  if (automatic?.enabled) return automatic.allow_redirects !== 'never';
  return payment.payment_method_types.some((type) => type !== 'card');
}

function minorUnits(amount: number): number {
  if (!Number.isSafeInteger(amount)) throw new UnreadableReply('an amount is no integer');
  return amount;
}

function instant(seconds: number): Date {
  return new Date(seconds * 1000);
}

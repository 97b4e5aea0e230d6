import type Stripe from 'stripe';

import type { DeclineSignals } from '../../recovery/facts.js';
import type { CallOptions, GatewayAccount, InvoiceFacts, Reading } from '../gateway.js';
import { defaultPaymentId, expanded, idOf, mustBe } from './map.js';
import { invoiceOf, paymentsOf, SUBSCRIPTION } from './original.js';
import { allPages } from './pages.js';
import { read, type Session, type SessionParts } from './session.js';
import { declineSignals } from './signals.js';
import { invoiceRow } from './status-table.js';

/** The newest failure of an invoice's payment, as the payment itself tells it. */
export interface BillingFailure {
  signals: DeclineSignals;
  chargeId: string | null;
  /** The payment method that was declined. */
  paymentMethodId: string | null;
}

/** An invoice as its billing platform collects it. Amount in minor units, currency upper case. */
export interface BilledInvoice {
  id: string;
  status: InvoiceFacts['status'];
  amountRemainingMinor: number;
  currency: string;
  customerId: string | null;
  collectionMethod: string;
  billingReason: string | null;
  /** The platform has tried to collect it at least once. */
  attempted: boolean;
  /** When the platform itself tries next. Null does not prove that it has given up. */
  nextAttemptAt: Date | null;
  subscription: { id: string; status: string | null } | null;
  paymentId: string | null;
  paymentStatus: string | null;
  failure: BillingFailure | null;
  /** What the platform would charge: the invoice's own method, the subscription's, or the customer's. */
  methodId: string | null;
}

/** A subscription, as far as it says whether its invoices are still owed. */
export interface BilledSubscription {
  id: string;
  status: string;
  customerId: string | null;
  defaultMethodId: string | null;
}

/**
 * Stripe's billing side, to be read and never changed: this class has no call that could charge, void or write anything.
 * @see https://docs.stripe.com/api/invoices/object
 */
export class StripeBilling {
  constructor(private readonly parts: SessionParts) {}

  /**
   * An invoice with its decline, its subscription and the method it will use, in one call; a second only where it has more
   * payments than Stripe shows in it. Whatever version an event was rendered in, this reading has the pinned version's shape.
   */
  invoice(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<BilledInvoice>> {
    if (!/^in_\w+$/.test(id)) return Promise.resolve({ kind: 'not_found' });
    return read(this.parts, account, options, (session) => readInvoice(session, id));
  }

  /** The invoice that a payment pays; null where it pays none. */
  invoiceOf(account: GatewayAccount, paymentId: string, options: CallOptions): Promise<Reading<string | null>> {
    if (!/^pi_\w+$/.test(paymentId)) return Promise.resolve({ kind: 'found', value: null });
    return read(this.parts, account, options, (session) => invoiceOf(session, paymentId));
  }

  subscription(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<BilledSubscription>> {
    if (!/^sub_\w+$/.test(id)) return Promise.resolve({ kind: 'not_found' });
    return read(this.parts, account, options, async ({ stripe, reading }) => {
      const subscription = mustBe(await stripe.subscriptions.retrieve(id, {}, reading()), 'subscription');
      return {
        id: subscription.id,
        status: subscription.status,
        customerId: idOf(subscription.customer),
        defaultMethodId: idOf(subscription.default_payment_method) ?? idOf(subscription.default_source),
      };
    });
  }

  /** Every open invoice of a subscription or a customer, all pages. */
  openInvoices(
    account: GatewayAccount,
    of: { subscription: string } | { customer: string },
    options: CallOptions,
  ): Promise<Reading<string[]>> {
    return read(this.parts, account, options, async ({ stripe, reading }) => {
      const open = await allPages((page) => stripe.invoices.list({ ...of, status: 'open', ...page }, reading()));
      return open.map(({ id }) => id);
    });
  }

  /** Which payment method a mandate allows to be charged, and whether it still does. */
  mandate(
    account: GatewayAccount,
    id: string,
    options: CallOptions,
  ): Promise<Reading<{ isActive: boolean; methodId: string | null }>> {
    if (!/^mandate_\w+$/.test(id)) return Promise.resolve({ kind: 'not_found' });
    return read(this.parts, account, options, async ({ stripe, reading }) => {
      const mandate = mustBe(await stripe.mandates.retrieve(id, {}, reading()), 'mandate');
      return { isActive: mandate.status !== 'inactive', methodId: idOf(mandate.payment_method) };
    });
  }

  /** The payment method that a setup saved, and for whom; null while it has none. */
  savedMethod(
    account: GatewayAccount,
    setupIntentId: string,
    options: CallOptions,
  ): Promise<Reading<{ methodId: string; customerId: string } | null>> {
    if (!/^seti_\w+$/.test(setupIntentId)) return Promise.resolve({ kind: 'not_found' });
    return read(this.parts, account, options, async ({ stripe, reading }) => {
      const setup = mustBe(await stripe.setupIntents.retrieve(setupIntentId, {}, reading()), 'setup_intent');
      const [methodId, customerId] = [idOf(setup.payment_method), idOf(setup.customer)];
      return methodId === null || customerId === null ? null : { methodId, customerId };
    });
  }

  /**
   * The events since an instant that an endpoint of the account has not got, all pages, newest first. Stripe keeps them
   * for 30 days.
   * @see https://docs.stripe.com/webhooks/process-undelivered-events
   */
  undelivered(
    account: GatewayAccount,
    query: { types: readonly string[]; since: Date },
    options: CallOptions,
  ): Promise<Reading<Stripe.Event[]>> {
    const created = { gte: Math.floor(query.since.getTime() / 1000) };
    const asked = { delivery_success: false, types: [...query.types], created };
    return read(this.parts, account, options, ({ stripe, reading }) =>
      allPages((page) => stripe.events.list({ ...asked, ...page }, reading())),
    );
  }
}

const EXPAND = ['payments.data.payment.payment_intent', SUBSCRIPTION, 'customer'];

async function readInvoice(session: Session, id: string): Promise<BilledInvoice> {
  const invoice = mustBe(await session.stripe.invoices.retrieve(id, { expand: EXPAND }, session.reading()), 'invoice');
  const payment = await defaultPayment(session, invoice);
  const subscription = invoice.parent?.subscription_details?.subscription ?? null;
  const subscriptionId = idOf(subscription);
  return {
    id: invoice.id,
    status: invoiceRow(invoice.status).status,
    amountRemainingMinor: invoice.amount_remaining,
    currency: invoice.currency.toUpperCase(),
    customerId: idOf(invoice.customer),
    collectionMethod: invoice.collection_method,
    billingReason: invoice.billing_reason,
    attempted: invoice.attempted,
    nextAttemptAt: invoice.next_payment_attempt === null ? null : new Date(invoice.next_payment_attempt * 1000),
    subscription:
      subscriptionId === null ? null : { id: subscriptionId, status: expanded(subscription)?.status ?? null },
    paymentId: payment?.id ?? null,
    paymentStatus: payment?.status ?? null,
    failure: payment && failureOf(payment),
    methodId: methodOf(invoice),
  };
}

async function defaultPayment(session: Session, invoice: Stripe.Invoice): Promise<Stripe.PaymentIntent | null> {
  const entries = await paymentsOf(session, invoice);
  const id = defaultPaymentId(entries);
  const entry = entries.find(({ payment }) => idOf(payment.payment_intent) === id);
  const found = expanded(entry?.payment.payment_intent);
  if (found || id === null) return found;
  return await session.stripe.paymentIntents.retrieve(id, {}, session.reading());
}

/** `last_payment_error` says all that a decline has: codes, advice, network codes, and the card with its brand. */
function failureOf(payment: Stripe.PaymentIntent): BillingFailure | null {
  const error = payment.last_payment_error;
  if (!error) return null;
  return {
    signals: declineSignals(error, null),
    chargeId: error.charge ?? idOf(payment.latest_charge),
    paymentMethodId: error.payment_method?.id ?? null,
  };
}

/**
 * In Stripe's own order.
 * @see https://docs.stripe.com/api/subscriptions/object#subscription_object-default_payment_method
 */
function methodOf(invoice: Stripe.Invoice): string | null {
  const subscription = expanded(invoice.parent?.subscription_details?.subscription);
  const customer = expanded(invoice.customer);
  const living = customer && !customer.deleted ? customer : null;
  return (
    idOf(invoice.default_payment_method) ??
    idOf(invoice.default_source) ??
    idOf(subscription?.default_payment_method) ??
    idOf(subscription?.default_source) ??
    idOf(living?.invoice_settings.default_payment_method) ??
    idOf(living?.default_source)
  );
}

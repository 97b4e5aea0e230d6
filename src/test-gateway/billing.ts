import type { InvoiceBody, Stored, SubscriptionBody } from './bodies.js';
import { playCharge } from './charging.js';
import { customerBody } from './customers.js';
import { loadInstrument } from './instruments.js';
import { addLine, draftInvoiceBody } from './invoice-body.js';
import { attachedMethod, defaultPayment } from './invoice-paying.js';
import { openInvoice } from './invoice-steps.js';
import { endSubscription, subscriptionUnpaid } from './subscriptions.js';
import type { UnitOfWork } from './unit-of-work.js';

const DAY_SECONDS = 86_400;

/** A subscription as a test asks for it. Amount in minor units. */
export interface NewSubscription {
  customer?: string;
  amountMinor: number;
  currency?: string;
  /** The token that its invoices are charged to; null: whatever the customer has. */
  method: string | null;
  /** Stripe's own retries: every three days after a failure. */
  retries?: boolean;
}

/** Opens a subscription of a new customer, or of the given one; nothing is billed yet. */
export function openSubscription(uow: UnitOfWork, wanted: NewSubscription): SubscriptionBody {
  const customer = wanted.customer ?? newCustomer(uow);
  const body: SubscriptionBody = {
    id: uow.newId('sub'),
    object: 'subscription',
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, reason: null },
    collection_method: 'charge_automatically',
    created: uow.nowSeconds,
    currency: wanted.currency ?? 'usd',
    customer,
    default_payment_method: wanted.method,
    default_source: null,
    ended_at: null,
    latest_invoice: null,
    livemode: false,
    metadata: {},
    pause_collection: null,
    status: 'active',
  };
  const hidden = { price: wanted.amountMinor, retries: wanted.retries ?? false };
  uow.create('subscription', body, { hidden });
  uow.emit('customer.subscription.created', body);
  return body;
}

function newCustomer(uow: UnitOfWork): string {
  const body = customerBody(uow.newId('cus'), uow.nowSeconds);
  uow.create('customer', body);
  uow.emit('customer.created', body);
  return body.id;
}

/** Bills one period: an invoice is made, finalised and charged as Stripe does by itself. Resolves to the invoice's id. */
export async function billSubscription(
  uow: UnitOfWork,
  id: string,
  reason: NonNullable<InvoiceBody['billing_reason']> = 'subscription_cycle',
): Promise<string> {
  const subscription = await uow.lock('subscription', id);
  const { body } = subscription;
  const draft = draftInvoiceBody({
    id: uow.newId('in'),
    created: uow.nowSeconds,
    customer: body.customer,
    customerEmail: null,
    currency: body.currency,
    collectionMethod: 'charge_automatically',
    autoAdvance: true,
    defaultPaymentMethod: null,
    description: null,
    metadata: {},
  });
  draft.billing_reason = reason;
  draft.parent = {
    type: 'subscription_details',
    quote_details: null,
    subscription_details: { metadata: {}, subscription: id },
  };
  const invoice = uow.create('invoice', draft, { parentId: id });
  addLine(invoice.body, uow.newId('il'), subscription.hidden.price ?? 0, null);
  uow.emit('invoice.created', invoice.body);
  body.latest_invoice = draft.id;
  if (reason === 'subscription_create') body.status = 'incomplete';
  uow.save(subscription);
  openInvoice(uow, invoice);
  if (invoice.body.status === 'open') await collect(uow, invoice, subscription);
  return draft.id;
}

/** Stripe's own retry of an open invoice. */
export async function retryInvoice(uow: UnitOfWork, invoiceId: string): Promise<void> {
  const invoice = await uow.lock('invoice', invoiceId);
  if (invoice.body.status !== 'open' || invoice.parentId === null) return;
  const subscription = await uow.lock('subscription', invoice.parentId);
  invoice.body.attempt_count += 1;
  await collect(uow, invoice, subscription);
}

async function collect(
  uow: UnitOfWork,
  invoice: Stored<'invoice'>,
  subscription: Stored<'subscription'>,
): Promise<void> {
  const method = await attachedMethod(uow, invoice).catch(() => null);
  // Before the charge, so that the event of its failure tells when the next one comes.
  invoice.body.next_payment_attempt = subscription.hidden.retries === true ? uow.nowSeconds + 3 * DAY_SECONDS : null;
  if (method === null) {
    invoice.body.attempted = true;
    invoice.body.attempt_count = Math.max(1, invoice.body.attempt_count);
    uow.save(invoice);
    uow.emit('invoice.payment_failed', invoice.body);
    return subscriptionUnpaid(uow, invoice);
  }
  const instrument = await loadInstrument(uow, method);
  const wanted = { instrument, offSession: true, errorOnRequiresAction: false, returnUrl: null };
  const played = await playCharge(uow, await defaultPayment(uow, invoice), wanted);
  if (played.kind === 'played' && played.outcome.kind === 'succeeded') return;
  await subscriptionUnpaid(uow, invoice);
}

/** Stripe gives up and ends the subscription, as its settings after the last retry may say. */
export async function giveUpSubscription(uow: UnitOfWork, id: string): Promise<void> {
  endSubscription(uow, await uow.lock('subscription', id), 'payment_failed');
}

/** The customer takes the consent back: the method may not be debited any more. */
export function endMandate(uow: UnitOfWork, paymentMethod: string): string {
  const id = uow.newId('mandate');
  const body = {
    id,
    object: 'mandate' as const,
    livemode: false as const,
    payment_method: paymentMethod,
    status: 'inactive' as const,
    type: 'multi_use' as const,
  };
  uow.create('mandate', body);
  uow.emit('mandate.updated', body, { status: 'active' });
  return id;
}

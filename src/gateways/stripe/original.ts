import type Stripe from 'stripe';

import type { ChargeFacts, InvoiceFacts, OriginalReading, PaymentFacts } from '../gateway.js';
import { chargeFacts, defaultPaymentId, idOf, invoiceFacts, mustBe, paymentFacts } from './map.js';
import { allPages } from './pages.js';
import type { Session } from './session.js';
import { paymentRow } from './status-table.js';

const PAGE_SIZE = 100;
/** Where an invoice names the subscription that it bills. */
export const SUBSCRIPTION = 'parent.subscription_details.subscription';

/** A PaymentIntent with its newest charge, as it reads now. One call. */
export async function readPaymentFacts(session: Session, id: string, invoiceId: string | null): Promise<PaymentFacts> {
  const payment = await session.stripe.paymentIntents.retrieve(id, { expand: ['latest_charge'] }, session.reading());
  return paymentFacts(payment, invoiceId);
}

/** An invoice and its default payment with that one's newest charge. Two calls; a third beyond the first payments. */
export async function readInvoiceFacts(session: Session, id: string): Promise<InvoiceFacts> {
  const expand = ['payments', SUBSCRIPTION];
  const invoice = await session.stripe.invoices.retrieve(id, { expand }, session.reading());
  const paymentId = defaultPaymentId(await paymentsOf(session, mustBe(invoice, 'invoice')));
  return invoiceFacts(invoice, paymentId === null ? null : await readPaymentFacts(session, paymentId, id));
}

/**
 * An invoice's payments as far as they decide which of them counts: those that Stripe shows in it, where the default one
 * is among them, else all pages.
 */
export async function paymentsOf(
  { stripe, reading }: Session,
  { id: invoice, payments: embedded }: Stripe.Invoice,
): Promise<Stripe.InvoicePayment[]> {
  if (embedded && (!embedded.has_more || embedded.data.some((entry) => entry.is_default))) return embedded.data;
  return allPages((page) => stripe.invoicePayments.list({ invoice, ...page }, reading()));
}

/**
 * The invoice that a PaymentIntent pays, or null. One call.
 * @see https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
 */
export async function invoiceOf(session: Session, paymentId: string): Promise<string | null> {
  const { data } = await session.stripe.invoicePayments.list(
    { payment: { type: 'payment_intent', payment_intent: paymentId }, limit: PAGE_SIZE },
    session.reading(),
  );
  // A cancelled entry no longer ties the payment to that invoice, unless there is no other.
  const entry = data.find(({ status }) => status !== 'canceled') ?? data[0];
  return idOf(entry?.invoice);
}

/**
 * Resolves charge → PaymentIntent → invoice and reads the outermost. Null for an id that can name none of them.
 * Asks for a Checkout Session only where the payment could be adopted.
 */
export async function resolveOriginal(session: Session, id: string): Promise<OriginalReading | null> {
  if (/^in_\w+$/.test(id)) return ofInvoice(await readInvoiceFacts(session, id));
  if (/^pi_\w+$/.test(id)) return await resolvePayment(session, id);
  if (/^(?:ch|py)_\w+$/.test(id)) return await resolveCharge(session, id);
  return null;
}

async function resolveCharge(session: Session, id: string): Promise<OriginalReading> {
  const charge = await session.stripe.charges.retrieve(id, {}, session.reading());
  const facts = chargeFacts(charge, null);
  if (facts.paymentId !== null) return await resolvePayment(session, facts.paymentId);
  return { original: { kind: 'charge', charge: facts }, checkoutOwned: false, ...failureOf(facts, null) };
}

async function resolvePayment(session: Session, id: string): Promise<OriginalReading> {
  const invoiceId = await invoiceOf(session, id);
  if (invoiceId !== null) return ofInvoice(await readInvoiceFacts(session, invoiceId));

  const original = await readPaymentFacts(session, id, null);
  const checkoutOwned = paymentRow(original.status).adoptable && (await hasCheckoutSession(session, id));
  return { original, checkoutOwned, ...failureOf(original.latestCharge, original) };
}

function ofInvoice(original: InvoiceFacts): OriginalReading {
  const { payment } = original;
  return { original, checkoutOwned: false, ...failureOf(payment?.latestCharge ?? null, payment) };
}

/** A session of any status counts: Stripe leaves its payment to the session's own page. */
async function hasCheckoutSession(session: Session, paymentId: string): Promise<boolean> {
  const { data } = await session.stripe.checkout.sessions.list(
    { payment_intent: paymentId, limit: 1 },
    session.reading(),
  );
  return data.length > 0;
}

/** When and why the newest charge failed. A payment can fail without a charge: then no time is told, only the reason. */
function failureOf(
  charge: ChargeFacts | null,
  payment: PaymentFacts | null,
): Pick<OriginalReading, 'failedAt' | 'signals'> {
  const failed = charge?.status === 'failed' ? charge : null;
  return { failedAt: failed?.createdAt ?? null, signals: payment?.lastError?.signals ?? failed?.signals ?? null };
}

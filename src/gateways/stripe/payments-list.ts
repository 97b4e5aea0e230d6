import type Stripe from 'stripe';

import type { PaymentFacts, PaymentQuery } from '../gateway.js';
import { paymentFacts } from './map.js';
import { invoiceOf } from './original.js';
import { pages } from './pages.js';
import type { Session } from './session.js';

/**
 * All pages of a customer's PaymentIntents that answer the query, newest first, each with its newest charge and the
 * invoice it pays. The invoice costs a call each, so it is asked for only after amount and currency have matched.
 */
export async function listPaymentFacts(session: Session, query: PaymentQuery): Promise<PaymentFacts[]> {
  const found: PaymentFacts[] = [];
  const created = { gte: Math.floor(query.since.getTime() / 1000) };
  const asked = { customer: query.customerId, created, expand: ['data.latest_charge'] };
  const { stripe, reading } = session;
  for await (const payment of pages((page) => stripe.paymentIntents.list({ ...asked, ...page }, reading()))) {
    if (answers(payment, query)) found.push(paymentFacts(payment, await invoiceOf(session, payment.id)));
  }
  return found;
}

function answers(payment: Stripe.PaymentIntent, { amountMinor, currency }: PaymentQuery): boolean {
  return (
    (amountMinor === undefined || payment.amount === amountMinor) &&
    (currency === undefined || payment.currency === currency.toLowerCase())
  );
}

import type Stripe from 'stripe';

import type { PaymentFacts, PaymentQuery } from '../gateway.js';
import { UnreadableReply } from './classify.js';
import { paymentFacts } from './map.js';
import { invoiceOf } from './original.js';
import type { Session } from './session.js';

/** The most that Stripe gives in one page. */
const PAGE_SIZE = 100;

/**
 * All pages of a customer's PaymentIntents that answer the query, newest first, each with its newest charge and the
 * invoice it pays. The invoice costs a call each, so it is asked for only after amount and currency have matched.
 */
export async function listPaymentFacts(session: Session, query: PaymentQuery): Promise<PaymentFacts[]> {
  const found: PaymentFacts[] = [];
  for await (const payment of pages(session, query)) {
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

async function* pages(session: Session, query: PaymentQuery): AsyncGenerator<Stripe.PaymentIntent> {
  const created = { gte: Math.floor(query.since.getTime() / 1000) };
  let after: string | undefined;
  do {
    const page: Stripe.ApiList<Stripe.PaymentIntent> = await session.stripe.paymentIntents.list(
      {
        customer: query.customerId,
        created,
        limit: PAGE_SIZE,
        expand: ['data.latest_charge'],
        ...(after === undefined ? {} : { starting_after: after }),
      },
      session.reading(),
    );
    yield* page.data;
    after = nextCursor(page, after);
  } while (after !== undefined);
}

function nextCursor(page: Stripe.ApiList<Stripe.PaymentIntent>, before: string | undefined): string | undefined {
  if (!page.has_more) return undefined;
  const last = page.data.at(-1)?.id;
  // Half a list would hide a payment; better no answer than one that says "none".
  if (last === undefined || last === before) throw new UnreadableReply('a list that does not go on');
  return last;
}

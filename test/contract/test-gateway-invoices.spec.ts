import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';

import {
  engineKey,
  idOf,
  ownTestGateway,
  refusalOf,
  type OwnTestGateway,
  type TestAccount,
} from '../support/own-test-gateway.js';

let own: OwnTestGateway;
let account: TestAccount;
let stripe: Stripe;

beforeAll(async () => {
  own = await ownTestGateway();
  account = await own.newAccount();
  stripe = account.stripe;
});
afterAll(async () => {
  expect(own.errors).toEqual([]);
  await own.stop();
});

async function openInvoice(amount = 2500): Promise<Stripe.Invoice> {
  const draft = await stripe.invoices.create({ customer: account.cardholder, currency: 'usd' });
  await stripe.invoiceItems.create({ customer: account.cardholder, invoice: draft.id, amount, currency: 'usd' });
  return stripe.invoices.finalizeInvoice(draft.id);
}

function pay(invoiceId: string, token: string, idempotencyKey = engineKey()): Promise<Stripe.Invoice> {
  const params = { payment_method: token, off_session: true, expand: ['payments.data.payment.payment_intent'] };
  return stripe.invoices.pay(invoiceId, params, { idempotencyKey });
}

/** The invoice's default payment, found as one who only knows the invoice finds it. */
async function paymentOf(invoiceId: string): Promise<Stripe.PaymentIntent> {
  const { data } = await stripe.invoicePayments.list({ invoice: invoiceId, limit: 10 });
  expect(data).toHaveLength(1);
  expect(data[0]).toMatchObject({ is_default: true, payment: { type: 'payment_intent' } });
  return stripe.paymentIntents.retrieve(idOf(data[0]?.payment.payment_intent));
}

async function booked(invoiceId: string): Promise<string[]> {
  const entries = await own.admin.ledger(account.accountId);
  return entries.filter((entry) => entry.invoiceId === invoiceId).map(({ status }) => status);
}

describe('an invoice', () => {
  it('gets its payment when it is finalised, and is paid through it', async () => {
    const invoice = await openInvoice();
    expect(invoice).toMatchObject({
      status: 'open',
      amount_due: 2500,
      amount_remaining: 2500,
      total: 2500,
      attempt_count: 0,
    });
    expect(invoice.payments).toBeUndefined();
    expect(await paymentOf(invoice.id)).toMatchObject({ amount: 2500, status: 'requires_payment_method' });
    const paid = await pay(invoice.id, 'pm_card_visa');
    expect(paid).toMatchObject({ status: 'paid', amount_paid: 2500, amount_remaining: 0, attempt_count: 1 });
    const [part] = paid.payments?.data ?? [];
    expect(part).toMatchObject({
      status: 'paid',
      amount_paid: 2500,
      payment: { payment_intent: { status: 'succeeded' } },
    });
    expect(await booked(invoice.id)).toEqual(['succeeded']);
  });

  it('is found from its payment, and from no other', async () => {
    const invoice = await openInvoice();
    const payment = await paymentOf(invoice.id);
    const found = await stripe.invoicePayments.list({
      payment: { type: 'payment_intent', payment_intent: payment.id },
    });
    expect(found.data.map((part) => part.invoice)).toEqual([invoice.id]);
    const free = await stripe.paymentIntents.create({ amount: 500, currency: 'usd' });
    const none = await stripe.invoicePayments.list({ payment: { type: 'payment_intent', payment_intent: free.id } });
    expect(none.data).toEqual([]);
  });

  it('plays a token’s script from its start, one step per pay', async () => {
    const invoice = await openInvoice();
    const declined = await refusalOf(pay(invoice.id, 'pm_test_insufficient_funds_x1'));
    expect(declined).toMatchObject({ statusCode: 402, decline_code: 'insufficient_funds' });
    expect((await paymentOf(invoice.id)).last_payment_error?.decline_code).toBe('insufficient_funds');
    expect((await pay(invoice.id, 'pm_test_insufficient_funds_x1')).status).toBe('paid');
    expect(await booked(invoice.id)).toEqual(['failed', 'succeeded']);
  });

  it('waits for a customer who must authenticate, and is paid when they have', async () => {
    const invoice = await openInvoice();
    const error = await refusalOf(pay(invoice.id, 'pm_card_authenticationRequired'));
    expect(error).toMatchObject({ statusCode: 402, code: 'invoice_payment_intent_requires_action' });
    const payment = await paymentOf(invoice.id);
    expect(payment.status).toBe('requires_action');
    const { confirmation_secret } = await stripe.invoices.retrieve(invoice.id, { expand: ['confirmation_secret'] });
    expect(confirmation_secret?.client_secret).toBe(payment.client_secret);
    expect(await own.admin.authenticate(account.accountId, payment.id)).toBe('succeeded');
    expect((await stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
  });

  it('lets its payment be confirmed by a present customer only, and never be cancelled', async () => {
    const invoice = await openInvoice();
    const { id } = await paymentOf(invoice.id);
    const absent = { payment_method: 'pm_card_visa', off_session: true };
    expect(await refusalOf(stripe.paymentIntents.confirm(id, absent))).toMatchObject({ statusCode: 400 });
    expect(await refusalOf(stripe.paymentIntents.cancel(id))).toMatchObject({ statusCode: 400 });
    expect((await stripe.paymentIntents.confirm(id, { payment_method: 'pm_card_visa' })).status).toBe('succeeded');
    expect((await stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
  });

  it('is paid by its own method, else by the customer’s, else by none', async () => {
    const customer = await stripe.customers.create({});
    const draft = await stripe.invoices.create({ customer: customer.id });
    await stripe.invoices.addLines(draft.id, { lines: [{ amount: 900, description: 'A month' }] });
    const { id } = await stripe.invoices.finalizeInvoice(draft.id);
    expect(await refusalOf(stripe.invoices.pay(id))).toMatchObject({ statusCode: 400, param: 'payment_method' });
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: customer.id });
    await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: card.id } });
    expect((await stripe.invoices.pay(id)).status).toBe('paid');
  });

  it('of nothing is paid when it is finalised, without a charge', async () => {
    const draft = await stripe.invoices.create({ customer: account.cardholder });
    expect((await stripe.invoices.finalizeInvoice(draft.id)).status).toBe('paid');
    expect(await booked(draft.id)).toEqual([]);
  });

  it('takes the items that wait for its customer', async () => {
    const { id: customer } = await stripe.customers.create({});
    await stripe.invoiceItems.create({ customer, amount: 700, currency: 'usd' });
    const draft = await stripe.invoices.create({
      customer,
      currency: 'usd',
      pending_invoice_items_behavior: 'include',
    });
    expect(draft).toMatchObject({ total: 700, lines: { data: [{ amount: 700 }] } });
  });

  it('can be paid elsewhere, and its payment is then cancelled', async () => {
    const invoice = await openInvoice();
    const paid = await stripe.invoices.pay(invoice.id, { paid_out_of_band: true });
    expect(paid).toMatchObject({ status: 'paid', amount_paid_off_stripe: 2500 });
    expect((await paymentOf(invoice.id)).status).toBe('canceled');
    expect(await booked(invoice.id)).toEqual([]);
  });

  it('asks for what is left of it, when that changes', async () => {
    const invoice = await openInvoice();
    await own.admin.changeInvoiceAmount(account.accountId, invoice.id, 1000);
    expect(await pay(invoice.id, 'pm_card_visa')).toMatchObject({ amount_paid: 1000, amount_remaining: 0 });
  });

  it('can be paid after it was written off', async () => {
    const invoice = await openInvoice();
    expect((await stripe.invoices.markUncollectible(invoice.id)).status).toBe('uncollectible');
    expect((await pay(invoice.id, 'pm_card_visa')).status).toBe('paid');
  });

  it('is settled by the bank when a debit comes through', async () => {
    const invoice = await openInvoice();
    expect((await pay(invoice.id, 'pm_test_processing')).status).toBe('open');
    expect(await refusalOf(pay(invoice.id, 'pm_card_visa'))).toMatchObject({ code: 'payment_intent_unexpected_state' });
    await own.admin.settlePending(account.accountId, (await paymentOf(invoice.id)).id, 'succeeded');
    expect((await stripe.invoices.retrieve(invoice.id)).status).toBe('paid');
    expect(await booked(invoice.id)).toEqual(['succeeded']);
  });

  it('collects once when a pay’s answer is lost', async () => {
    const invoice = await openInvoice();
    const key = engineKey();
    expect((await refusalOf(pay(invoice.id, 'pm_test_fault_truncated_after_charge', key))).type).toBe(
      'StripeConnectionError',
    );
    expect((await pay(invoice.id, 'pm_test_fault_truncated_after_charge', key)).status).toBe('paid');
    expect(await booked(invoice.id)).toEqual(['succeeded']);
  });

  it('can not be paid before it is open, nor again, nor once void', async () => {
    const draft = await stripe.invoices.create({ customer: account.cardholder });
    expect(await refusalOf(pay(draft.id, 'pm_card_visa'))).toMatchObject({ statusCode: 400 });
    const paid = await openInvoice();
    await pay(paid.id, 'pm_card_visa');
    expect(await refusalOf(pay(paid.id, 'pm_card_visa'))).toMatchObject({
      statusCode: 400,
      message: 'Invoice is already paid',
    });
    expect(await refusalOf(stripe.invoices.voidInvoice(paid.id))).toMatchObject({ statusCode: 400 });
    const gone = await openInvoice();
    expect((await stripe.invoices.voidInvoice(gone.id)).status).toBe('void');
    expect((await paymentOf(gone.id)).status).toBe('canceled');
    expect(await refusalOf(pay(gone.id, 'pm_card_visa'))).toMatchObject({ statusCode: 400 });
  });
});

describe('money that goes back', () => {
  it('shows on the charge, by refund or by dispute', async () => {
    const params = { amount: 800, currency: 'usd', customer: account.cardholder, confirm: true };
    const automatic_payment_methods = { enabled: true, allow_redirects: 'never' } as const;
    const make = (payment_method: string) =>
      stripe.paymentIntents.create({ ...params, automatic_payment_methods, payment_method });
    const refunded = await make('pm_card_visa');
    await stripe.refunds.create({ payment_intent: refunded.id, amount: 300 });
    const refund = await stripe.refunds.create({ payment_intent: refunded.id });
    expect(refund).toMatchObject({ amount: 500, status: 'succeeded', charge: refunded.latest_charge });
    expect(await refusalOf(stripe.refunds.create({ payment_intent: refunded.id }))).toMatchObject({ statusCode: 400 });
    const charge = await stripe.charges.retrieve(idOf(refunded.latest_charge), { expand: ['refunds'] });
    expect(charge).toMatchObject({ refunded: true, amount_refunded: 800, refunds: { data: [{}, {}] } });

    const disputed = await make('pm_card_createDispute');
    expect((await stripe.charges.retrieve(idOf(disputed.latest_charge))).disputed).toBe(true);
    expect((await stripe.disputes.list({ payment_intent: disputed.id })).data).toHaveLength(1);
  });

  it('is only held until it is captured', async () => {
    const payment = await stripe.paymentIntents.create({
      amount: 800,
      currency: 'usd',
      customer: account.cardholder,
      capture_method: 'manual',
      payment_method: 'pm_card_visa',
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    });
    expect(payment).toMatchObject({ status: 'requires_capture', amount_capturable: 800, amount_received: 0 });
    expect(await stripe.paymentIntents.capture(payment.id)).toMatchObject({
      status: 'succeeded',
      amount_received: 800,
    });
  });
});

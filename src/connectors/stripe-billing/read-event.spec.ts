import { describe, expect, it } from '@jest/globals';

import { EVENT_SUBJECTS, STRIPE_EVENTS, type StripeEventType } from './event-table.js';
import { readStripeEvent } from './read-event.js';

const OURS = { livemode: false, accountId: null };
const read = (type: string, object: object, more: object = {}) =>
  readStripeEvent(Buffer.from(JSON.stringify({ ...envelope(type, object), ...more })), OURS);

function envelope(type: string, object: object) {
  return {
    ...{
      id: 'evt_1',
      object: 'event',
      api_version: '2026-10-28.endive',
      created: 1_795_000_000,
      livemode: false,
      type,
    },
    ...{ data: { object }, pending_webhooks: 1, request: { id: null, idempotency_key: null } },
  };
}

const INVOICE = {
  ...{ id: 'in_1', object: 'invoice', customer: 'cus_1', status: 'open', attempt_count: 1, amount_remaining: 2_500 },
  ...{ next_payment_attempt: 1_795_100_000, customer_email: 'jane@acme.example', number: 'A-1' },
};
/** As rendered before 2025-03-31.basil, as Stripe's guides of that time show it. */
const OLD_INVOICE = { ...INVOICE, charge: 'ch_1', payment_intent: 'pi_1', subscription: 'sub_1', paid: false };
/** As rendered since. */
const NEW_INVOICE = {
  ...INVOICE,
  parent: { type: 'subscription_details', subscription_details: { subscription: 'sub_1', metadata: {} } },
  payments: {
    object: 'list',
    has_more: false,
    data: [
      { object: 'invoice_payment', is_default: false, payment: { type: 'payment_intent', payment_intent: 'pi_0' } },
      { object: 'invoice_payment', is_default: true, payment: { type: 'payment_intent', payment_intent: 'pi_1' } },
    ],
  },
};
const PAYMENT = { id: 'pi_1', object: 'payment_intent', customer: 'cus_1', status: 'requires_payment_method' };
const CHARGE = {
  ...{ id: 'ch_1', object: 'charge', status: 'failed', amount: 2_500, currency: 'usd', created: 1_795_000_000 },
  ...{ payment_intent: 'pi_1', customer: 'cus_1', payment_method: 'pm_1', failure_code: 'card_declined' },
  outcome: { network_status: 'declined_by_network', network_decline_code: '51', network_advice_code: '02' },
  payment_method_details: { card: { brand: 'visa', fingerprint: 'fp1', last4: '4242' } },
};
const CARD = {
  ...{ id: 'pm_1', object: 'payment_method', customer: 'cus_1', billing_details: { email: 'jane@acme.example' } },
  card: { fingerprint: 'fp1', exp_month: 8, exp_year: 2030 },
};
const SUBSCRIPTION = { id: 'sub_1', object: 'subscription', customer: 'cus_1', status: 'past_due' };

/** One recorded shape for every event of the table, old and new where they differ. */
const RECORDED: [StripeEventType, string, object, string][] = [
  ...(
    [
      'invoice.payment_failed',
      'invoice.payment_action_required',
      'invoice.paid',
      'invoice.payment_succeeded',
      'invoice.voided',
      'invoice.marked_uncollectible',
      'invoice.updated',
    ] as const
  ).flatMap((type): [StripeEventType, string, object, string][] => [
    [type, 'old', OLD_INVOICE, 'in_1'],
    [type, 'new', NEW_INVOICE, 'in_1'],
  ]),
  ...(['payment_intent.succeeded', 'payment_intent.payment_failed'] as const).flatMap(
    (type): [StripeEventType, string, object, string][] => [
      [type, 'old', { ...PAYMENT, invoice: 'in_1' }, 'pi_1'],
      [type, 'new', PAYMENT, 'pi_1'],
    ],
  ),
  ['charge.failed', 'old', { ...CHARGE, invoice: 'in_1' }, 'pi_1'],
  ['charge.failed', 'new', CHARGE, 'pi_1'],
  ['charge.refunded', 'any', { ...CHARGE, status: 'succeeded', amount_refunded: 2_500 }, 'pi_1'],
  ['charge.dispute.created', 'any', { id: 'dp_1', object: 'dispute', charge: 'ch_1', payment_intent: 'pi_1' }, 'pi_1'],
  ['payment_method.attached', 'any', CARD, 'pm_1'],
  ['payment_method.automatically_updated', 'any', CARD, 'pm_1'],
  ['customer.subscription.updated', 'any', SUBSCRIPTION, 'sub_1'],
  ['customer.subscription.deleted', 'any', { ...SUBSCRIPTION, status: 'canceled' }, 'sub_1'],
  ['checkout.session.completed', 'any', { id: 'cs_1', object: 'checkout.session', mode: 'setup' }, 'cs_1'],
  ['setup_intent.succeeded', 'any', { id: 'seti_1', object: 'setup_intent', payment_method: 'pm_1' }, 'seti_1'],
  [
    'mandate.updated',
    'any',
    { id: 'mandate_1', object: 'mandate', payment_method: 'pm_1', status: 'inactive' },
    'mandate_1',
  ],
  ['account.application.deauthorized', 'any', { id: 'ca_1', object: 'application' }, 'account'],
];

describe('every event of the table', () => {
  it('has a recorded shape here', () => {
    expect(new Set(RECORDED.map(([type]) => type))).toEqual(new Set(STRIPE_EVENTS));
  });

  it.each(RECORDED)('%s, %s shape, is about its subject', (type, _shape, object, subject) => {
    const event = read(type, object);
    expect(event).toMatchObject({ eventId: 'evt_1', type, subject, ignored: null });
    expect(EVENT_SUBJECTS[type]).toBeDefined();
  });

  it.each(RECORDED)('%s, %s shape, keeps ids and codes only', (type, _shape, object) => {
    expect(JSON.stringify(read(type, object).facts)).not.toMatch(/@|jane|4242"/i);
  });
});

describe('old and new shapes', () => {
  it('of an invoice say the same', () => {
    const [before, since] = [OLD_INVOICE, NEW_INVOICE].map((object) => read('invoice.payment_failed', object).facts);
    expect(before).toEqual({ ...since, chargeId: 'ch_1' });
    expect(since).toMatchObject({ invoiceId: 'in_1', subscriptionId: 'sub_1', paymentId: 'pi_1', customerId: 'cus_1' });
  });

  it('with expanded objects name their ids', () => {
    const expanded = { ...OLD_INVOICE, customer: { id: 'cus_1', email: 'jane@acme.example' }, payment_intent: PAYMENT };
    expect(read('invoice.paid', expanded).facts).toMatchObject({ customerId: 'cus_1', paymentId: 'pi_1' });
  });
});

describe('a failed charge', () => {
  it('tells what the networks’ limits count', () => {
    expect(read('charge.failed', CHARGE).facts).toMatchObject({
      ...{ failedAt: 1_795_000_000, amount: 2_500, currency: 'usd', fingerprint: 'fp1', methodId: 'pm_1' },
      ...{ networkDeclineCode: '51', networkAdviceCode: '02', reachedNetwork: 'declined_by_network' },
    });
  });

  it('of our own is known by its key', () => {
    const key = '01KB5Z7M3QG8T2V4XW6Y9ACDEF:att_01KB5Z7M3QG8T2V4XW6Y9ACDEG';
    const own = read('charge.failed', CHARGE, { request: { id: 'req_1', idempotency_key: key } });
    expect(own.facts).toMatchObject({ ownKey: key });
    const foreign = read('charge.failed', CHARGE, { request: { id: 'req_1', idempotency_key: 'order-7' } });
    expect(foreign.facts).not.toHaveProperty('ownKey');
  });
});

describe('what is not ours to work', () => {
  it.each([
    [{ livemode: true }, 'other_mode'],
    [{ account: 'acct_1' }, 'foreign_account'],
    [{ type: 'invoice.finalized' }, 'unknown_type'],
  ])('%j is told apart', (more, ignored) => {
    expect(read('invoice.paid', NEW_INVOICE, more)).toMatchObject({ ignored, facts: {} });
  });

  it('of the connected account is', () => {
    const bytes = Buffer.from(JSON.stringify({ ...envelope('invoice.paid', NEW_INVOICE), account: 'acct_1' }));
    expect(readStripeEvent(bytes, { livemode: false, accountId: 'acct_1' }).ignored).toBeNull();
    expect(readStripeEvent(bytes, { livemode: false, accountId: 'acct_2' }).ignored).toBe('foreign_account');
  });

  it.each(['', 'null', '[]', '"text"', '{}', '{"id":7}', '\u0000'])('%j is kept as unreadable', (text) => {
    expect(readStripeEvent(Buffer.from(text), OURS)).toMatchObject({ ignored: 'unreadable', facts: {} });
  });
});

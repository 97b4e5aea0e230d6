import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Bank } from '../support/bank.js';
import type { Merchant } from '../support/merchant.js';
import { DAY_MS, HOUR_MS, later, seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const EXTERNAL = { ...COLLECTED, strategyUsed: 'external', trigger: 'external', attemptCount: 0 };
const REVIEW = { http: 200, state: 'failed', success: false, recommendedAction: 'manual_review', attemptCount: 0 };
/** Declined with this code the first charge waits three days: time for the original to change. */
const LATER = { originalDeclineCode: 'insufficient_funds' };
const NOW = { originalDeclineCode: 'do_not_honor', policy: { firstCharge: 'now' } };

let world: World;
let merchant: Merchant;
let bank: Bank;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

const open = async (settings: Record<string, unknown> = {}) => {
  merchant = await world.merchant(settings);
  bank = await world.bank(merchant);
};
const recover = (originalGatewayTransactionId: string, send: Record<string, unknown> = NOW) =>
  merchant.execute({ originalGatewayTransactionId, ...send });
/** Charges of the engine's own: the merchant's and the customer's have none of its keys. */
const chargesByUs = async () => (await merchant.ledger()).filter(({ attemptId }) => attemptId !== null).length;

describe('what the original charge reads, at acceptance', () => {
  it('belongs to an invoice: that invoice is paid, and no payment is made beside it', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const answer = await recover(await bank.paymentOf(invoiceId));
    expect(seen(answer)).toMatchObject({ ...COLLECTED, attemptCount: 1 });
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid', amount_remaining: 0 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('succeeded: collected by somebody else, nothing is charged', async () => {
    await open();
    const { id } = await bank.payment({ payment_method: 'pm_card_visa', confirm: true });
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject(EXTERNAL);
    expect(await merchant.event(answer.body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'external' });
    expect(await chargesByUs()).toBe(0);
  });

  it.each([
    ['refunded', (id: string) => bank.stripe.refunds.create({ payment_intent: id })],
    ['disputed', (id: string) => bank.admin.dispute(merchant.clientId, id)],
  ])('%s: nothing is charged, a person must look', async (endReason, reverse) => {
    await open();
    const { id } = await bank.payment({ payment_method: 'pm_card_visa', confirm: true });
    await reverse(id);
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({ ...REVIEW, endReason });
    expect(await merchant.event(answer.body.transactionId, 'recovery.failed')).toMatchObject({
      endReason,
      final: true,
    });
    expect(await chargesByUs()).toBe(0);
  });

  it.each([
    { outcome: 'succeeded' as const, end: { state: 'succeeded', trigger: 'external', attemptCount: 0 } },
    { outcome: 'failed' as const, end: { state: 'succeeded', strategyUsed: 'primary', attemptCount: 1 } },
  ])('processing, then $outcome: nothing is charged until it is known', async ({ outcome, end }) => {
    await open();
    const { id } = await bank.payment({ payment_method: 'pm_test_processing', confirm: true });
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({ http: 202, state: 'queued', attemptCount: 0 });
    const { transactionId, createdAt } = answer.body;
    await merchant.advanceTo(later(createdAt, HOUR_MS));
    expect(await merchant.status(transactionId)).toMatchObject({ state: 'queued', attemptCount: 0 });
    expect(await chargesByUs()).toBe(0);
    await bank.admin.settlePending(merchant.clientId, id, outcome);
    await merchant.advanceTo(later(createdAt, 5 * DAY_MS));
    expect(await merchant.status(transactionId)).toMatchObject(end);
    expect((await merchant.ledger()).filter(({ status }) => status === 'succeeded')).toHaveLength(1);
  });

  it.each([
    { title: 'declined', make: () => bank.declinedPayment('pm_test_do_not_honor', { metadata: { order: '7' } }) },
    {
      title: 'never confirmed',
      make: () => bank.payment({ payment_method: 'pm_card_visa', metadata: { order: '7' } }),
    },
    {
      title: 'one that allows redirects',
      make: () => bank.payment({ metadata: { order: '7' }, automatic_payment_methods: { enabled: true } }),
    },
  ])('open, and it fits ($title): adopted and charged again, as it is', async ({ make }) => {
    await open();
    const { id } = await make();
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({ ...COLLECTED, gatewayTransactionToken: id, strategyUsed: 'primary' });
    const read = await bank.read(id);
    expect(read).toMatchObject({ status: 'succeeded', metadata: { order: '7' } });
    expect(Object.keys(read.metadata)).toEqual(['order']);
    expect(await chargesByUs()).toBe(1);
  });

  it.each([
    { title: 'another amount', make: () => bank.payment({ amount: 2_600 }), named: /amount is 2600/ },
    { title: 'another currency', make: () => bank.payment({ currency: 'eur' }), named: /currency is EUR/ },
    {
      title: 'another customer',
      make: async () => bank.payment({ customer: (await bank.stripe.customers.create({})).id }),
      named: /customer is cus_/,
    },
    {
      title: 'manual capture',
      make: () => bank.payment({ capture_method: 'manual' }),
      named: /capture_method is manual/,
    },
    {
      title: 'manual confirmation',
      make: () => bank.payment({ confirmation_method: 'manual' }),
      named: /confirmation_method is manual/,
    },
    {
      title: 'set up for later use',
      make: () => bank.payment({ setup_future_usage: 'off_session' }),
      named: /setup_future_usage is off_session/,
    },
    {
      title: 'a Checkout Session’s own',
      make: async () => {
        const made = await bank.payment();
        await bank.admin.ownByCheckoutSession(merchant.clientId, made.id);
        return made;
      },
      named: /Checkout Session/,
    },
  ])('open, and it does not fit ($title): 400 that names what differs, nothing is stored', async ({ make, named }) => {
    await open();
    const { id } = await make();
    const before = await world.rowCounts();
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({
      ...{ http: 400, code: 'original_transaction_open' },
      errors: [{ field: 'originalGatewayTransactionId', code: 'original_transaction_open' }],
    });
    const [problem] = answer.body.errors as { message: string }[];
    expect(problem?.message).toMatch(named);
    expect(problem?.message).toContain(id);
    expect(await world.rowCounts()).toEqual(before);
    expect(await merchant.ledger()).toEqual([]);
  });

  it('waits for the customer: action required, nothing is charged', async () => {
    await open();
    const { id, status } = await bank.payment({ payment_method: 'pm_card_authenticationRequired', confirm: true });
    expect(status).toBe('requires_action');
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({
      ...{ http: 403, state: 'action_required', attemptCount: 0, gatewayTransactionToken: id },
      recommendedActionDetail: 'authenticate',
    });
    expect(await chargesByUs()).toBe(0);
  });

  it('is authorised and held: possibly paid, a person must look', async () => {
    await open();
    const { id } = await bank.payment({ capture_method: 'manual', payment_method: 'pm_card_visa', confirm: true });
    const answer = await recover(id);
    const held = { endReason: 'possibly_paid', recommendedActionDetail: 'possibly_paid' };
    expect(seen(answer)).toMatchObject({ ...REVIEW, ...held });
    expect(await chargesByUs()).toBe(0);
  });

  it('was canceled: a new payment is made', async () => {
    await open();
    const { id } = await bank.payment();
    await bank.stripe.paymentIntents.cancel(id);
    const answer = await recover(id);
    expect(seen(answer)).toMatchObject({ ...COLLECTED, attemptCount: 1 });
    expect(answer.body.gatewayTransactionToken).not.toBe(id);
  });

  it('is named by its charge: resolved to its payment, which is adopted', async () => {
    await open();
    const { id, latest_charge: charge } = await bank.declinedPayment();
    const answer = await recover(typeof charge === 'string' ? charge : (charge?.id ?? ''));
    expect(seen(answer)).toMatchObject({ ...COLLECTED, gatewayTransactionToken: id });
  });

  it.each(['pi_unknown', 'ch_unknown', 'in_unknown'])('is unknown (%s): 400, nothing is stored', async (unknown) => {
    await open();
    const before = await world.rowCounts();
    expect(seen(await recover(unknown))).toMatchObject({ http: 400, code: 'original_transaction_not_found' });
    expect(await world.rowCounts()).toEqual(before);
  });
});

describe('what the original charge reads, before a later charge', () => {
  it('was paid meanwhile: never charged, collected by somebody else', async () => {
    await open();
    const { id } = await bank.declinedPayment();
    const { body } = await recover(id, LATER);
    expect(body.state).toBe('queued');
    await bank.pay(id);
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', trigger: 'external' });
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await chargesByUs()).toBe(0);
  });

  it('was paid and refunded meanwhile: failed, a person must look', async () => {
    await open();
    const { id } = await bank.declinedPayment();
    const { body } = await recover(id, LATER);
    await bank.pay(id);
    await bank.stripe.refunds.create({ payment_intent: id });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'failed', endReason: 'refunded' });
    expect(await chargesByUs()).toBe(0);
  });

  it('has another amount by now: failed as open, no second payment beside it', async () => {
    await open();
    const { id } = await bank.declinedPayment();
    const { body } = await recover(id, LATER);
    await bank.stripe.paymentIntents.update(id, { amount: 3_000 });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.event(body.transactionId, 'recovery.failed')).toMatchObject({
      ...{ endReason: 'original_transaction_open', recommendedAction: 'manual_review' },
      recommendedActionDetail: 'original_transaction_open',
    });
    expect(await chargesByUs()).toBe(0);
  });

  it('was canceled by the merchant: the recovery is cancelled, voided', async () => {
    await open();
    const { id } = await bank.declinedPayment();
    const { body } = await recover(id, LATER);
    await bank.stripe.paymentIntents.cancel(id, { cancellation_reason: 'abandoned' });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'cancelled', endReason: 'voided' });
    expect(await chargesByUs()).toBe(0);
  });

  it.each(['automatic', 'expired'] as const)(
    'was canceled by the gateway itself (%s): a new one is made, once',
    async (reason) => {
      await open();
      const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor_x2' });
      const first = String(body.gatewayTransactionToken);
      await bank.admin.cancelByGateway(merchant.clientId, first, reason);
      await merchant.advanceTo(String(body.scheduledFor));
      const status = await merchant.status(body.transactionId);
      expect(status).toMatchObject({ state: 'queued', attemptCount: 2 });
      const second = String(status.attempts[1]?.gatewayTransactionToken);
      expect(second).not.toBe(first);
      await bank.admin.cancelByGateway(merchant.clientId, second, reason);
      await merchant.advanceTo(String(status.nextRetryAt));
      expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'cancelled', endReason: 'voided' });
    },
  );
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Bank } from '../support/bank.js';
import { type Merchant, unique } from '../support/merchant.js';
import { HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const BAD_CARD = { paymentMethodToken: 'pm_card_chargeDeclinedExpiredCard' };
const GOOD_CARD = { paymentMethodToken: 'pm_card_amex' };
const PAID_BY_CUSTOMER = { http: 200, state: 'succeeded', strategyUsed: 'external', trigger: 'external' };
const COLLECTED = { http: 200, state: 'succeeded', trigger: 'initial', attemptCount: 1 };

let world: World;
let merchant: Merchant;
let bank: Bank;
let reference: string;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

beforeEach(async () => {
  merchant = await world.merchant();
  bank = await world.bank(merchant);
  reference = unique('order');
});

const execute = async (send: Record<string, unknown>) => seen(await merchant.execute({ reference, ...send }));
const successes = async () => (await merchant.ledger()).filter(({ status }) => status === 'succeeded').length;

describe('an order whose first recovery named its invoice, and whose next one names the order alone', () => {
  it('pays that invoice, and never a payment beside it', async () => {
    const invoiceId = await bank.openInvoice();
    expect(await execute({ invoiceId, ...BAD_CARD })).toMatchObject({ state: 'failed' });
    expect(await execute(GOOD_CARD)).toMatchObject(COLLECTED);
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
    const again = await merchant.execute({ invoiceId, reference: undefined, paymentMethodToken: 'pm_card_visa' });
    expect(seen(again)).toMatchObject({ http: 409, code: 'debt_already_paid' });
    expect(await successes()).toBe(1);
  });

  it('finds that the customer has paid the invoice since', async () => {
    const invoiceId = await bank.openInvoice();
    expect(await execute({ invoiceId, ...BAD_CARD })).toMatchObject({ state: 'failed' });
    await bank.stripe.invoices.pay(invoiceId, { payment_method: 'pm_card_visa' });
    expect(await execute(GOOD_CARD)).toMatchObject(PAID_BY_CUSTOMER);
    expect(await successes()).toBe(1);
  });

  it('does not charge the stolen card again that was blocked on the invoice', async () => {
    const invoiceId = await bank.openInvoice();
    const stolen = { paymentMethodToken: 'pm_test_stolen_card' };
    expect(await execute({ invoiceId, ...stolen })).toMatchObject({ state: 'blocked', attemptCount: 1 });
    expect(await execute(stolen)).toMatchObject({ http: 403, state: 'blocked', attemptCount: 0 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('refuses another amount than the invoice has left', async () => {
    const invoiceId = await bank.openInvoice();
    await execute({ invoiceId, ...BAD_CARD });
    expect(await execute({ ...GOOD_CARD, amount: 2400 })).toMatchObject({ http: 400, code: 'amount_mismatch' });
    expect(await successes()).toBe(0);
  });

  it('makes a payment where the invoice was voided since', async () => {
    const invoiceId = await bank.openInvoice();
    await execute({ invoiceId, originalDeclineCode: 'insufficient_funds', ...GOOD_CARD });
    await bank.stripe.invoices.voidInvoice(invoiceId);
    await merchant.advanceTo(later(new Date(), 200 * HOUR_MS));
    expect(await execute(GOOD_CARD)).toMatchObject(COLLECTED);
    expect(await successes()).toBe(1);
  });
});

describe('a payment of ours that an earlier recovery of the debt left open', () => {
  it.each(['original', 'invoice'])('paid by the customer since: nothing of the %s is charged', async (kind) => {
    const failed = await merchant.execute({ reference, ...BAD_CARD });
    await bank.pay(String(failed.body.gatewayTransactionToken));
    expect(await execute({ ...GOOD_CARD, ...(await another(kind)) })).toMatchObject(PAID_BY_CUSTOMER);
    expect(await successes()).toBe(1);
  });

  it.each(['original', 'invoice'])('is cancelled at the gateway before the %s is charged', async (kind) => {
    const failed = await merchant.execute({ reference, ...BAD_CARD });
    expect(await execute({ ...GOOD_CARD, ...(await another(kind)) })).toMatchObject(COLLECTED);
    expect(await bank.read(String(failed.body.gatewayTransactionToken))).toMatchObject({ status: 'canceled' });
    expect(await successes()).toBe(1);
  });

  it('that the customer was to authenticate: cancelled with the recovery that waited for it', async () => {
    const waiting = await merchant.execute({ reference, originalDeclineCode: 'authentication_required' });
    const ours = String(waiting.body.gatewayTransactionToken);
    expect(await execute({ ...GOOD_CARD, ...(await another('original')) })).toMatchObject(COLLECTED);
    expect(await merchant.status(waiting.body.transactionId)).toMatchObject({ endReason: 'superseded' });
    await expect(bank.pay(ours)).rejects.toThrow(/canceled/);
    expect(await successes()).toBe(1);
  });

  it('open and not ours: refused, naming it', async () => {
    const first = await bank.declinedPayment();
    await execute({ originalGatewayTransactionId: first.id, ...BAD_CARD });
    const second = await bank.declinedPayment();
    const refused = await merchant.execute({ reference, originalGatewayTransactionId: second.id, ...GOOD_CARD });
    expect(seen(refused)).toMatchObject({ http: 400, code: 'original_transaction_open' });
    expect(refused.bytes.toString()).toContain(first.id);
    expect(await successes()).toBe(0);
  });

  async function another(kind: string): Promise<Record<string, string>> {
    if (kind === 'invoice') return { invoiceId: await bank.openInvoice() };
    return { originalGatewayTransactionId: (await bank.declinedPayment('pm_test_do_not_honor')).id };
  }
});

describe('an original that an earlier recovery named', () => {
  it.each([
    ['held', { capture_method: 'manual' as const }, { state: 'failed', endReason: 'possibly_paid' }],
    ['at the bank', {}, { http: 202, state: 'queued', attemptCount: 0 }],
  ])('%s: nothing is charged beside it, whoever names the order alone', async (_why, params, expected) => {
    const token = _why === 'held' ? 'pm_card_visa' : 'pm_test_processing';
    const original = await bank.payment({ ...params, payment_method: token, confirm: true });
    const first = await merchant.execute({ reference, originalGatewayTransactionId: original.id, ...GOOD_CARD });
    if (first.body.state === 'queued') await merchant.cancel(first.body.transactionId, 'abandoned');
    expect(await execute({ paymentMethodToken: 'pm_card_mastercard' })).toMatchObject(expected);
    expect((await merchant.ledger()).filter(({ attemptId }) => attemptId !== null)).toEqual([]);
  });
});

describe('a cancel while a charge is unknown', () => {
  it.each(['reset_before_charge', '500_before_charge'])('%s: it is never sent again', async (fault) => {
    const { body } = await merchant.execute({ paymentMethodToken: `pm_test_fault_${fault}` });
    expect(body.state).toBe('reconciling');
    const cancelled = await merchant.cancel(body.transactionId, 'paid_elsewhere');
    expect(seen(cancelled)).toMatchObject({ http: 200, state: 'cancelled', endReason: 'paid_elsewhere' });
    await merchant.advanceTo(later(body.createdAt, HOUR_MS));
    expect(await merchant.ledger()).toEqual([]);
    const { state, attempts } = await merchant.status(body.transactionId);
    expect([state, attempts.map(({ outcome }) => outcome)]).toEqual(['cancelled', ['not_executed']]);
    expect(await bank.read(String(body.gatewayTransactionToken))).toMatchObject({ status: 'canceled' });
  });

  it('that had gone through: told once, as money to give back', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    expect((await merchant.cancel(body.transactionId, 'paid_elsewhere')).status).toBe(200);
    await merchant.advanceTo(later(body.createdAt, 5 * MINUTE_MS));
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({
      ...{ trigger: 'late_success', recommendedActionDetail: 'refund_duplicate', final: true },
    });
    const { state, attempts } = await merchant.status(body.transactionId);
    expect([state, attempts.map(({ outcome }) => outcome)]).toEqual(['succeeded', ['succeeded']]);
    expect(await successes()).toBe(1);
    expect(await world.alertsOf(merchant.clientId)).toContain('paid_twice');
  });

  it('at the bank: watched until the debit ends', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_processing' });
    expect((await merchant.cancel(body.transactionId, 'abandoned')).status).toBe(200);
    await merchant.advanceTo(later(body.createdAt, 5 * 24 * HOUR_MS));
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'late_success' });
    expect(await successes()).toBe(1);
  });

  it('a newer recovery of the debt goes on with the same payment: one success, booked there', async () => {
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_fault_reset_before_charge' });
    await merchant.cancel(body.transactionId, 'abandoned');
    const newer = await merchant.execute({ reference, ...GOOD_CARD });
    await merchant.advanceTo(later(body.createdAt, HOUR_MS));
    expect(await merchant.status(newer.body.transactionId)).toMatchObject({ state: 'succeeded' });
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'cancelled' });
    expect(await successes()).toBe(1);
  });
});

describe('what the gateway reads of the failed charge', () => {
  it.each([
    { originalDeclineCode: 'card_declined' },
    { originalAdviceCode: 'try_again_later' },
    { originalNetworkDeclineCode: '05' },
    {},
  ])('is heard beside what the merchant says of it: %j and a stolen card', async (said) => {
    const token = 'pm_test_stolen_card';
    const original = await bank.declinedPayment(token);
    const send = { originalGatewayTransactionId: original.id, paymentMethodToken: token, ...said };
    expect(await execute(send)).toMatchObject({ http: 403, state: 'blocked', attemptCount: 0 });
    expect((await merchant.ledger()).filter(({ attemptId }) => attemptId !== null)).toEqual([]);
  });
});

describe('a card issued in India', () => {
  it('given as a new card: the customer is asked, and nothing is charged', async () => {
    const { body } = await merchant.execute({ reference, ...BAD_CARD });
    const asked = await merchant.payWith(body.transactionId, 'pm_card_in');
    expect(seen(asked)).toMatchObject({ http: 403, state: 'action_required', attemptCount: 1 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('as a fallback: passed over', async () => {
    const fallback = { fallbackPaymentMethodTokens: ['pm_card_in'], fallbackConsent: true };
    expect(await execute({ ...BAD_CARD, ...fallback })).toMatchObject({ state: 'failed', attemptCount: 1 });
    expect(await merchant.ledger()).toHaveLength(1);
  });
});

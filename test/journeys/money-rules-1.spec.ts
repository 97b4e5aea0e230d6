import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Bank } from '../support/bank.js';
import { type Merchant, unique } from '../support/merchant.js';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const QUEUED = { originalDeclineCode: 'insufficient_funds' };
const DECLINED = { paymentMethodToken: 'pm_test_do_not_honor' };

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
const collected = async () => (await merchant.ledger()).filter(({ status }) => status === 'succeeded').length;

describe('a payment that we cancelled ourselves', () => {
  it('does not end the next recovery of the debt: a new payment is made', async () => {
    await open();
    const reference = unique('inv');
    const first = await merchant.execute({ reference, ...DECLINED });
    await merchant.cancel(first.body.transactionId, 'abandoned');
    await merchant.advanceTo(later(first.body.createdAt, MINUTE_MS));
    expect(await bank.read(String(first.body.gatewayTransactionToken))).toMatchObject({ status: 'canceled' });
    const next = await merchant.execute({ reference });
    expect(seen(next)).toMatchObject(COLLECTED);
    expect(next.body.gatewayTransactionToken).not.toBe(first.body.gatewayTransactionToken);
  });

  it('does not end the round that a new card opens', async () => {
    await open();
    const { body } = await merchant.execute(DECLINED);
    await merchant.cancel(body.transactionId, 'abandoned');
    await merchant.advanceTo(later(body.createdAt, MINUTE_MS));
    expect(seen(await merchant.payWith(body.transactionId, 'pm_card_mastercard'))).toMatchObject(COLLECTED);
    expect(await collected()).toBe(1);
  });
});

describe('a payment that the merchant cancelled', () => {
  it('before the next recovery of the debt began says nothing about it: a new one is made', async () => {
    await open();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_expired_card' });
    await bank.stripe.paymentIntents.cancel(String(body.gatewayTransactionToken));
    expect(seen(await merchant.execute({ reference }))).toMatchObject(COLLECTED);
  });
});

describe('an execute that is refused', () => {
  it('leaves the open recovery’s payment as it is, whatever its amount and code say', async () => {
    await open();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_do_not_honor_x1' });
    const again = await merchant.execute({
      ...{ reference, amount: 1_900, paymentMethodToken: 'pm_card_mastercard' },
      originalDeclineCode: 'authentication_required',
    });
    expect(seen(again)).toMatchObject({ http: 409, code: 'recovery_already_open' });
    expect((await bank.read(String(body.gatewayTransactionToken))).status).toBe('requires_payment_method');
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded' });
  });
});

describe('an original that waits for the customer', () => {
  it('and is then paid: recovery.success, and not a failure at the deadline', async () => {
    await open();
    const { id } = await bank.payment({ payment_method: 'pm_card_authenticationRequired', confirm: true });
    const { body } = await merchant.execute({ originalGatewayTransactionId: id });
    expect(body).toMatchObject({ state: 'action_required', gatewayTransactionToken: id });
    await bank.admin.authenticate(merchant.clientId, id);
    await merchant.advanceTo(later(body.createdAt, 2 * HOUR_MS));
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'external' });
    expect(await collected()).toBe(1);
  });
});

describe('a debt whose payment was adopted', () => {
  it('and paid by the customer since: an execute of another amount charges nothing', async () => {
    await open();
    const reference = unique('inv');
    const { id } = await bank.declinedPayment();
    const adopted = await merchant.execute({
      ...{ reference, originalGatewayTransactionId: id, paymentMethodToken: 'pm_test_expired_card' },
      policy: { firstCharge: 'now' },
    });
    expect(seen(adopted)).toMatchObject({ http: 200, state: 'failed', gatewayTransactionToken: id });
    await bank.pay(id);
    const again = await merchant.execute({ reference, amount: 1_900, paymentMethodToken: 'pm_card_mastercard' });
    expect(seen(again)).toMatchObject({ ...COLLECTED, trigger: 'external', attemptCount: 0 });
    expect(await collected()).toBe(1);
  });

  it('and paid by the customer since: told at once, whatever the first step', async () => {
    await open();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_expired_card' });
    await bank.pay(String(body.gatewayTransactionToken));
    const again = await merchant.execute({ reference, ...QUEUED });
    expect(seen(again)).toMatchObject({ ...COLLECTED, trigger: 'external', attemptCount: 0 });
    expect(await collected()).toBe(1);
  });
});

describe('fallback tokens', () => {
  const fallback = (...tokens: string[]) => ({ fallbackPaymentMethodTokens: tokens, fallbackConsent: true });

  it('that were blocked on this debt before are not charged', async () => {
    await open();
    const reference = unique('inv');
    await merchant.execute({ reference, paymentMethodToken: 'pm_test_stolen_card' });
    const answer = await merchant.execute({
      ...{ reference, paymentMethodToken: 'pm_test_expired_card' },
      ...fallback('pm_test_stolen_card', 'pm_card_mastercard'),
    });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, strategyUsed: 'fallback_token', attemptCount: 2 });
    expect((await merchant.ledger()).map(({ declineCode }) => declineCode)).toEqual([
      'stolen_card',
      'expired_card',
      null,
    ]);
  });

  it('that are the declined card itself are not charged again', async () => {
    await open();
    const answer = await merchant.execute({
      paymentMethodToken: 'pm_test_expired_card',
      ...fallback('pm_test_expired_card'),
    });
    expect(seen(answer)).toMatchObject({ http: 200, state: 'failed', endReason: 'hard_decline', attemptCount: 1 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('that the gateway does not know do not hide the next one', async () => {
    await open();
    const answer = await merchant.execute({
      paymentMethodToken: 'pm_test_expired_card',
      ...fallback('pm_nobody', 'pm_card_mastercard'),
    });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, strategyUsed: 'fallback_token', attemptCount: 2 });
  });
});

describe('money that comes after a cancellation', () => {
  it('by a bank debit that was still running: booked when the bank has paid', async () => {
    await open();
    const { body } = await merchant.execute(DECLINED);
    const paymentId = String(body.gatewayTransactionToken);
    await bank.pay(paymentId, 'pm_test_processing');
    expect((await merchant.cancel(body.transactionId, 'abandoned')).status).toBe(200);
    await merchant.advanceTo(later(body.createdAt, 30_000));
    await bank.admin.settlePending(merchant.clientId, paymentId, 'succeeded');
    await merchant.advanceTo(later(body.createdAt, 3 * DAY_MS));
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject({ trigger: 'late_success' });
  });
});

describe('the names of a debt', () => {
  it.each([
    { title: 'its invoice first', names: ['invoice', 'bare'] },
    { title: 'its bare reference first', names: ['bare', 'invoice'] },
  ])('one reference is one debt, with and without its invoice: $title', async ({ names }) => {
    await open();
    const reference = unique('order');
    const invoiceId = await bank.openInvoice();
    const [first, second] = names.map((name) => (name === 'bare' ? { reference } : { reference, invoiceId }));
    expect(seen(await merchant.execute(first))).toMatchObject(COLLECTED);
    const again = await merchant.execute({ ...second, paymentMethodToken: 'pm_card_mastercard' });
    expect(seen(again)).toMatchObject({ http: 409, code: 'debt_already_paid' });
    expect(await collected()).toBe(1);
  });

  it('two invoices of one order are two debts', async () => {
    await open();
    const reference = unique('order');
    for (const paymentMethodToken of ['pm_card_visa', 'pm_card_mastercard']) {
      const invoiceId = await bank.openInvoice();
      expect(seen(await merchant.execute({ reference, invoiceId, paymentMethodToken }))).toMatchObject(COLLECTED);
    }
  });
});

describe('an original that two references name', () => {
  it('is one debt: the newer recovery takes over from the one that waits for the customer', async () => {
    await open();
    const { id } = await bank.declinedPayment();
    const original = { originalGatewayTransactionId: id };
    const older = await merchant.execute({ ...original, originalDeclineCode: 'authentication_required' });
    expect(seen(older)).toMatchObject({ http: 403, state: 'action_required' });
    const newer = await merchant.execute({ ...original, ...QUEUED, paymentMethodToken: 'pm_card_mastercard' });
    expect(newer.body.state).toBe('queued');
    const superseded = { state: 'cancelled', endReason: 'superseded' };
    expect(await merchant.status(older.body.transactionId)).toMatchObject(superseded);
    await merchant.advanceTo(String(newer.body.scheduledFor));
    expect(await merchant.status(newer.body.transactionId)).toMatchObject({ state: 'succeeded' });
    await merchant.advanceTo(later(older.body.deadlineAt, DAY_MS));
    expect(await merchant.status(older.body.transactionId)).toMatchObject(superseded);
    expect(await collected()).toBe(1);
  });
});

describe('a card that was blocked on this debt', () => {
  it('and replaced by its bank: another card behind the token, which may be charged, and be blocked in its turn', async () => {
    await open();
    const reference = unique('inv');
    const token = 'pm_test_stolen_card';
    const sent = { reference, paymentMethodToken: token };
    const { body } = await merchant.execute(sent);
    expect(body).toMatchObject({ state: 'blocked', attemptCount: 1 });
    for (const [step, attemptCount] of [1, 0].entries()) {
      if (step === 0) await bank.admin.replaceCard(merchant.clientId, token);
      await merchant.advanceTo(later(body.createdAt, (step + 1) * 10 * MINUTE_MS));
      expect(seen(await merchant.execute(sent))).toMatchObject({ http: 403, state: 'blocked', attemptCount });
    }
    await bank.admin.replaceCard(merchant.clientId, token, 'pm_card_visa');
    await merchant.advanceTo(later(body.createdAt, 30 * MINUTE_MS));
    expect(seen(await merchant.execute(sent))).toMatchObject(COLLECTED);
  });

  it('is refused under its key again, byte for byte', async () => {
    await open();
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_stolen_card' });
    const headers = { 'idempotency-key': unique('card') };
    const first = await merchant.payWith(body.transactionId, 'pm_test_stolen_card', headers);
    const again = await merchant.payWith(body.transactionId, 'pm_test_stolen_card', headers);
    expect([first.status, again.status]).toEqual([403, 403]);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.bytes).toEqual(first.bytes);
  });
});

describe('an invoice beside another payment', () => {
  it('that is still open: 400, never a second payment beside it', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { id } = await bank.declinedPayment();
    const answer = await merchant.execute({ invoiceId, originalGatewayTransactionId: id });
    expect(seen(answer)).toMatchObject({ http: 400, code: 'original_transaction_open' });
    expect((await bank.readInvoice(invoiceId)).status).toBe('open');
  });

  it('that was paid: collected by somebody else', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { id } = await bank.payment({ payment_method: 'pm_card_visa', confirm: true });
    const answer = await merchant.execute({ invoiceId, originalGatewayTransactionId: id, ...QUEUED });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, trigger: 'external', attemptCount: 0 });
    expect((await bank.readInvoice(invoiceId)).status).toBe('open');
  });

  it('that is the invoice’s own: paid as that invoice', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const originalGatewayTransactionId = await bank.paymentOf(invoiceId);
    expect(seen(await merchant.execute({ invoiceId, originalGatewayTransactionId }))).toMatchObject(COLLECTED);
  });
});

describe('an invoice whose amount goes down and up again', () => {
  it('is collected as long as it is no more than was asked for', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, ...QUEUED, paymentMethodToken: 'pm_test_do_not_honor_x1' });
    await bank.admin.changeInvoiceAmount(merchant.clientId, invoiceId, 2_000);
    await merchant.advanceTo(String(body.scheduledFor));
    const status = await merchant.status(body.transactionId);
    expect(status).toMatchObject({ state: 'queued', amount: 2_000, attemptCount: 1 });
    await bank.admin.changeInvoiceAmount(merchant.clientId, invoiceId, 2_500);
    await merchant.advanceTo(String(status.nextRetryAt));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', amount: 2_500 });
  });
});

describe('a simulated recovery', () => {
  it('makes no gateway call when it is retried, nor with another card', async () => {
    await open();
    const queued = await merchant.execute({ simulateOutcome: 'queued_then_success' });
    expect(seen(await merchant.retry(queued.body.transactionId))).toMatchObject({ ...COLLECTED, isSimulated: true });
    const failed = await merchant.execute({ simulateOutcome: 'failed' });
    expect(seen(await merchant.retry(failed.body.transactionId))).toMatchObject({
      http: 200,
      state: 'failed',
      round: 2,
    });
    const carded = await merchant.payWith(failed.body.transactionId, 'pm_card_mastercard');
    expect(seen(carded)).toMatchObject({ http: 200, state: 'failed', round: 3 });
    expect(await merchant.ledger()).toEqual([]);
  });
});

describe('a success in a second round', () => {
  it('supersedes nothing: only a late one corrects an event', async () => {
    await open();
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_expired_card' });
    await merchant.payWith(body.transactionId, 'pm_card_mastercard');
    expect(await merchant.event(body.transactionId, 'recovery.success')).not.toHaveProperty('supersedes');
  });
});

describe('what must not leak', () => {
  it('neither token nor e-mail stands in a log line, a timeline, a webhook, an alert or a row', async () => {
    await open();
    const customerEmail = 'kate@private.example';
    const token = 'pm_test_expired_card__card_secretive';
    const spare = 'pm_test_zz_9__card_sparetoken';
    const { body } = await merchant.execute({
      ...{ customerEmail, paymentMethodToken: token, customerId: 'c_1' },
      ...{ fallbackPaymentMethodTokens: [spare], fallbackConsent: true },
    });
    const { transactionId: id } = body;
    await merchant.payWith(id, 'pm_test_lost_card__card_thirdtoken').catch(() => null);
    await merchant.advanceTo(later(body.deadlineAt, 40 * DAY_MS));
    const tables = ['recoveries', 'attempts', 'recovery_events', 'idempotency_keys', 'operator_alerts'];
    const rows = await Promise.all(
      tables.map((table) => world.database.query<{ row: string }>(`SELECT to_jsonb(t)::text AS row FROM ${table} t`)),
    );
    const bodies = await world.database.query<{ row: string }>(
      `SELECT convert_from(body, 'utf8') AS row FROM webhook_events`,
    );
    const everything = JSON.stringify([world.app.logLines, ...rows.map((each) => each.rows), bodies.rows]);
    expect(everything).toContain(id);
    for (const secret of [customerEmail, 'secretive', 'sparetoken', 'thirdtoken']) {
      expect(everything.includes(secret)).toBe(false);
    }
  });
});

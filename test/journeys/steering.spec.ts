import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { StatusBody } from '../support/merchant.js';
import { type Merchant, unique } from '../support/merchant.js';
import { DAY_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const QUEUED = { originalDeclineCode: 'insufficient_funds' };
const LOST = { paymentMethodToken: 'pm_test_fault_reset_before_charge' };
const COLLECTED = { http: 200, state: 'succeeded', success: true };

let world: World;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

beforeEach(async () => {
  merchant = await world.merchant();
});

const accept = async (send: Record<string, unknown> = QUEUED) => (await merchant.execute(send)).body;

describe('cancel', () => {
  it('ends an open recovery: nothing is charged any more, and a repeat says the same', async () => {
    const all = await merchant.hearEverything();
    const { transactionId: id, deadlineAt } = await accept();
    const cancelled = await merchant.cancel(id);
    const end = { status: 'failed', state: 'cancelled', endReason: 'customer_request', nextRetryAt: null };
    expect(seen(cancelled)).toMatchObject({ http: 200, ...end, willRetry: false });
    expect((await merchant.cancel(id)).body).toEqual(cancelled.body);
    expect(seen(await merchant.cancel(id, 'abandoned'))).toMatchObject({ http: 409, code: 'not_cancellable' });
    await merchant.advanceTo(later(deadlineAt, DAY_MS));
    expect(await merchant.ledger()).toEqual([]);
    expect(await all.event(id, 'recovery.cancelled')).toMatchObject({ final: true, endReason: 'customer_request' });
    expect(all.events(id).map(({ event }) => event)).not.toContain('recovery.failed');
    expect(merchant.events(id)).toEqual([]);
  });

  it('closes the open payment at the gateway, if we made it', async () => {
    const bank = await world.bank(merchant);
    const { transactionId: id, gatewayTransactionToken } = await accept({ paymentMethodToken: 'pm_test_do_not_honor' });
    await merchant.cancel(id);
    await merchant.advanceTo(later(new Date(), MINUTE_MS));
    expect(await bank.read(String(gatewayTransactionToken))).toMatchObject({ status: 'canceled' });
  });

  it('leaves an adopted payment open: it is the merchant’s', async () => {
    const bank = await world.bank(merchant);
    const { id: originalGatewayTransactionId } = await bank.declinedPayment();
    const { transactionId: id } = await accept({ ...QUEUED, originalGatewayTransactionId });
    await merchant.cancel(id);
    await merchant.advanceTo(later(new Date(), DAY_MS));
    expect(await bank.read(originalGatewayTransactionId)).toMatchObject({ status: 'requires_payment_method' });
  });

  it.each([
    ['succeeded', {}],
    ['failed', { originalDeclineCode: 'expired_card' }],
    ['blocked', { originalDeclineCode: 'stolen_card' }],
  ])('is refused after the end: %s', async (state, send) => {
    const { transactionId: id } = await accept(send);
    expect(seen(await merchant.cancel(id))).toMatchObject({ http: 409, code: 'not_cancellable' });
    expect(await merchant.status(id)).toMatchObject({ state });
  });

  it('waits for a charge on the wire, which decides first', async () => {
    const key = unique('key');
    const executed = merchant.execute({
      idempotencyKey: key,
      paymentMethodToken: 'pm_test_fault_timeout_after_charge',
    });
    const id = await idOnceStored(key);
    const cancelled = await merchant.cancel(id);
    expect((await executed).body.state).toBe('reconciling');
    expect(seen(cancelled)).toMatchObject({ http: 200, state: 'cancelled' });
    await merchant.advanceTo(later(new Date(), MINUTE_MS));
    expect(await merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'late_success' });
  });

  it('paid_elsewhere, and then the money comes all the same: the merchant hears that the customer paid twice', async () => {
    const bank = await world.bank(merchant);
    const { transactionId: id, gatewayTransactionToken } = await accept({ paymentMethodToken: 'pm_test_do_not_honor' });
    await bank.pay(String(gatewayTransactionToken));
    expect((await merchant.cancel(id, 'paid_elsewhere')).status).toBe(200);
    const event = await merchant.event(id, 'recovery.success');
    expect(event).toMatchObject({
      ...{ trigger: 'late_success', recommendedAction: 'manual_review', recommendedActionDetail: 'refund_duplicate' },
      ...{ final: true, supersedes: expect.stringMatching(/^evt_/) },
    });
    expect(await merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'late_success' });
    expect(await world.alertsOf(merchant.clientId)).toEqual(['paid_twice']);
  });
});

describe('retry', () => {
  it('charges an open recovery now, in its round', async () => {
    const { transactionId: id } = await accept();
    expect(seen(await merchant.retry(id))).toMatchObject({
      ...COLLECTED,
      round: 1,
      trigger: 'manual_retry',
      attemptCount: 1,
    });
    expect(await merchant.ledger(id)).toHaveLength(1);
  });

  it('opens a closed recovery for a new round, with attempts and a deadline of its own', async () => {
    const { transactionId: id, deadlineAt } = await accept({ paymentMethodToken: 'pm_test_expired_card' });
    const again = await merchant.retry(id);
    expect(seen(again)).toMatchObject({ http: 200, state: 'failed', round: 2, attemptCount: 2 });
    expect(again.body.deadlineAt > deadlineAt).toBe(true);
    const told = await merchant.told(id, 2);
    expect(told.map(({ event, round, final }) => [event, round, final])).toEqual([
      ['recovery.failed', 1, true],
      ['recovery.failed', 2, true],
    ]);
  });

  it.each([
    ['succeeded', {}],
    ['blocked', { originalDeclineCode: 'stolen_card' }],
    ['the issuer said never again', { originalDeclineCode: 'do_not_try_again' }],
  ])('is refused with its rule: %s', async (_why, send) => {
    const { transactionId: id } = await accept(send);
    const refused = await merchant.retry(id);
    expect(seen(refused)).toMatchObject({ http: 409, code: 'not_retryable', rule: expect.any(String) });
    expect(await merchant.ledger(id)).toHaveLength(Object.keys(send).length === 0 ? 1 : 0);
  });

  it('is refused after paid_elsewhere', async () => {
    const { transactionId: id } = await accept();
    await merchant.cancel(id, 'paid_elsewhere');
    expect(seen(await merchant.retry(id))).toMatchObject({ http: 409, code: 'not_retryable' });
  });

  it('is refused while a charge is unknown, and so is a new card', async () => {
    const { transactionId: id } = await accept(LOST);
    expect(seen(await merchant.retry(id))).toMatchObject({ http: 409, code: 'outcome_unknown' });
    expect(seen(await merchant.payWith(id, 'pm_card_visa'))).toMatchObject({ http: 409, code: 'outcome_unknown' });
    expect(await merchant.ledger(id)).toEqual([]);
  });

  it('takes an Idempotency-Key: one charge, the same answer again', async () => {
    const { transactionId: id } = await accept({ paymentMethodToken: 'pm_test_do_not_honor' });
    const headers = { 'idempotency-key': unique('retry') };
    const first = await merchant.retry(id, headers);
    const again = await merchant.retry(id, headers);
    expect(again.headers['idempotent-replayed']).toBe('true');
    expect(again.bytes).toEqual(first.bytes);
    expect(again.status).toBe(first.status);
    expect(await merchant.ledger(id)).toHaveLength(2);
  });
});

describe('a new payment method', () => {
  it('is charged at once, in the next round, on the same debt and payment', async () => {
    const { transactionId: id, gatewayTransactionToken } = await accept({ paymentMethodToken: 'pm_test_do_not_honor' });
    const paid = await merchant.payWith(id, 'pm_card_mastercard');
    expect(seen(paid)).toMatchObject({
      ...{ ...COLLECTED, round: 2, trigger: 'card_updated', strategyUsed: 'updated_card', attemptCount: 2 },
      gatewayTransactionToken,
    });
    await merchant.event(id, 'recovery.success');
    expect(merchant.events(id).map(({ event, round }) => [event, round])).toEqual([['recovery.success', 2]]);
  });

  it('opens a failed, a blocked and an abandoned recovery again', async () => {
    for (const code of ['expired_card', 'stolen_card', 'insufficient_funds']) {
      const { transactionId: id, state } = await accept({ originalDeclineCode: code });
      if (state === 'queued') await merchant.cancel(id, 'abandoned');
      expect(seen(await merchant.payWith(id, 'pm_card_mastercard'))).toMatchObject({ ...COLLECTED, round: 2 });
    }
  });

  it('that is the blocked card itself: 403 again, nothing is charged', async () => {
    const { transactionId: id } = await accept({ paymentMethodToken: 'pm_test_stolen_card' });
    expect(seen(await merchant.payWith(id, 'pm_test_stolen_card'))).toMatchObject({ http: 403, state: 'blocked' });
    expect(await merchant.ledger(id)).toHaveLength(1);
  });

  it('that is declined: the new round runs its own course and ends with its own event', async () => {
    const { transactionId: id } = await accept({ originalDeclineCode: 'expired_card' });
    const declined = await merchant.payWith(id, 'pm_test_do_not_honor');
    expect(seen(declined)).toMatchObject({ http: 202, state: 'queued', round: 2, attemptsRemaining: 3 });
    await merchant.advanceTo(declined.body.deadlineAt);
    expect(await merchant.status(id)).toMatchObject({ state: 'failed', endReason: 'exhausted', attemptCount: 4 });
    expect((await merchant.told(id, 2)).map(({ event, round }) => [event, round])).toEqual([
      ['recovery.failed', 1],
      ['recovery.failed', 2],
    ]);
  });

  it('after success: refused', async () => {
    const { transactionId: id } = await accept({});
    expect(seen(await merchant.payWith(id, 'pm_card_mastercard'))).toMatchObject({ http: 409, code: 'not_retryable' });
  });

  it('that the gateway does not know: 400, and the recovery goes on as it was', async () => {
    const { transactionId: id } = await accept();
    const before = await merchant.status(id);
    expect(seen(await merchant.payWith(id, 'pm_nobody'))).toMatchObject({
      http: 400,
      errors: [{ field: 'paymentMethodToken' }],
    });
    expect(await merchant.status(id)).toEqual(before);
  });
});

describe('resolve', () => {
  it('books what an operator knows, once the gateway agrees', async () => {
    const { transactionId: id } = await accept({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    const wrong = await merchant.resolve(id, 'not_executed', { note: 'nothing in the dashboard' });
    expect(seen(wrong)).toMatchObject({ http: 409, code: 'gateway_disagrees' });
    const blind = await merchant.resolve(id, 'succeeded', { note: 'seen' });
    expect(seen(blind)).toMatchObject({ http: 400, errors: [{ field: 'evidence.gatewayId', code: 'missing_field' }] });
    const [charge] = await world.ledgerOf(merchant.clientId);
    const settled = await merchant.resolve(id, 'succeeded', { gatewayId: charge?.paymentIntentId, note: 'seen' });
    expect(seen(settled)).toMatchObject({ http: 200, state: 'succeeded', trigger: 'reconciliation' });
    expect((await merchant.timeline(id)).map(({ type }) => type)).toContain('resolved_by_hand');
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'reconciliation' });
    expect(await merchant.ledger(id)).toHaveLength(1);
  });

  it('books no payment that the gateway does not read', async () => {
    const { transactionId: id } = await accept({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    const [charge] = await world.ledgerOf(merchant.clientId);
    const wrong = await merchant.resolve(id, 'succeeded', { gatewayId: 'pi_made_up', note: 'seen' });
    expect(seen(wrong)).toMatchObject({ http: 409, code: 'gateway_disagrees', gatewayReads: 'succeeded' });
    expect(wrong.body).toMatchObject({ gatewayIds: [charge?.paymentIntentId, charge?.chargeId] });
    const settled = await merchant.resolve(id, 'succeeded', { gatewayId: charge?.chargeId, note: 'seen' });
    expect(seen(settled)).toMatchObject({ http: 200, state: 'succeeded' });
  });

  it('not_executed: not while the lost request may still run; then the charge is made anew, once', async () => {
    const { transactionId: id } = await accept(LOST);
    const wrong = await merchant.resolve(id, 'succeeded', { gatewayId: 'pi_made_up', note: 'seen' });
    expect(seen(wrong)).toMatchObject({ http: 409, code: 'gateway_disagrees' });
    const early = await merchant.resolve(id, 'not_executed', { note: 'nothing in the dashboard' });
    expect(seen(early)).toMatchObject({ http: 409, code: 'outcome_unknown' });
    expect(await merchant.status(id)).toMatchObject({ state: 'reconciling' });
    await world.loseLongAgo(id);
    const settled = await merchant.resolve(id, 'not_executed', { note: 'nothing in the dashboard' });
    expect(seen(settled)).toMatchObject({ http: 200, state: 'succeeded', attemptCount: 1 });
    expect(settled.body.attempts).toMatchObject([{ outcome: 'not_executed' }, { outcome: 'succeeded' }]);
    expect(await merchant.ledger(id)).toHaveLength(1);
  });

  it('is refused where nothing is unknown', async () => {
    const { transactionId: id } = await accept();
    const refused = await merchant.resolve(id, 'not_executed', { note: 'seen' });
    expect(seen(refused)).toMatchObject({ http: 409, code: 'not_unknown' });
  });
});

/** A call that is still being worked is known by its key as soon as its recovery is stored. */
async function idOnceStored(key: string): Promise<string> {
  for (let look = 0; look < 200; look += 1) {
    const found = await merchant.api.get<StatusBody>(`/api/recovery/status?idempotencyKey=${key}`);
    if (found.status === 200) return found.body.transactionId;
    await sleep(10);
  }
  throw new Error('the call was not stored');
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { type Merchant, unique } from '../support/merchant.js';
import { DAY_MS, HOUR_MS, later, seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const declined = { paymentMethodToken: 'pm_test_expired_card' };

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

describe('a second execute of the same debt', () => {
  it('after success: refused, and there is one charge and one recovery.success', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference });
    for (const paymentMethodToken of ['pm_card_visa', 'pm_card_mastercard']) {
      const again = await merchant.execute({ reference, paymentMethodToken });
      expect(seen(again)).toMatchObject({
        http: 409,
        code: 'debt_already_paid',
        existingTransactionId: body.transactionId,
      });
    }
    await merchant.event(body.transactionId, 'recovery.success');
    expect(await successesOf(merchant)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('after failure: accepted, and it goes on with the payment that the debt has', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const failed = await merchant.execute({ reference, ...declined });
    expect(seen(failed)).toMatchObject({ http: 200, state: 'failed', attemptCount: 1 });
    const paid = await merchant.execute({ reference });
    expect(seen(paid)).toMatchObject({ ...COLLECTED, attemptCount: 1, round: 1 });
    expect(paid.body.transactionId).not.toBe(failed.body.transactionId);
    expect(paid.body.gatewayTransactionToken).toBe(failed.body.gatewayTransactionToken);
    expect(await merchant.status(failed.body.transactionId)).toMatchObject({ state: 'failed', recovered: false });
    await merchant.event(paid.body.transactionId, 'recovery.success');
    expect(await successesOf(merchant)).toBe(1);
  });

  it('after failure, with another amount: the earlier payment is cancelled before a new one is made', async () => {
    const merchant = await world.merchant();
    const bank = await world.bank(merchant);
    const reference = unique('inv');
    const failed = await merchant.execute({ reference, ...declined });
    const paid = await merchant.execute({ reference, amount: 1_900 });
    expect(seen(paid)).toMatchObject({ ...COLLECTED, amount: 1_900 });
    expect(await bank.read(String(failed.body.gatewayTransactionToken))).toMatchObject({ status: 'canceled' });
    expect(await bank.read(String(paid.body.gatewayTransactionToken))).toMatchObject({
      status: 'succeeded',
      amount: 1_900,
    });
  });

  it('after a failure that is still held: the success takes it back', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const spent = await merchant.execute({
      ...{
        reference,
        paymentMethodToken: 'pm_test_insufficient_funds',
        policy: { attemptsMax: 1, firstCharge: 'now' },
      },
      originalDeclineCode: 'insufficient_funds',
    });
    expect(seen(spent)).toMatchObject({ http: 200, state: 'failed', endReason: 'exhausted' });
    expect(await world.deliveryStatuses(spent.body.transactionId)).toEqual(['held']);
    const paid = await merchant.execute({ reference });
    expect(seen(paid)).toMatchObject(COLLECTED);
    await merchant.advanceTo(later(paid.body.createdAt, HOUR_MS));
    await merchant.event(paid.body.transactionId, 'recovery.success');
    expect(await world.deliveryStatuses(spent.body.transactionId)).toEqual(['superseded']);
    expect(merchant.events(spent.body.transactionId)).toEqual([]);
  });

  it.each([
    { title: 'by its code', send: { originalDeclineCode: 'stolen_card' }, charged: 0 },
    { title: 'by the charge', send: { paymentMethodToken: 'pm_test_stolen_card' }, charged: 1 },
  ])('after a card was blocked $title: 403 again for that card, and nothing is charged', async ({ send, charged }) => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const first = await merchant.execute({ reference, ...send });
    expect(seen(first)).toMatchObject({ http: 403, state: 'blocked', attemptCount: charged });
    const again = await merchant.execute({ reference, ...send, originalDeclineCode: undefined });
    expect(seen(again)).toMatchObject({ http: 403, state: 'blocked', endReason: 'never_charge', attemptCount: 0 });
    const { transactionId: id } = again.body;
    expect(id).not.toBe(first.body.transactionId);
    expect(await merchant.event(id, 'recovery.blocked')).toMatchObject({ final: true, endReason: 'never_charge' });
    expect(await merchant.ledger()).toHaveLength(charged);
  });

  it('after a card was blocked: another card of the customer is charged, on the same debt', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    await merchant.execute({ reference, paymentMethodToken: 'pm_test_stolen_card' });
    expect(seen(await merchant.execute({ reference }))).toMatchObject(COLLECTED);
    expect(await successesOf(merchant)).toBe(1);
  });

  it('a card blocked on one debt may be charged on another: the block is the debt’s', async () => {
    const merchant = await world.merchant();
    await merchant.execute({ originalDeclineCode: 'stolen_card' });
    expect(seen(await merchant.execute())).toMatchObject(COLLECTED);
  });

  it('after the issuer said never again: failed at once for that card, and nothing is charged', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const card = { paymentMethodToken: 'pm_test_do_not_honor__advice_do_not_try_again' };
    expect(seen(await merchant.execute({ reference, ...card }))).toMatchObject({
      http: 200,
      state: 'failed',
      attemptCount: 1,
    });
    const again = await merchant.execute({ reference, ...card });
    expect(seen(again)).toMatchObject({ http: 200, state: 'failed', endReason: 'hard_decline', attemptCount: 0 });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('while the customer should authenticate: the new card takes over, the earlier recovery is superseded', async () => {
    const merchant = await world.merchant();
    const all = await merchant.hearEverything();
    const reference = unique('inv');
    const waiting = await merchant.execute({ reference, paymentMethodToken: 'pm_card_authenticationRequired' });
    expect(seen(waiting)).toMatchObject({ http: 403, state: 'action_required' });
    const paid = await merchant.execute({ reference });
    expect(seen(paid)).toMatchObject(COLLECTED);
    expect(paid.body.gatewayTransactionToken).toBe(waiting.body.gatewayTransactionToken);
    const { transactionId: id } = waiting.body;
    expect(await merchant.status(id)).toMatchObject({ state: 'cancelled', endReason: 'superseded' });
    expect(await all.event(id, 'recovery.cancelled')).toMatchObject({ final: true, endReason: 'superseded' });

    await merchant.advanceTo(later(waiting.body.deadlineAt, DAY_MS));
    expect(await merchant.status(id)).toMatchObject({ state: 'cancelled' });
    expect(await successesOf(merchant)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(2);
  });

  it('after a cancellation: accepted', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, originalDeclineCode: 'insufficient_funds' });
    await merchant.cancel(body.transactionId, 'abandoned');
    const again = await merchant.execute({ reference, paymentMethodToken: 'pm_card_mastercard' });
    expect(seen(again)).toMatchObject(COLLECTED);
  });

  it('the debt is the same by its invoice, its reference and its original charge', async () => {
    const merchant = await world.merchant();
    const bank = await world.bank(merchant);
    const invoiceId = await bank.openInvoice();
    const original = await bank.paymentOf(invoiceId);
    const send = { reference: undefined, originalDeclineCode: 'insufficient_funds' };
    const { body } = await merchant.execute({ ...send, invoiceId });
    expect(body.state).toBe('queued');
    for (const same of [{ reference: invoiceId }, { invoiceId }, { originalGatewayTransactionId: original }]) {
      const again = await merchant.execute({ ...send, paymentMethodToken: 'pm_card_mastercard', ...same });
      expect(seen(again)).toMatchObject({ http: 409, existingTransactionId: body.transactionId });
    }
  });

  it('a charge may carry another reference: its original is known, and the debt is the same', async () => {
    const merchant = await world.merchant();
    const bank = await world.bank(merchant);
    const { id: originalGatewayTransactionId } = await bank.declinedPayment();
    const send = { originalGatewayTransactionId, originalDeclineCode: 'insufficient_funds' };
    const { body } = await merchant.execute({ ...send, reference: 'inv_a' });
    expect(body.state).toBe('queued');
    const again = await merchant.execute({ ...send, reference: 'inv_b', paymentMethodToken: 'pm_card_mastercard' });
    expect(seen(again)).toMatchObject({
      http: 409,
      code: 'recovery_already_open',
      existingTransactionId: body.transactionId,
    });
  });
});

async function successesOf(merchant: Merchant): Promise<number> {
  const text = `SELECT count(*)::int AS told FROM webhook_events WHERE client_id = $1 AND type = 'recovery.success'`;
  const { rows } = await world.database.query<{ told: number }>(text, [merchant.clientId]);
  return rows[0]?.told ?? 0;
}

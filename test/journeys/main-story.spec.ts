import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { ExecuteBody, Merchant, StatusBody } from '../support/merchant.js';
import { expectSlot, type Slot } from '../support/slots.js';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';
import { AMBIGUOUS, ASK_FOR_CARD, coded, FAILED, OK, QUEUED, ROWS, token } from './main-story-rows.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

describe('the main story', () => {
  it.each(ROWS)('$title', async ({ send, now, charged, slots = [], end }) => {
    const merchant = await world.merchant();
    const answer = await merchant.execute(send);
    const { transactionId: id, createdAt } = answer.body;
    expect(seen(answer)).toMatchObject({ ...now, success: now.state === 'succeeded', attemptCount: charged });
    expect(await merchant.ledger(id)).toHaveLength(charged);
    const { endReason } = await merchant.status(id);
    expect(endReason).toBe(slots.length === 0 ? end.endReason : null);

    const ended = await walkThroughSlots(merchant, answer.body, slots);
    expect(ended).toMatchObject({
      state: end.event.replace('recovery.', '').replace('success', 'succeeded'),
      endReason: end.endReason,
      attemptCount: end.charges,
      trigger: end.trigger,
      nextRetryAt: null,
      willRetry: false,
    });
    const ledger = await merchant.ledger(id);
    expect(ledger).toHaveLength(end.charges);
    expect(ledger.filter(({ status }) => status === 'succeeded')).toHaveLength(
      end.event === 'recovery.success' ? 1 : 0,
    );
    expect(new Set(ledger.map(({ attemptId }) => attemptId)).size).toBe(end.charges);
    expect(ledger.every(({ at }) => at >= createdAt)).toBe(true);

    if (end.held) await passTheHold(merchant, id, ended);
    const event = await merchant.event(id, end.event);
    expect(event).toMatchObject({
      recommendedAction: end.advice,
      recommendedActionDetail: end.detail ?? null,
      endReason: end.endReason,
      trigger: end.trigger,
      attemptCount: end.charges,
      final: true,
      willRetry: false,
      amount: send.amount ?? 2_500,
      currency: 'USD',
      round: 1,
    });
    expect(merchant.events(id)).toHaveLength(1);
  });

  it.each([
    { title: 'no code, a card that asks for it', send: token('pm_card_authenticationRequired'), charged: 1 },
    { title: 'authentication_required', send: coded('authentication_required'), charged: 0 },
  ])(
    'authentication: $title. Failed at the deadline when the customer never does',
    async ({ send, charged }) => {
      const merchant = await world.merchant();
      const { transactionId: id, deadlineAt } = await awaitAuthentication(merchant, send, charged);
      await merchant.advanceTo(later(deadlineAt, MINUTE_MS));
      const failed = await merchant.event(id, 'recovery.failed');
      expect(failed).toMatchObject({ ...AUTHENTICATE, endReason: 'not_authenticated', final: true });
      expect(merchant.events(id).map(({ event }) => event)).toEqual(['recovery.blocked', 'recovery.failed']);
      expect(await merchant.ledger(id)).toHaveLength(charged);
    },
    120_000,
  );

  it.each([
    { title: 'no code, a card that asks for it', send: token('pm_card_authenticationRequired'), charged: 1 },
    { title: 'authentication_required', send: coded('authentication_required'), charged: 0 },
  ])('authentication: $title. Collected once the customer has paid on-session', async ({ send, charged }) => {
    const merchant = await world.merchant();
    const {
      transactionId: id,
      gatewayTransactionToken,
      createdAt,
    } = await awaitAuthentication(merchant, send, charged);
    const { stripe, admin } = await world.bank(merchant);
    const confirmed = await stripe.paymentIntents.confirm(String(gatewayTransactionToken), {
      payment_method: String(send.paymentMethodToken),
    });
    if (confirmed.status === 'requires_action') await admin.authenticate(merchant.clientId, confirmed.id);
    await merchant.advanceTo(later(createdAt, 2 * HOUR_MS));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'external', final: true });
    expect(await merchant.status(id)).toMatchObject({
      state: 'succeeded',
      trigger: 'external',
      strategyUsed: 'external',
    });
  });

  it('a failed charge of an hour ago is not repeated at once: the schedule runs from there', async () => {
    const merchant = await world.merchant();
    const originalFailedAt = later(new Date(), -HOUR_MS);
    const answer = await merchant.execute({ ...coded('do_not_honor'), originalFailedAt });
    expect(seen(answer)).toMatchObject({ ...QUEUED, attemptCount: 0 });
    const { transactionId: id, scheduledFor } = answer.body;
    expectSlot(scheduledFor, AMBIGUOUS[0], { anchorAt: originalFailedAt, lastAt: originalFailedAt });
    await merchant.advanceTo(String(scheduledFor));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'scheduled_retry', attemptCount: 1 });
  });

  it('duplicate_transaction with such a payment on the account: possibly paid, nothing is charged', async () => {
    const merchant = await world.merchant();
    await (await world.bank(merchant)).payment({ payment_method: 'pm_card_visa', confirm: true });
    const answer = await merchant.execute(coded('duplicate_transaction'));
    expect(seen(answer)).toMatchObject({ ...FAILED, endReason: 'possibly_paid', attemptCount: 0 });
    const advice = { recommendedAction: 'manual_review', recommendedActionDetail: 'possibly_paid' };
    expect(await merchant.event(answer.body.transactionId, 'recovery.failed')).toMatchObject(advice);
  });

  it('gateway_timeout with such a payment on the account: possibly paid, nothing is charged', async () => {
    const merchant = await world.merchant();
    await (await world.bank(merchant)).payment({ payment_method: 'pm_card_visa', confirm: true });
    const answer = await merchant.execute(coded('gateway_timeout'));
    expect(seen(answer)).toMatchObject({ ...FAILED, endReason: 'possibly_paid', attemptCount: 0 });
    expect(await merchant.ledger(answer.body.transactionId)).toHaveLength(0);
  });

  it.each([
    { title: 'an unlisted code', send: coded('zz_9'), kind: 'unlisted_decline_code' },
    { title: 'a configuration code', send: coded('invalid_amount'), kind: 'configuration_error' },
  ])('the operator is told of $title', async ({ send, kind }) => {
    const merchant = await world.merchant();
    await merchant.execute(send);
    expect(await world.alertsOf(merchant.clientId)).toEqual([kind]);
  });

  it('a success takes back a failure that is still held: the merchant never hears of it', async () => {
    const merchant = await world.merchant();
    const { body } = await merchant.execute(token('pm_test_do_not_honor'));
    await walkThroughSlots(merchant, body, AMBIGUOUS);
    const paid = await merchant.payWith(body.transactionId, 'pm_card_visa');
    expect(seen(paid)).toMatchObject({ ...OK, round: 2, strategyUsed: 'updated_card' });
    await merchant.advanceTo(later(paid.body.updatedAt, DAY_MS));
    await merchant.event(body.transactionId, 'recovery.success');
    expect(merchant.events(body.transactionId).map(({ event }) => event)).toEqual(['recovery.success']);
  });
});

const AUTHENTICATE = { recommendedAction: ASK_FOR_CARD, recommendedActionDetail: 'authenticate', willRetry: false };

async function awaitAuthentication(
  merchant: Merchant,
  send: Record<string, unknown>,
  charged: number,
): Promise<ExecuteBody> {
  const answer = await merchant.execute(send);
  const { transactionId: id, gatewayTransactionToken } = answer.body;
  const now = { http: 403, status: 'blocked', state: 'action_required', action: 'blocked', success: false };
  expect(seen(answer)).toMatchObject({ ...now, ...AUTHENTICATE, attemptCount: charged, endReason: null });
  expect(gatewayTransactionToken).toMatch(/^pi_/);
  expect(await merchant.ledger(id)).toHaveLength(charged);
  expect(await merchant.event(id, 'recovery.blocked')).toMatchObject({
    ...AUTHENTICATE,
    final: false,
    endReason: null,
  });
  return answer.body;
}

/** Moves the clock to each later charge in turn, checking when it comes. */
async function walkThroughSlots(merchant: Merchant, accepted: ExecuteBody, slots: Slot[]): Promise<StatusBody> {
  const id = accepted.transactionId;
  const anchorAt = accepted.attemptCount > 0 ? accepted.updatedAt : accepted.createdAt;
  let lastAt = accepted.attemptCount > 0 ? accepted.updatedAt : null;
  let status = await merchant.status(id);
  for (const slot of slots) {
    expect(status).toMatchObject({
      state: 'queued',
      status: 'unknown',
      recommendedAction: 'retry_later',
      willRetry: true,
    });
    expectSlot(status.nextRetryAt, slot, { anchorAt, lastAt });
    lastAt = String(status.nextRetryAt);
    await merchant.advanceTo(lastAt);
    status = await merchant.status(id);
  }
  return status;
}

/** Nothing is sent for the first 29 minutes after the end, on the client's clock. */
async function passTheHold(merchant: Merchant, id: string, { updatedAt }: StatusBody): Promise<void> {
  await merchant.advanceTo(later(String(updatedAt), 29 * MINUTE_MS));
  expect(await world.deliveryStatuses(id)).toEqual(['held']);
  expect(merchant.events(id)).toEqual([]);
  await merchant.advanceTo(later(String(updatedAt), 31 * MINUTE_MS));
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Answer } from '../support/api.js';
import { type ExecuteBody, unique } from '../support/merchant.js';
import { DAY_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

describe('what /execute answers', () => {
  it('200, success: collected now, and recovery.success tells it', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ reference: 'inv_200', customerId: 'c_9', metadata: { plan: 'pro' } });
    expect(seen(answer)).toMatchObject({
      ...{ http: 200, success: true, status: 'succeeded', state: 'succeeded', reference: 'inv_200', error: null },
      ...{ amount: 2_500, amountRequested: 2_500, currency: 'USD', strategyUsed: 'primary', gatewaysAttempted: 1 },
      ...{ attemptCount: 1, attemptsRemaining: 0, recoveryEngineApplied: true, declineCode: null, trigger: 'initial' },
      ...{ holdout: false, scheduledFor: null, livemode: false, isSimulated: false, willRetry: false, round: 1 },
    });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    const { transactionId: id, gatewayTransactionToken } = answer.body;
    expect(await merchant.ledger()).toMatchObject([{ revtainTransactionId: id, status: 'succeeded', amount: 2_500 }]);
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({
      ...{ amount: 2_500, customerId: 'c_9', reference: 'inv_200', metadata: { plan: 'pro' }, gatewayTransactionToken },
    });
  });

  it('200, no success: final, nothing more will be tried', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ originalDeclineCode: 'expired_card' });
    expect(seen(answer)).toMatchObject({
      ...{ http: 200, success: false, status: 'failed', state: 'failed', endReason: 'hard_decline', willRetry: false },
      ...{ attemptCount: 0, attemptsRemaining: 0, scheduledFor: null, recommendedAction: 'request_card_update' },
      ...{ declineCode: 'expired_card', declineCategory: 'hard', recoveryEngineApplied: false },
    });
    expect(answer.body.error).toEqual(expect.any(String));
    expect(await merchant.ledger()).toEqual([]);
  });

  it('200, holdout: drawn into the control group, nothing is attempted', async () => {
    const merchant = await world.merchant({ holdoutPercent: 50 });
    const drawn = await untilDrawn(() => merchant.execute());
    expect(seen(drawn)).toMatchObject({
      ...{ http: 200, success: false, status: 'failed', state: 'holdout', endReason: 'holdout', attemptCount: 0 },
      ...{ recommendedAction: 'monitor', willRetry: false, recoveryEngineApplied: false },
    });
    expect(await merchant.ledger(drawn.body.transactionId)).toEqual([]);
    const event = await merchant.event(drawn.body.transactionId, 'recovery.holdout');
    expect(event).toMatchObject({ final: true, recommendedAction: 'monitor' });
  });

  it('202, queued: a retry is scheduled, and the answer says when', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ originalDeclineCode: 'insufficient_funds' });
    expect(seen(answer)).toMatchObject({
      ...{ http: 202, success: false, status: 'queued', state: 'queued', endReason: null, error: null, trigger: null },
      ...{ attemptCount: 0, attemptsRemaining: 4, willRetry: true, recommendedAction: 'retry_later' },
    });
    const { createdAt, scheduledFor, deadlineAt } = answer.body;
    expect(deadlineAt).toBe(later(createdAt, 28 * DAY_MS));
    expect(String(scheduledFor) > later(createdAt, 3 * DAY_MS)).toBe(true);
    expect(await merchant.ledger()).toEqual([]);
  });

  it('202, unknown: the answer was lost, and nothing else is charged until it is settled', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    expect(seen(answer)).toMatchObject({
      ...{ http: 202, success: false, status: 'unknown', state: 'reconciling', scheduledFor: null, attemptCount: 1 },
      ...{ recommendedAction: 'monitor', willRetry: false, trigger: null },
    });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('202, unknown: a bank debit is processing, settled by a reading days later', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ paymentMethodToken: 'pm_test_processing' });
    expect(seen(answer)).toMatchObject({ http: 202, success: false, status: 'unknown', state: 'in_progress' });
    expect(answer.body.message).toMatch(/processing at the bank/i);
    await merchant.advanceTo(later(answer.body.createdAt, 5 * DAY_MS));
    const event = await merchant.event(answer.body.transactionId, 'recovery.success');
    expect(event).toMatchObject({ trigger: 'reconciliation', attemptCount: 1 });
    expect(await merchant.ledger()).toMatchObject([{ status: 'succeeded' }]);
  });

  it.each([
    { title: 'named by the code', send: { originalDeclineCode: 'stolen_card' }, attempts: 0 },
    {
      title: 'answered by the charge',
      send: { paymentMethodToken: 'pm_card_visa_chargeDeclinedStolenCard' },
      attempts: 1,
    },
  ])('403, blocked: $title, sent as application/json and kept under the key', async ({ send, attempts }) => {
    const merchant = await world.merchant();
    const request = merchant.request(send);
    const answer = await merchant.execute(request);
    expect(seen(answer)).toMatchObject({
      ...{ http: 403, success: false, status: 'blocked', state: 'blocked', action: 'blocked' },
      ...{
        endReason: 'never_charge',
        attemptCount: attempts,
        willRetry: false,
        recommendedAction: 'request_card_update',
      },
    });
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.body.error).toEqual(expect.any(String));
    expect(await merchant.ledger()).toHaveLength(attempts);
    const event = await merchant.event(answer.body.transactionId, 'recovery.blocked');
    expect(event).toMatchObject({ final: true, endReason: 'never_charge' });
    const again = await merchant.execute(request);
    expect(again.status).toBe(403);
    expect(again.bytes).toEqual(answer.bytes);
  });

  it('403, blocked: the customer must authenticate, and the recovery stays open', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ originalDeclineCode: 'authentication_required' });
    expect(seen(answer)).toMatchObject({
      ...{ http: 403, success: false, status: 'blocked', state: 'action_required', action: 'blocked', endReason: null },
      ...{ recommendedAction: 'request_card_update', recommendedActionDetail: 'authenticate', attemptCount: 0 },
    });
  });

  it('409 idempotency_in_flight: a second call while the first is being worked, with Retry-After', async () => {
    const merchant = await world.merchant();
    const request = merchant.request({ paymentMethodToken: 'pm_test_fault_timeout_after_charge' });
    const first = merchant.execute(request);
    await sleep(400);
    const second = await merchant.execute(request);
    expectConflict(second, 'idempotency_in_flight');
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
    expect(seen(await first)).toMatchObject({ http: 202, status: 'unknown' });
    expect((await merchant.execute(request)).bytes).toEqual((await first).bytes);
  });

  it('409 idempotency_key_reused: the same key with another body', async () => {
    const merchant = await world.merchant();
    const request = merchant.request();
    const { body } = await merchant.execute(request);
    const reused = await merchant.execute({ ...request, amount: 2_600 });
    expectConflict(reused, 'idempotency_key_reused', body.transactionId, 'succeeded');
  });

  it('409 velocity_duplicate: the same token, amount and currency within five minutes', async () => {
    const merchant = await world.merchant();
    const card = { paymentMethodToken: 'pm_test_insufficient_funds', originalDeclineCode: 'insufficient_funds' };
    const first = await merchant.execute({ ...card, reference: undefined });
    const id = first.body.transactionId;
    expect(first.status).toBe(202);
    expectConflict(await merchant.execute({ ...card, reference: undefined }), 'velocity_duplicate', id, 'unknown');
    expectConflict(await merchant.execute(card), 'velocity_duplicate', id, 'unknown');
    expect((await merchant.execute({ ...card, amount: 2_501 })).status).toBe(202);
    expect((await merchant.execute({ ...card, currency: 'EUR' })).status).toBe(202);
    await merchant.advanceTo(later(first.body.createdAt, 5 * MINUTE_MS));
    expect((await merchant.execute(card)).status).toBe(202);
  });

  it('not velocity_duplicate: two debts that both carry a reference of their own', async () => {
    const merchant = await world.merchant();
    expect((await merchant.execute()).status).toBe(200);
    expect((await merchant.execute()).status).toBe(200);
  });

  it.each([
    { state: 'queued', send: { originalDeclineCode: 'insufficient_funds' } },
    { state: 'reconciling', send: { paymentMethodToken: 'pm_test_fault_reset_after_charge' } },
    { state: 'in_progress', send: { paymentMethodToken: 'pm_test_processing' } },
  ])('409 recovery_already_open: this debt is $state', async ({ state, send }) => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const { body } = await merchant.execute({ ...send, reference });
    expect(body.state).toBe(state);
    const second = await merchant.execute({ reference, amount: 700, paymentMethodToken: 'pm_card_mastercard' });
    expectConflict(second, 'recovery_already_open', body.transactionId, 'unknown');
  });

  it('409 debt_already_paid: this debt was collected, or cancelled as paid elsewhere', async () => {
    const merchant = await world.merchant();
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference });
    expectConflict(await merchant.execute({ reference }), 'debt_already_paid', body.transactionId, 'succeeded');

    const elsewhere = await merchant.execute({ originalDeclineCode: 'insufficient_funds' });
    const { transactionId: id } = elsewhere.body;
    await merchant.cancel(id, 'paid_elsewhere');
    const again = await merchant.execute({ reference: elsewhere.body.reference });
    expectConflict(again, 'debt_already_paid', id, 'failed');
  });

  it('409 duplicate: a repeated key, for an account that wants it refused', async () => {
    const merchant = await world.merchant({ duplicateRequests: 'reject' });
    const request = merchant.request();
    const { body } = await merchant.execute(request);
    expectConflict(await merchant.execute(request), 'duplicate', body.transactionId, 'succeeded');
  });

  it('429: over the executes per minute of the key, with what is left on every answer before', async () => {
    const merchant = await world.merchant({ executesPerMinute: 3 });
    const answers: Answer<ExecuteBody>[] = [];
    for (let call = 0; call < 4; call += 1) answers.push(await merchant.execute());
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 429]);
    expect(answers.map(({ headers }) => headers['ratelimit-limit'])).toEqual(['3', '3', '3', '3']);
    expect(answers.map(({ headers }) => headers['ratelimit-remaining'])).toEqual(['2', '1', '0', '0']);
    const refused = answers[3];
    expect(refused?.body.retryAfter).toMatch(/^\d+ seconds$/);
    expect(refused?.body.code).toBe('rate_limited');
    const seconds = Number(refused?.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(refused?.body.retryAfter).toBe(`${seconds} seconds`);
    expect(await merchant.ledger()).toHaveLength(3);
  });

  it('503: the database is gone, nothing is charged, and the same key is accepted afterwards', async () => {
    const merchant = await world.merchant();
    const request = merchant.request();
    const refused = await world.withoutDatabase(() => merchant.execute(request));
    expect(seen(refused)).toMatchObject({ http: 503, code: 'not_accepted' });
    expect(refused.headers['retry-after']).toBeDefined();
    const accepted = await untilAccepted(() => merchant.execute(request));
    expect(seen(accepted)).toMatchObject({ http: 200, status: 'succeeded' });
    expect(accepted.headers['idempotent-replayed']).toBeUndefined();
    expect(await merchant.ledger()).toHaveLength(1);
  });
});

/** Every 409 names what stands in the way, in the same four words (openapi.yaml). */
function expectConflict({ status, body }: Answer<object>, code: string, id?: string, existingStatus?: string): void {
  expect(status).toBe(409);
  expect(body).toMatchObject({ code, error: expect.any(String), message: expect.any(String) });
  expect(body).toHaveProperty('existingTransactionId', id ?? expect.any(String));
  expect(body).toHaveProperty(
    'existingStatus',
    existingStatus ?? expect.stringMatching(/^(succeeded|failed|blocked|unknown)$/),
  );
}

/** One draw in two: forty misses in a row do not happen. */
async function untilDrawn(execute: () => Promise<Answer<ExecuteBody>>): Promise<Answer<ExecuteBody>> {
  for (let call = 0; call < 40; call += 1) {
    const answer = await execute();
    if (answer.body.holdout === true) return answer;
  }
  throw new Error('nothing was held out');
}

/** Connections that the outage cut are replaced at their next use, which may itself be refused once. */
async function untilAccepted(execute: () => Promise<Answer<ExecuteBody>>): Promise<Answer<ExecuteBody>> {
  for (let call = 0; call < 20; call += 1) {
    const answer = await execute();
    if (answer.status !== 503) return answer;
    await sleep(100);
  }
  throw new Error('the service did not come back');
}

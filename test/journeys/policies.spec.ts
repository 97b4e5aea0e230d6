import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Merchant } from '../support/merchant.js';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const FALLBACK = { fallbackPaymentMethodTokens: ['pm_card_mastercard'], fallbackConsent: true };

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

/** Hours from one instant to another. */
const hours = (from: string, to: string | null) => (new Date(to ?? 0).getTime() - new Date(from).getTime()) / HOUR_MS;

describe('fallback tokens', () => {
  it('are charged in the request, where the first card is declined for good', async () => {
    const answer = await merchant.execute({ paymentMethodToken: 'pm_test_expired_card', ...FALLBACK });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, strategyUsed: 'fallback_token', attemptCount: 2 });
    const event = await merchant.event(answer.body.transactionId, 'recovery.success');
    expect(event).toMatchObject({ strategyUsed: 'fallback_token', attemptCount: 2 });
  });

  it('are charged in place of a card that the code says is spent', async () => {
    const answer = await merchant.execute({ originalDeclineCode: 'expired_card', ...FALLBACK });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, strategyUsed: 'fallback_token', attemptCount: 1 });
  });

  it('are charged when the retries of the first card are spent', async () => {
    const { body } = await merchant.execute({
      ...{ paymentMethodToken: 'pm_test_issuer_not_available', policy: { attemptsMax: 8 }, ...FALLBACK },
    });
    await merchant.advanceTo(body.deadlineAt);
    const end = { state: 'succeeded', strategyUsed: 'fallback_token', attemptCount: 6 };
    expect(await merchant.status(body.transactionId)).toMatchObject(end);
  });

  it('are not charged without consent', async () => {
    const send = { paymentMethodToken: 'pm_test_expired_card', ...FALLBACK, fallbackConsent: false };
    expect(seen(await merchant.execute(send))).toMatchObject({ http: 200, state: 'failed', attemptCount: 1 });
  });

  it('are not charged where the card must never be charged again', async () => {
    const send = { paymentMethodToken: 'pm_test_stolen_card', ...FALLBACK };
    expect(seen(await merchant.execute(send))).toMatchObject({ http: 403, state: 'blocked', attemptCount: 1 });
    expect(seen(await merchant.execute({ originalDeclineCode: 'fraudulent', ...FALLBACK }))).toMatchObject({
      http: 403,
    });
    expect(await merchant.ledger()).toHaveLength(1);
  });
});

describe('a policy', () => {
  it('attemptsMax 1: the charge in the request is the last', async () => {
    const answer = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 1 } });
    expect(seen(answer)).toMatchObject({ http: 200, state: 'failed', endReason: 'exhausted', attemptsRemaining: 0 });
  });

  it('attemptsMax 8: a row of four slots ends with its slots all the same', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 8 } });
    expect(body.attemptsRemaining).toBe(4);
    await merchant.advanceTo(body.deadlineAt);
    expect(await merchant.status(body.transactionId)).toMatchObject({ endReason: 'exhausted', attemptCount: 5 });
  });

  it('fast: an ambiguous decline is repeated within hours', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { preset: 'fast' } });
    expect(hours(body.updatedAt, body.scheduledFor)).toBeGreaterThanOrEqual(5);
    expect(hours(body.updatedAt, body.scheduledFor)).toBeLessThan(6.1);
  });

  it('the client’s preset and overrides hold where the request says nothing', async () => {
    const fast = await world.merchant({ policy: { preset: 'fast', attemptsMax: 2 } });
    const { body } = await fast.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    expect(body.attemptsRemaining).toBe(1);
    expect(hours(body.updatedAt, body.scheduledFor)).toBeLessThan(6.1);
  });

  it('is fixed at acceptance: what the client changes later is for later debts', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    await world.operator.call('PATCH', `/api/clients/${merchant.clientId}`, { body: { policy: { attemptsMax: 1 } } });
    await merchant.advanceTo(body.deadlineAt);
    expect(await merchant.status(body.transactionId)).toMatchObject({ attemptCount: 4 });
  });

  it('firstCharge scheduled: nothing is charged in the request; now: charged though the code says later', async () => {
    const scheduled = await merchant.execute({ policy: { firstCharge: 'scheduled' } });
    expect(seen(scheduled)).toMatchObject({ http: 202, state: 'queued', attemptCount: 0 });
    const now = { originalDeclineCode: 'insufficient_funds', policy: { firstCharge: 'now' } };
    expect(seen(await merchant.execute(now))).toMatchObject({ ...COLLECTED, attemptCount: 1 });
  });

  it('firstCharge now opens no failure, block or authentication', async () => {
    const now = { policy: { firstCharge: 'now' } };
    for (const [originalDeclineCode, state] of Object.entries({
      expired_card: 'failed',
      stolen_card: 'blocked',
      authentication_required: 'action_required',
    })) {
      expect((await merchant.execute({ originalDeclineCode, ...now })).body).toMatchObject({ state, attemptCount: 0 });
    }
    expect(await merchant.ledger()).toEqual([]);
  });

  it('notBefore: nothing is charged before it', async () => {
    const notBefore = later(new Date(), 6 * DAY_MS);
    const { body } = await merchant.execute({ policy: { notBefore } });
    expect(body).toMatchObject({ state: 'queued', attemptCount: 0 });
    expect(String(body.scheduledFor) >= notBefore).toBe(true);
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', attemptCount: 1 });
  });

  it('deadlineAt: no charge within its last hour, and the round ends when nothing fits any more', async () => {
    // The slot of day 2 may wait up to a day for its local hour; the next one, of day 5, is past this deadline.
    const deadlineAt = later(new Date(), 4 * DAY_MS);
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { deadlineAt } });
    expect(body).toMatchObject({ state: 'queued', deadlineAt });
    expect(String(body.scheduledFor) <= later(deadlineAt, -HOUR_MS)).toBe(true);
    await merchant.advanceTo(String(body.scheduledFor));
    const status = await merchant.status(body.transactionId);
    expect(status).toMatchObject({ state: 'failed', endReason: 'exhausted', attemptCount: 2 });
  });

  it('a newest prior attempt of an hour ago holds the first charge back, as the failed charge’s own time would', async () => {
    const at = later(new Date(), -HOUR_MS);
    const answer = await merchant.execute({ originalDeclineCode: 'do_not_honor', priorAttempts: [{ at }] });
    expect(seen(answer)).toMatchObject({ http: 202, state: 'queued', attemptCount: 0 });
    expect(hours(at, answer.body.scheduledFor)).toBeGreaterThanOrEqual(48);
  });

  it.each([
    ['stolen_card', { http: 403, state: 'blocked', attemptCount: 0 }],
    ['expired_card', { http: 200, state: 'failed', attemptCount: 0 }],
    ['insufficient_funds', { http: 202, state: 'queued', attemptCount: 0 }],
  ])('the code of the newest prior attempt, %s, steers where the request names none', async (declineCode, expected) => {
    const priorAttempts = [
      { at: later(new Date(), -5 * DAY_MS), declineCode },
      { at: later(new Date(), -9 * DAY_MS), declineCode: 'do_not_honor' },
    ];
    const answer = await merchant.execute({ paymentMethodToken: 'pm_card_visa', priorAttempts });
    expect(seen(answer)).toMatchObject(expected);
    expect(answer.body).toMatchObject({ declineCode });
    const preview = await merchant.api.post('/api/recovery/plan', merchant.request({ priorAttempts }));
    expect(preview.body).toMatchObject({ rule: `listed_code:${declineCode}` });
  });

  it('an older prior attempt, and one beside a code of the request’s own, steer nothing', async () => {
    const stolen = { at: later(new Date(), -9 * DAY_MS), declineCode: 'stolen_card' };
    const older = { priorAttempts: [{ at: later(new Date(), -5 * DAY_MS), declineCode: 'do_not_honor' }, stolen] };
    expect(seen(await merchant.execute(older))).toMatchObject({ http: 200, state: 'succeeded' });
    const beside = { originalDeclineCode: 'do_not_honor', priorAttempts: [stolen], reference: 'another debt' };
    expect(seen(await merchant.execute(beside))).toMatchObject({ http: 200, state: 'succeeded' });
  });

  it('a failed charge of ten days ago: charged in the request, and its schedule runs from there', async () => {
    const originalFailedAt = later(new Date(), -10 * DAY_MS);
    const sent = { originalDeclineCode: 'do_not_honor', originalFailedAt, paymentMethodToken: 'pm_test_do_not_honor' };
    const { body } = await merchant.execute(sent);
    expect(body).toMatchObject({ state: 'queued', attemptCount: 1, attemptsRemaining: 1 });
    expect(hours(originalFailedAt, body.scheduledFor)).toBeGreaterThanOrEqual(336);
  });
});

describe('what an issuer or a network says beside the code', () => {
  it.each([
    [
      'do_not_try_again',
      { paymentMethodToken: 'pm_test_insufficient_funds__advice_do_not_try_again' },
      'request_card_update',
    ],
    ['Mastercard 03', { paymentMethodToken: 'pm_test_do_not_honor__brand_mastercard__mac_03' }, 'request_card_update'],
    ['Mastercard 21', { paymentMethodToken: 'pm_test_do_not_honor__brand_mastercard__mac_21' }, 'manual_review'],
    ['Mastercard 04', { paymentMethodToken: 'pm_test_do_not_honor__brand_mastercard__mac_04' }, 'manual_review'],
  ])('%s: stops the card at once', async (_title, send, recommendedAction) => {
    const answer = await merchant.execute(send);
    expect(seen(answer)).toMatchObject({ http: 200, state: 'failed', endReason: 'hard_decline', attemptCount: 1 });
    expect(await merchant.event(answer.body.transactionId, 'recovery.failed')).toMatchObject({ recommendedAction });
  });

  it('Mastercard 27 (four days): the next charge waits as long', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor__brand_mastercard__mac_27' });
    expect(body.state).toBe('queued');
    expect(hours(body.updatedAt, body.scheduledFor)).toBeGreaterThanOrEqual(96);
  });

  it('a card issued in India: authentication, nothing is charged', async () => {
    for (const send of [
      { paymentMethodToken: 'pm_card_in' },
      { cardOrigin: 'IN', paymentMethodToken: 'pm_card_visa' },
    ]) {
      const answer = await merchant.execute(send);
      if (send.paymentMethodToken === 'pm_card_in')
        expect(seen(answer)).toMatchObject({ http: 403, state: 'action_required' });
      else expect(seen(answer)).toMatchObject(COLLECTED); // The gateway's own country speaks first.
    }
  });
});

describe('a bank debit', () => {
  it('that comes back unpaid: its decline is found, and the debit’s own schedule goes on', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_processing_then_insufficient_funds' });
    expect(body).toMatchObject({ state: 'in_progress', status: 'unknown' });
    await merchant.advanceTo(later(body.createdAt, 5 * DAY_MS));
    const status = await merchant.status(body.transactionId);
    expect(status).toMatchObject({ state: 'queued', lastDeclineCode: 'insufficient_funds', attemptCount: 1 });
    expect(status.attempts).toMatchObject([{ outcome: 'declined', declineCode: 'insufficient_funds' }]);
  });

  it('at the bank: no deadline ends it, and nothing else is charged', async () => {
    const policy = { deadlineAt: later(new Date(), 2 * DAY_MS) };
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_processing', policy });
    await merchant.advanceTo(later(body.createdAt, 2.5 * DAY_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'in_progress', endReason: null });
    await merchant.advanceTo(later(body.createdAt, 5 * DAY_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', trigger: 'reconciliation' });
    expect(await merchant.ledger()).toHaveLength(1);
  });
});

describe('a token without a customer', () => {
  it('is charged once, and asks for another when that is declined', async () => {
    const { stripe } = await world.bank(merchant);
    const card = { token: 'tok_test_insufficient_funds' };
    const { id: paymentMethodToken } = await stripe.paymentMethods.create({ type: 'card', card });
    const answer = await merchant.execute({ paymentMethodToken });
    expect(seen(answer)).toMatchObject({
      http: 200,
      state: 'failed',
      endReason: 'token_not_reusable',
      attemptCount: 1,
    });
    expect(await merchant.event(answer.body.transactionId, 'recovery.failed')).toMatchObject({
      ...{ recommendedAction: 'request_card_update', recommendedActionDetail: 'token_not_reusable' },
    });
  });
});

describe('events', () => {
  it('come in order, numbered per endpoint, and tell each step to whom asks for all of them', async () => {
    const all = await merchant.hearEverything();
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor_x1', customerId: 'c_1' });
    const { transactionId: id } = body;
    await merchant.advanceTo(String(body.scheduledFor));
    await all.event(id, 'recovery.success');
    const told = all.events(id);
    expect(told.map(({ event }) => event)).toEqual([
      'recovery.attempt_failed',
      'recovery.scheduled',
      'recovery.success',
    ]);
    expect(told.map(({ final }) => final)).toEqual([false, false, true]);
    expect(told[1]).toMatchObject({
      nextAttemptAt: body.scheduledFor,
      willRetry: true,
      recommendedAction: 'retry_later',
    });
    const sequences = told.map(({ sequence }) => sequence);
    expect([...sequences].sort((a, b) => a - b)).toEqual(sequences);
    const headers = world.receiver.at(all.account.mailbox).map((webhook) => webhook.headers['x-revtain-sequence']);
    expect(headers).toEqual(['1', '2', '3']);
    await merchant.event(id, 'recovery.success');
    expect(merchant.events(id).map(({ event }) => event)).toEqual(['recovery.success']);
  });

  it('say how many debts of the customer are still open', async () => {
    const customer = { customerId: 'c_7' };
    await merchant.execute({ ...customer, originalDeclineCode: 'insufficient_funds', amount: 1_000 });
    await merchant.execute({ ...customer, originalDeclineCode: 'insufficient_funds', amount: 1_100 });
    const { body } = await merchant.execute({ ...customer, originalDeclineCode: 'expired_card', amount: 1_200 });
    const failed = await merchant.event(body.transactionId, 'recovery.failed');
    expect(failed).toMatchObject({ openRecoveriesForCustomer: 3, customerId: 'c_7' });
  });

  it('never hold the customer’s address, a token or a card', async () => {
    const all = await merchant.hearEverything();
    const { body } = await merchant.execute({
      ...{
        customerEmail: 'ada@example.com',
        paymentMethodToken: 'pm_test_do_not_honor',
        metadata: { note: 'ada@example.com' },
      },
    });
    await merchant.advanceTo(later(body.deadlineAt, HOUR_MS));
    await all.event(body.transactionId, 'recovery.failed');
    const told = JSON.stringify(all.events(body.transactionId));
    for (const secret of ['ada@example.com', 'pm_test_', '_secret']) expect(told).not.toContain(secret);
    expect(world.app.logLines.join('')).not.toContain('ada@example.com');
    expect(world.app.logLines.join('')).not.toContain('pm_test_');
  });

  it('of a client without dunning: recovery.failed only to endpoints that list it', async () => {
    const quiet = await world.merchant({ dunningEnabled: false });
    const all = await quiet.hearEverything();
    const { body } = await quiet.execute({ originalDeclineCode: 'expired_card' });
    await all.event(body.transactionId, 'recovery.failed');
    expect(quiet.events(body.transactionId)).toEqual([]);
  });
});

describe('the hold', () => {
  it('lasts the client’s own minutes', async () => {
    const patient = await world.merchant({ customerActionHoldMinutes: 90 });
    const { body } = await patient.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 1 } });
    await patient.advanceTo(later(body.updatedAt, 89 * MINUTE_MS));
    expect(patient.events(body.transactionId)).toEqual([]);
    await patient.advanceTo(later(body.updatedAt, 91 * MINUTE_MS));
    await patient.event(body.transactionId, 'recovery.failed');
  });

  it('of no minutes sends at once', async () => {
    const eager = await world.merchant({ customerActionHoldMinutes: 0 });
    const { body } = await eager.execute({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 1 } });
    await eager.event(body.transactionId, 'recovery.failed');
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Merchant } from '../support/merchant.js';
import { DAY_MS, HOUR_MS, later, seen, World } from '../support/story.js';

const VISA = 'pm_test_do_not_honor';
const MASTERCARD = `${VISA}__brand_mastercard`;
/** One first charge and Visa's default cap of re-attempts. */
const VISA_CHARGES_MAX = 16;
/** The tenth in a day is left to the customer. */
const MASTERCARD_DECLINES_MAX = 9;

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

/** So many charges that the merchant made before it came to us, one an hour up to `agoMs` before now. */
const priorAttempts = (count: number, agoMs: number) =>
  Array.from({ length: count }, (_, index) => ({
    at: later(new Date(), -agoMs - (count - 1 - index) * HOUR_MS),
    declineCode: 'do_not_honor',
  }));

const timelineRules = async (transactionId: string) => (await merchant.timeline(transactionId)).map(({ rule }) => rule);

async function alertsOf(transactionId: string): Promise<Record<string, unknown>[]> {
  const { rows } = await world.database.query<{ facts: Record<string, unknown> }>(
    `SELECT facts FROM operator_alerts WHERE recovery_id = $1 AND kind = 'network_limit_reached'`,
    [transactionId],
  );
  return rows.map(({ facts }) => facts);
}

/** The most charges declined with a code that the gateway's own ledger has in any window of this length. */
async function mostWithin(windowMs: number, code = 'do_not_honor'): Promise<number> {
  const declined = (await merchant.ledger()).filter(({ declineCode }) => declineCode === code);
  const times = declined.map(({ at }) => new Date(at).getTime());
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}

/** Debts of one card and amount, told apart by their references, all sent at once. */
const storm = (count: number, send: object) =>
  Promise.all(Array.from({ length: count }, (_, index) => merchant.execute({ reference: `order-${index}`, ...send })));

describe('Visa: re-attempts of one amount on one card in 30 days', () => {
  it('counts what the merchant tried before: the next charge waits until the oldest leaves the window', async () => {
    const priors = priorAttempts(VISA_CHARGES_MAX, 20 * DAY_MS);
    const { body, status } = await merchant.execute({ paymentMethodToken: 'pm_card_visa', priorAttempts: priors });
    expect({ http: status, ...body }).toMatchObject({ http: 202, state: 'queued', attemptCount: 0 });
    // The first of them was no re-attempt.
    const freeAt = later(priors[1]?.at ?? '', 30 * DAY_MS);
    expect(String(body.scheduledFor) >= freeAt).toBe(true);
    expect(await timelineRules(body.transactionId)).toContain('network_limit:visa_reattempts_30d');
    const told = { limit: 'network_limit:visa_reattempts_30d', freeAt, feeAvoided: null };
    expect(await alertsOf(body.transactionId)).toMatchObject([told]);
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', attemptCount: 1 });
  });

  it('one attempt fewer, and it is charged in the request', async () => {
    const priors = priorAttempts(VISA_CHARGES_MAX - 1, 20 * DAY_MS);
    const answer = await merchant.execute({ paymentMethodToken: 'pm_card_visa', priorAttempts: priors });
    expect(seen(answer)).toMatchObject({ http: 200, state: 'succeeded', attemptCount: 1 });
  });

  it('another amount has a count of its own, and what one debt told counts for the next', async () => {
    const priors = priorAttempts(VISA_CHARGES_MAX, 20 * DAY_MS);
    await merchant.execute({ paymentMethodToken: VISA, priorAttempts: priors, reference: 'first' });
    const other = await merchant.execute({ paymentMethodToken: VISA, amount: 2600, reference: 'other amount' });
    expect(seen(other)).toMatchObject({ state: 'queued', attemptCount: 1 });
    const same = await merchant.execute({ paymentMethodToken: VISA, reference: 'same amount' });
    expect(seen(same)).toMatchObject({ state: 'queued', attemptCount: 0 });
  });

  it('a merchant may raise the cap to 20; past the network’s own figure the fee avoided is counted', async () => {
    const send = { paymentMethodToken: 'pm_card_visa', policy: { visaReattemptsMax: 20 } };
    const priors = (count: number) => ({ priorAttempts: priorAttempts(count, 20 * DAY_MS) });
    const free = await merchant.execute({ ...send, ...priors(20), amount: 3000 });
    expect(seen(free)).toMatchObject({ state: 'succeeded', attemptCount: 1 });
    const held = await merchant.execute({ ...send, ...priors(21), amount: 3100 });
    expect(seen(held)).toMatchObject({ state: 'queued', attemptCount: 0 });
    const [alert] = await alertsOf(held.body.transactionId);
    expect(alert?.['feeAvoided']).toBeGreaterThan(0);
    expect(alert?.['feeCurrency']).toBe('USD');
  });

  it('24 debts at once, then four weeks of retries: never more in any 30 days', async () => {
    const answers = await storm(24, { paymentMethodToken: VISA });
    expect(answers.filter(({ body }) => body.attemptCount === 1)).toHaveLength(VISA_CHARGES_MAX);
    expect(await mostWithin(30 * DAY_MS)).toBe(VISA_CHARGES_MAX);
    await merchant.advanceTo(later(new Date(), 29 * DAY_MS));
    expect(await mostWithin(30 * DAY_MS)).toBe(VISA_CHARGES_MAX);
    const { data } = (await merchant.list()).body;
    expect(data.every(({ state }) => state === 'failed' || state === 'queued')).toBe(true);
  });
});

describe('a stolen card', () => {
  const card = { paymentMethodToken: 'pm_card_visa' };

  it('named by the network’s own code is charged for no debt: nothing of it is declined, and the words say so', async () => {
    const first = await merchant.execute({ ...card, originalNetworkDeclineCode: '43' });
    expect(seen(first)).toMatchObject({ http: 403, state: 'blocked', attemptCount: 0 });
    const other = await merchant.execute({ ...card, amount: 2600, reference: 'another debt' });
    expect(seen(other)).toMatchObject({ http: 200, state: 'failed', endReason: 'hard_decline', attemptCount: 0 });
    expect(other.body.message).toBe('The payment method can not be charged again; nothing was charged.');
    expect(await timelineRules(other.body.transactionId)).toContain('network_limit:visa_category_1');
    expect(await merchant.ledger()).toEqual([]);
  });

  it.each([
    ['in small letters', { originalDeclineCode: 'do_not_honor', originalNetworkDeclineCode: 'r3' }],
    ['without its zero', { originalNetworkDeclineCode: '7' }],
    ['as the decline code', { originalDeclineCode: '43' }],
    ['by a prior attempt', { priorAttempts: [{ at: later(new Date(), -HOUR_MS), declineCode: '04' }] }],
  ])('named by the network’s own code %s is charged for no debt either', async (_, named) => {
    const first = await merchant.execute({ ...card, ...named });
    expect(seen(first)).toMatchObject({ http: 403, state: 'blocked' });
    const other = await merchant.execute({ ...card, amount: 2600, reference: 'another debt' });
    expect(seen(other)).toMatchObject({ state: 'failed', endReason: 'hard_decline', attemptCount: 0 });
    expect(await merchant.ledger()).toEqual([]);
  });

  it('named by the gateway’s code alone is charged for its own debt no more', async () => {
    const reference = 'its debt';
    await merchant.execute({ ...card, reference, originalDeclineCode: 'stolen_card' });
    expect(seen(await merchant.execute({ ...card, reference }))).toMatchObject({ http: 403, state: 'blocked' });
    const other = await merchant.execute({ ...card, amount: 2600, reference: 'another debt' });
    expect(seen(other)).toMatchObject({ http: 200, state: 'succeeded' });
  });
});

it('a debt that a full limit ends before any charge says so, and does not speak of declines', async () => {
  const priors = priorAttempts(VISA_CHARGES_MAX, 20 * DAY_MS);
  const policy = { deadlineAt: later(new Date(), 5 * DAY_MS) };
  const { body } = await merchant.execute({ paymentMethodToken: 'pm_card_visa', priorAttempts: priors, policy });
  expect(body).toMatchObject({ state: 'failed', endReason: 'exhausted', attemptCount: 0 });
  expect(body.message).toBe('No charge was possible in time; nothing was charged.');
  expect(body.recommendedActionReason).toMatch(/^No charge was possible in time\./);
});

describe('Mastercard', () => {
  it('9 declines of a card in 24 hours, whatever their amounts and debts; the next comes a day later', async () => {
    const answers = await Promise.all(
      Array.from({ length: 14 }, (_, index) =>
        merchant.execute({ paymentMethodToken: MASTERCARD, amount: 2000 + index, reference: `order-${index}` }),
      ),
    );
    expect(answers.filter(({ body }) => body.attemptCount === 1)).toHaveLength(MASTERCARD_DECLINES_MAX);
    const held = answers.filter(({ body }) => body.attemptCount === 0);
    for (const { body } of held) {
      expect(body).toMatchObject({ state: 'queued' });
      expect(String(body.scheduledFor) >= later(body.createdAt, DAY_MS - HOUR_MS)).toBe(true);
    }
    await merchant.advanceTo(later(new Date(), 20 * DAY_MS));
    expect(await mostWithin(DAY_MS)).toBeLessThanOrEqual(MASTERCARD_DECLINES_MAX);
  });

  it('a card that works is not held by its successes', async () => {
    const answers = await storm(12, { paymentMethodToken: 'pm_card_mastercard' });
    expect(answers.every(({ body }) => body.state === 'succeeded')).toBe(true);
  });
});

it('a charge on a clock that is walked has one time: the gateway dates it as we do, and counts its windows as we do', async () => {
  const { body } = await merchant.execute({ paymentMethodToken: VISA });
  await merchant.advanceTo(later(body.createdAt, 40 * DAY_MS));
  const retries = (await merchant.ledger()).slice(1).map(({ at }) => new Date(at).toISOString());
  expect(retries).toHaveLength(3);
  const { attempts } = await merchant.status(body.transactionId);
  expect(retries).toEqual(attempts.slice(1).map(({ endedAt }) => endedAt));
});

describe('a command on a card whose limit is full', () => {
  it('retry is refused with the rule and the time it frees; a new card is charged at once', async () => {
    const { body } = await merchant.execute({
      paymentMethodToken: VISA,
      priorAttempts: priorAttempts(VISA_CHARGES_MAX, 20 * DAY_MS),
    });
    const refused = await merchant.retry(body.transactionId);
    expect(seen(refused)).toMatchObject({
      http: 409,
      code: 'not_retryable',
      rule: 'network_limit:visa_reattempts_30d',
    });
    expect(String((refused.body as Record<string, unknown>)['freeAt']) > new Date().toISOString()).toBe(true);
    expect(await merchant.ledger()).toEqual([]);
    const paid = await merchant.payWith(body.transactionId, 'pm_card_mastercard');
    expect(seen(paid)).toMatchObject({ http: 200, state: 'succeeded', strategyUsed: 'updated_card' });
  });

  it('a new card that is itself full waits for its own limit, and is charged then', async () => {
    const fill = { paymentMethodToken: `${MASTERCARD}__card_b` };
    const full = Array.from({ length: MASTERCARD_DECLINES_MAX }, (_, index) =>
      merchant.execute({ ...fill, amount: 5000 + index, reference: `full-${index}` }),
    );
    await Promise.all(full);
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_expired_card', reference: 'the debt' });
    const held = await merchant.payWith(body.transactionId, `${MASTERCARD}__card_b`);
    expect(seen(held)).toMatchObject({ http: 202, state: 'queued', round: 2, attemptCount: 1 });
    const { nextRetryAt } = await merchant.status(body.transactionId);
    expect(String(nextRetryAt) >= later(body.createdAt, DAY_MS - HOUR_MS)).toBe(true);
    await merchant.advanceTo(String(nextRetryAt));
    const { attempts } = await merchant.status(body.transactionId);
    expect(attempts.map(({ trigger }) => trigger)).toContain('card_updated');
  });

  it('a fallback token whose own limit is full is passed over', async () => {
    const fallback = `${MASTERCARD}__card_c`;
    await Promise.all(
      Array.from({ length: MASTERCARD_DECLINES_MAX }, (_, index) =>
        merchant.execute({ paymentMethodToken: fallback, amount: 6000 + index, reference: `full-${index}` }),
      ),
    );
    const before = (await merchant.ledger()).length;
    const answer = await merchant.execute({
      paymentMethodToken: 'pm_test_expired_card',
      fallbackPaymentMethodTokens: [fallback, 'pm_card_amex'],
      fallbackConsent: true,
      reference: 'the debt',
    });
    expect(seen(answer)).toMatchObject({ state: 'succeeded', strategyUsed: 'fallback_token', attemptCount: 2 });
    expect(await merchant.ledger()).toHaveLength(before + 2);
  });

  it('asked for in the moment in which the limit frees: every call is answered, and the server goes on', async () => {
    const card = `${MASTERCARD}__card_d`;
    for (let index = 0; index < MASTERCARD_DECLINES_MAX; index += 1) {
      await merchant.execute({ paymentMethodToken: card, amount: 7000 + index, reference: `full-${index}` });
    }
    const debts = await storm(8, { paymentMethodToken: 'pm_test_expired_card' });
    const [first] = await merchant.ledger();
    await merchant.advanceTo(new Date(new Date(first?.at ?? '').getTime() + DAY_MS - 150));
    const answers = await Promise.all(debts.map(({ body }) => merchant.payWith(body.transactionId, card)));
    expect(answers.every(({ status }) => status === 200 || status === 202)).toBe(true);
    expect(await mostWithin(DAY_MS)).toBeLessThanOrEqual(MASTERCARD_DECLINES_MAX);
    await merchant.advanceTo(later(new Date(), 3 * DAY_MS));
  });

  it('a bank debit that came back for good is not presented again, whoever asks', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_usBankAccount_accountClosed' });
    await merchant.advanceTo(later(body.createdAt, 10 * DAY_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'failed' });
    const debits = (await merchant.ledger()).length;
    const refused = await merchant.retry(body.transactionId);
    expect(seen(refused)).toMatchObject({ http: 409, code: 'not_retryable', rule: 'network_limit:debit_return_code' });
    expect(await merchant.ledger()).toHaveLength(debits);
  });

  it('nor earlier than Mastercard’s advice says, whoever asks for it', async () => {
    const token = `${MASTERCARD}__mac_30`;
    const { body } = await merchant.execute({ paymentMethodToken: token });
    const refused = await merchant.retry(body.transactionId);
    const rule = 'network_limit:mastercard_advice_30';
    expect(seen(refused)).toMatchObject({ http: 409, code: 'not_retryable', rule });
    await merchant.cancel(body.transactionId);
    const again = await merchant.execute({ paymentMethodToken: token, reference: 'another name' });
    expect(seen(again)).toMatchObject({ http: 202, state: 'queued', attemptCount: 0 });
    expect(String(again.body.scheduledFor) >= later(body.createdAt, 10 * DAY_MS)).toBe(true);
    expect(await merchant.ledger()).toHaveLength(1);
  });
});

describe('a charge that is answered with a code no table knows', () => {
  it('is retried the careful way, and told to the operator', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_zz_77' });
    expect(body).toMatchObject({ state: 'queued', declineCode: 'zz_77' });
    expect(await timelineRules(body.transactionId)).toContain('unlisted_code');
    expect(await world.alertsOf(merchant.clientId)).toContain('unlisted_decline_code');
    const { rows } = await world.database.query(
      `SELECT inputs ->> 'declineCode' AS code, count(*)::int AS times
       FROM recovery_events WHERE rule = 'unlisted_code' AND client_id = $1 GROUP BY 1`,
      [merchant.clientId],
    );
    expect(rows).toEqual([{ code: 'zz_77', times: 1 }]);
  });
});

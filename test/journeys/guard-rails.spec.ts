import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Merchant } from '../support/merchant.js';
import { DAY_MS, later, World } from '../support/story.js';

describe('small slips that must not cost money', () => {
  let world: World;
  let merchant: Merchant;

  beforeAll(async () => {
    world = await World.start();
    merchant = await world.merchant();
  });
  afterAll(() => world.stop());

  it.each([
    ['43', 'generic_decline'],
    ['41', 'do_not_honor'],
    ['43', undefined],
  ])(
    'reads network code %s with %s by the brand of the card itself, and charges no stolen card',
    async (code, declineCode) => {
      const answer = await merchant.execute({
        paymentMethodToken: `pm_test_ok__card_${code}${declineCode ?? 'none'}`,
        originalNetworkDeclineCode: code,
        ...(declineCode === undefined ? {} : { originalDeclineCode: declineCode }),
      });
      expect(answer.status).toBe(403);
      expect(answer.body).toMatchObject({ state: 'blocked', attemptCount: 0 });
    },
  );

  it('takes batch items of one key in their order', async () => {
    const item = {
      paymentMethodToken: 'pm_card_visa',
      amount: 2500,
      idempotencyKey: 'batch-twice',
      reference: 'batch-twice',
    };
    const items = [item, { ...item, amount: 2600 }, item];
    const { body } = await merchant.api.post('/api/recovery/execute/batch', { items });
    const { results } = body as { results: { status: number; body: { code?: string; transactionId?: string } }[] };
    expect(results.map((each) => each.status)).toEqual([202, 409, 202]);
    expect(results[1]?.body.code).toBe('idempotency_key_reused');
    expect(results[2]?.body.transactionId).toBe(results[0]?.body.transactionId);
  });

  it('refuses to move a clock out of sight, and the client goes on', async () => {
    const moved = await merchant.api.post('/api/sandbox/clock', { advanceTo: '9999-12-31T00:00:00.000Z' });
    expect(moved.status).toBe(400);
    expect((await merchant.execute({ paymentMethodToken: 'pm_card_visa' })).status).toBe(200);
  });

  it.each([
    ['in the future', 1, [later(new Date(), -DAY_MS), '2999-01-01T00:00:00.000Z', later(new Date(), -2 * DAY_MS)]],
    ['too long ago', 0, [later(new Date(), -91 * DAY_MS), later(new Date(), -92 * DAY_MS)]],
  ])('names the one prior attempt whose time is %s', async (_, index, times) => {
    const answer = await merchant.api.post('/api/recovery/execute', {
      paymentMethodToken: 'pm_card_visa',
      amount: 2500,
      priorAttempts: times.map((at) => ({ at })),
    });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ errors: [{ field: `priorAttempts[${index}].at`, code: 'invalid_field' }] });
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Page, StatusBody, TimelineEntry } from '../support/merchant.js';
import { type Merchant, unique } from '../support/merchant.js';
import { DAY_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const QUEUED = { originalDeclineCode: 'insufficient_funds' };

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

describe('status', () => {
  it('tells a recovery by its id and by its key alike, with every attempt', async () => {
    const key = unique('key');
    const metadata = { plan: 'pro' };
    const sent = { idempotencyKey: key, customerId: 'c_9', metadata, paymentMethodToken: 'pm_test_do_not_honor_x1' };
    const { transactionId: id, scheduledFor } = await accept(sent);
    await merchant.advanceTo(String(scheduledFor));
    const status = await merchant.status(id);
    expect(status).toMatchObject({
      ...{
        transactionId: id,
        status: 'succeeded',
        state: 'succeeded',
        idempotencyKey: key,
        customerId: 'c_9',
        metadata,
      },
      ...{ recovered: true, recoveredAt: expect.any(String), trigger: 'scheduled_retry', strategyUsed: 'primary' },
      ...{ attemptCount: 2, nextRetryAt: null, endReason: null, round: 1, willRetry: false },
    });
    expect(status.attempts).toMatchObject([
      { number: 1, trigger: 'initial', outcome: 'declined', declineCode: 'do_not_honor', amount: 2_500 },
      { number: 2, trigger: 'scheduled_retry', outcome: 'succeeded', declineCode: null, amount: 2_500 },
    ]);
    const ledger = await merchant.ledger(id);
    expect(status.attempts.map(({ attemptId }) => attemptId)).toEqual(ledger.map(({ attemptId }) => attemptId));
    const byKey = await merchant.api.get<StatusBody>(`/api/recovery/status?idempotencyKey=${key}`);
    expect(byKey.body).toEqual(status);
  });

  it('answers 404 for ids and keys that are nobody’s, and for another client’s', async () => {
    const key = unique('key');
    const { transactionId: id } = await accept({ ...QUEUED, idempotencyKey: key });
    const stranger = await world.merchant();
    for (const caller of [stranger.api, merchant.api]) {
      const [asked, askedKey] = caller === stranger.api ? [id, key] : ['01ARZ3NDEKTSV4RRFFQ69G5FAV', 'no_such_key'];
      expect((await caller.get(`/api/recovery/status/${asked}`)).status).toBe(404);
      expect((await caller.get(`/api/recovery/status?idempotencyKey=${askedKey}`)).status).toBe(404);
      expect((await caller.get(`/api/recovery/${asked}/events`)).status).toBe(404);
      expect((await caller.post(`/api/recovery/${asked}/cancel`, { reason: 'abandoned' })).status).toBe(404);
      expect((await caller.post(`/api/recovery/${asked}/retry`)).status).toBe(404);
      const card = { paymentMethodToken: 'pm_card_visa' };
      expect((await caller.post(`/api/recovery/${asked}/payment-method`, card)).status).toBe(404);
      const evidence = { outcome: 'not_executed', evidence: { note: 'seen' } };
      expect((await caller.post(`/api/recovery/${asked}/resolve`, evidence)).status).toBe(404);
    }
    expect(await merchant.status(id)).toMatchObject({ state: 'queued' });
  });
});

describe('the list', () => {
  it('filters by state, code, customer, reference, time and amount', async () => {
    const paid = await accept({ customerId: 'c_1', amount: 5_000, reference: 'inv_paid' });
    const queued = await accept({ ...QUEUED, customerId: 'c_1', amount: 1_000 });
    const blocked = await accept({ originalDeclineCode: 'stolen_card', customerId: 'c_2', amount: 3_000 });
    const idsOf = async (query: string) =>
      (await merchant.list(query)).body.data.map(({ transactionId }) => transactionId);
    const [p, q, b] = [paid, queued, blocked].map(({ transactionId }) => transactionId);

    expect(await idsOf('')).toEqual([b, q, p]);
    expect(await idsOf('?state=queued')).toEqual([q]);
    expect(await idsOf('?declineCode=stolen_card')).toEqual([b]);
    expect(await idsOf('?customerId=c_1')).toEqual([q, p]);
    expect(await idsOf('?reference=inv_paid')).toEqual([p]);
    expect(await idsOf('?minAmount=3000')).toEqual([b, p]);
    expect(await idsOf(`?createdFrom=${blocked.createdAt}`)).toEqual([b]);
    expect(await idsOf(`?createdTo=${queued.createdAt}`)).toEqual([p]);
    expect(await idsOf('?customerId=c_1&state=succeeded')).toEqual([p]);
    const stranger = await world.merchant();
    expect((await stranger.list()).body.data).toEqual([]);
  });

  it('finds by a code as long as execute takes', async () => {
    const long = await world.merchant();
    const { body } = await long.execute({ originalDeclineCode: 'z'.repeat(100) });
    const found = await long.list(`?declineCode=${'z'.repeat(100)}`);
    expect(found.body.data.map(({ transactionId }) => transactionId)).toEqual([body.transactionId]);
  });

  it('pages from the newest on, each row once', async () => {
    const ids: string[] = [];
    for (let debt = 0; debt < 5; debt += 1) ids.unshift((await accept()).transactionId);
    const found: string[] = [];
    let page: Page<StatusBody> = { data: [], hasMore: true, nextAfter: null };
    while (page.hasMore) {
      const after = page.nextAfter === null ? '' : `&after=${page.nextAfter}`;
      page = (await merchant.list(`?limit=2${after}`)).body;
      found.push(...page.data.map(({ transactionId }) => transactionId));
    }
    expect(found).toEqual(ids);
    expect(page.nextAfter).toBeNull();
    expect(page.data[0]).not.toHaveProperty('attempts');
  });

  it.each([
    ['?color=red', 'unknown_field'],
    ['?limit=0', 'invalid_field'],
    ['?limit=201', 'invalid_field'],
    ['?limit=2.5', 'invalid_field'],
    ['?state=sleeping', 'invalid_field'],
    ['?createdFrom=yesterday', 'invalid_field'],
    ['?minAmount=-1', 'invalid_field'],
    ['?after=01ARZ3NDEKTSV4RRFFQ69G5FAV', 'invalid_cursor'],
    ['?after=nothing', 'invalid_cursor'],
  ])('refuses %s with %s', async (query, code) => {
    expect(seen(await merchant.list(query))).toMatchObject({ http: 400, code });
  });
});

describe('the timeline', () => {
  it('is gap-free, each step from where the last one led, each with its rule', async () => {
    const { transactionId: id, deadlineAt } = await accept({ paymentMethodToken: 'pm_test_insufficient_funds' });
    await merchant.advanceTo(deadlineAt);
    const entries = await merchant.timeline(id);
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, index) => index + 1));
    expect(entries[0]).toMatchObject({ type: 'accepted', fromState: null, toState: 'queued' });
    for (const [index, { fromState }] of entries.slice(1).entries()) expect(fromState).toBe(entries[index]?.toState);
    expect(entries.every(({ rule, actor, at }) => [rule, actor, at].every((each) => typeof each === 'string'))).toBe(
      true,
    );
    expect(entries.at(-1)).toMatchObject({ type: 'failed', toState: 'failed' });
    expect(entries.filter(({ type }) => type === 'charge_opened')).toHaveLength((await merchant.ledger(id)).length);
    expect(JSON.stringify(entries)).not.toContain('pm_test_');
  });

  it('pages by the sequence of the last row', async () => {
    const { transactionId: id } = await accept({ paymentMethodToken: 'pm_test_do_not_honor' });
    const all = await merchant.timeline(id);
    const path = `/api/recovery/${id}/events`;
    const first = await merchant.api.get<Page<TimelineEntry>>(`${path}?limit=2`);
    expect(first.body).toMatchObject({ hasMore: true, nextAfter: '2' });
    const rest = await merchant.api.get<Page<TimelineEntry>>(`${path}?after=2`);
    expect([...first.body.data, ...rest.body.data]).toEqual(all);
    expect(seen(await merchant.api.get(`${path}?after=999`))).toMatchObject({ http: 400, code: 'invalid_cursor' });
  });
});

describe('pulse and the clock', () => {
  it('records an organic success', async () => {
    const answer = await merchant.api.post('/api/recovery/pulse', {
      amount: 900,
      currency: 'EUR',
      transactionId: 'order-7',
    });
    expect(seen(answer)).toMatchObject({ http: 200, success: true, transactionId: 'order-7' });
    expect(answer.body.message).toEqual(expect.any(String));
    const { rows } = await world.database.query('SELECT amount_minor, currency FROM pulses WHERE client_id = $1', [
      merchant.clientId,
    ]);
    expect(rows).toEqual([{ amount_minor: '900', currency: 'EUR' }]);
  });

  it('does not run backwards, and says what it worked', async () => {
    const { scheduledFor } = await accept();
    const back = await merchant.api.post('/api/sandbox/clock', { advanceTo: later(new Date(), -DAY_MS) });
    expect(seen(back)).toMatchObject({ http: 400, code: 'clock_backwards' });
    const moved = await merchant.api.post('/api/sandbox/clock', { advanceTo: String(scheduledFor) });
    expect(seen(moved)).toMatchObject({ http: 200, now: scheduledFor, worked: 1 });
    const { body } = await merchant.execute(QUEUED);
    expect(body.createdAt >= String(scheduledFor)).toBe(true);
  });

  it('moves for its own client only', async () => {
    const other = await world.merchant();
    await merchant.advanceTo(later(new Date(), 10 * DAY_MS));
    const { body } = await other.execute(QUEUED);
    expect(body.createdAt < later(new Date(), MINUTE_MS)).toBe(true);
  });

  it('a retry is worked within a second of its due time, by itself', async () => {
    const { transactionId: id, scheduledFor } = await accept();
    await merchant.advanceTo(later(String(scheduledFor), -1_000));
    expect(await merchant.status(id)).toMatchObject({ state: 'queued' });
    await merchant.event(id, 'recovery.success');
    const [charge] = await merchant.ledger(id);
    const lateMs = new Date(charge?.at ?? 0).getTime() - new Date(String(scheduledFor)).getTime();
    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(lateMs).toBeLessThan(1_000);
  });
});

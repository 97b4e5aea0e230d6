import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Answer } from '../support/api.js';
import { type ExecuteBody, Merchant, unique } from '../support/merchant.js';
import { DAY_MS, later, seen, World } from '../support/story.js';

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

function expectReplay(replay: Answer<ExecuteBody>, first: Answer<ExecuteBody>): void {
  expect(replay.headers['idempotent-replayed']).toBe('true');
  expect(replay.status).toBe(first.status);
  expect(replay.bytes.equals(first.bytes)).toBe(true);
  expect(replay.headers['content-type']).toBe(first.headers['content-type']);
}

describe('the same key and body', () => {
  it.each([
    ['200 collected', {}, 200],
    ['200 failed', { originalDeclineCode: 'expired_card' }, 200],
    ['202 queued', QUEUED, 202],
    ['202 unknown', { paymentMethodToken: 'pm_test_fault_reset_after_charge' }, 202],
    ['403 blocked', { originalDeclineCode: 'stolen_card' }, 403],
    ['403 authenticate', { originalDeclineCode: 'authentication_required' }, 403],
  ])('are answered with the same bytes again: %s', async (_title, send, status) => {
    const request = merchant.request(send);
    const first = await merchant.execute(request);
    expect(first.status).toBe(status);
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    expectReplay(await merchant.execute(request), first);
    expect((await merchant.list()).body.data).toHaveLength(1);
  });

  it('are answered as they were then, even when the recovery has ended since', async () => {
    const request = merchant.request(QUEUED);
    const first = await merchant.execute(request);
    await merchant.advanceTo(later(first.body.deadlineAt, 50 * DAY_MS));
    expect(await merchant.status(first.body.transactionId)).toMatchObject({ state: 'succeeded' });
    expectReplay(await merchant.execute(request), first);
  });

  it('are the same whatever the order of the fields, the spaces and the place of the key', async () => {
    const { idempotencyKey, ...rest } = merchant.request({ metadata: { a: '1', b: '2' } });
    const first = await merchant.execute({ idempotencyKey, ...rest });
    const reordered = Object.fromEntries(Object.entries({ ...rest, metadata: { b: '2', a: '1' } }).reverse());
    const raw = JSON.stringify({ ...reordered, idempotencyKey }, null, 4);
    expectReplay(await merchant.api.call('POST', '/api/recovery/execute', { raw }), first);
    const header = { 'idempotency-key': String(idempotencyKey) };
    expectReplay(await merchant.api.post('/api/recovery/execute', rest, header), first);
    expectReplay(
      await merchant.api.post('/api/recovery/execute', rest, { 'idempotency-key': `"${String(idempotencyKey)}"` }),
      first,
    );
    expectReplay(await merchant.api.post('/api/recovery/execute', { idempotencyKey, ...rest }, header), first);
    expectReplay(await merchant.api.post('/execute', rest, header), first);
  });

  it('are one for all API keys of a client, and another client’s key is its own', async () => {
    const request = merchant.request({ reference: 'inv_1' });
    const first = await merchant.execute(request);
    const made = await world.operator.post(`/api/clients/${merchant.clientId}/keys`, { kind: 'secret' });
    const second = new Merchant(world.app.url, world.receiver, {
      ...merchant.account,
      apiKey: String(made.body.apiKey),
    });
    expectReplay(await second.execute(request), first);
    const stranger = await world.merchant();
    const fresh = await stranger.execute(request);
    expect(seen(fresh)).toMatchObject({ http: 200, state: 'succeeded' });
    expect(fresh.headers['idempotent-replayed']).toBeUndefined();
  });

  it('a later execute of the same debt under another key does not change what the first key answers', async () => {
    const reference = unique('inv');
    const request = merchant.request({ reference, originalDeclineCode: 'expired_card' });
    const first = await merchant.execute(request);
    expect((await merchant.execute({ reference, paymentMethodToken: 'pm_card_mastercard' })).body.state).toBe(
      'succeeded',
    );
    expectReplay(await merchant.execute(request), first);
  });

  it('are still the same when a time that the body names has passed since', async () => {
    const policy = { deadlineAt: later(new Date(), 10 * DAY_MS) };
    const request = merchant.request({ ...QUEUED, policy, originalFailedAt: later(new Date(), -80 * DAY_MS) });
    const first = await merchant.execute(request);
    expect(first.status).toBeLessThan(300);
    await merchant.advanceTo(later(new Date(), 30 * DAY_MS));
    expectReplay(await merchant.execute(request), first);
  });
});

describe('the same key with another body', () => {
  it.each([{ amount: 2_501 }, { currency: 'EUR' }, { metadata: { a: '2' } }, { reference: 'other' }])(
    'is refused (%j), and the first answer stays',
    async (change) => {
      const request = merchant.request({ metadata: { a: '1' } });
      const first = await merchant.execute(request);
      const refused = await merchant.execute({ ...request, ...change });
      expect(seen(refused)).toMatchObject({
        ...{ http: 409, code: 'idempotency_key_reused', existingTransactionId: first.body.transactionId },
        existingStatus: 'succeeded',
      });
      expectReplay(await merchant.execute(request), first);
      expect(await merchant.ledger()).toHaveLength(1);
    },
  );

  it('is refused under another call’s name: a retry is no execute', async () => {
    const request = merchant.request(QUEUED);
    const { body } = await merchant.execute(request);
    const refused = await merchant.retry(body.transactionId, { 'idempotency-key': String(request.idempotencyKey) });
    expect(seen(refused)).toMatchObject({ http: 409, code: 'idempotency_key_reused' });
    expect(await merchant.ledger()).toEqual([]);
  });
});

describe('calls at one moment', () => {
  it('under one key: one is worked, and the others hear of that one alone', async () => {
    const request = merchant.request({ reference: unique('inv') });
    const answers = await Promise.all(Array.from({ length: 20 }, () => merchant.execute(request)));
    const heard = answers.map(({ status, body }) => (status === 200 ? 'collected' : String(body.code)));
    expect(new Set(heard)).toEqual(new Set(['collected', 'idempotency_in_flight']));
    expect(answers.filter(({ status, headers }) => status === 200 && !headers['idempotent-replayed'])).toHaveLength(1);
    expect(await merchant.ledger()).toHaveLength(1);
    expect((await merchant.list()).body.data).toHaveLength(1);
  });

  it('under one key with several bodies: one body is worked, and each other is told of the reuse', async () => {
    const request = merchant.request({ reference: unique('inv') });
    const amounts = Array.from({ length: 12 }, (_, index) => 1_000 + index);
    const answers = await Promise.all(amounts.map((amount) => merchant.execute({ ...request, amount })));
    const collected = answers.filter(({ status }) => status === 200);
    expect(collected).toHaveLength(1);
    const others = answers.filter(({ status }) => status !== 200).map(({ body }) => body.code);
    expect(new Set(others)).toEqual(new Set(['idempotency_key_reused']));
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('a key that a dead call has left without a recovery is in flight until its lease is over, then free', async () => {
    const request = merchant.request({ originalDeclineCode: 'expired_card' });
    await merchant.execute(request);
    const left = `UPDATE idempotency_keys SET recovery_id = NULL, status_code = NULL, body = NULL,
                  lease_until = clock_timestamp() + $2 * interval '1 s' WHERE client_id = $1`;
    await world.database.query(left, [merchant.clientId, 3_600]);
    await merchant.advanceTo(later(new Date(), 10 * 60_000));
    expect(seen(await merchant.execute(request))).toMatchObject({ http: 409, code: 'idempotency_in_flight' });
    await world.database.query(left, [merchant.clientId, -1]);
    const worked = await merchant.execute(request);
    expect(seen(worked)).toMatchObject({ http: 200, state: 'failed' });
    expect(worked.headers['idempotent-replayed']).toBeUndefined();
    expectReplay(await merchant.execute(request), worked);
  });
});

describe('a refusal', () => {
  it.each([
    ['400', { amount: 'much' }, 400],
    ['400 by a reading', { originalGatewayTransactionId: 'pi_unknown' }, 400],
    ['409 by the debt', { reference: 'inv_open' }, 409],
  ])('leaves the key free: %s', async (_title, wrong, status) => {
    await merchant.execute({ ...QUEUED, reference: 'inv_open', paymentMethodToken: 'pm_card_mastercard' });
    const idempotencyKey = unique('key');
    expect((await merchant.execute({ ...wrong, idempotencyKey })).status).toBe(status);
    const accepted = await merchant.execute({ idempotencyKey });
    expect(seen(accepted)).toMatchObject({ http: 200, state: 'succeeded' });
    expect(accepted.headers['idempotent-replayed']).toBeUndefined();
  });

  it('of the rate limit leaves the key free', async () => {
    const limited = await world.merchant({ executesPerMinute: 1 });
    const first = limited.request();
    await limited.execute(first);
    expect((await limited.execute()).status).toBe(429);
    const { rows } = await world.database.query('SELECT key FROM idempotency_keys WHERE client_id = $1', [
      limited.clientId,
    ]);
    expect(rows).toEqual([{ key: first.idempotencyKey }]);
  });
});

describe('a key', () => {
  it('may be absent: allowed, with a warning', async () => {
    const answer = await merchant.execute({ idempotencyKey: undefined });
    expect(seen(answer)).toMatchObject({ http: 200, idempotencyKey: null });
    expect(answer.headers.warning).toBe('299 - "no idempotency key"');
    expect((await merchant.execute()).headers.warning).toBeUndefined();
  });

  it('in both places and different: refused', async () => {
    const refused = await merchant.execute({}, { 'idempotency-key': 'another' });
    expect(seen(refused)).toMatchObject({ http: 400, errors: [{ field: 'idempotencyKey' }] });
  });

  it.each([
    ['128 characters in the body', 128, 'body', 200],
    ['129 characters in the body', 129, 'body', 400],
    ['255 characters in the header', 255, 'header', 200],
    ['256 characters in the header', 256, 'header', 400],
    ['an empty one in the body', 0, 'body', 400],
    ['an empty one in the header', 0, 'header', 400],
  ])('%s', async (_title, length, place, status) => {
    const key = 'k'.repeat(length);
    const answer =
      place === 'body'
        ? await merchant.execute({ idempotencyKey: key })
        : await merchant.execute({ idempotencyKey: undefined }, { 'idempotency-key': key });
    expect(answer.status).toBe(status);
    if (status === 200) expect(answer.body.idempotencyKey).toBe(key);
  });

  it('finds its recovery, also one that came by the header', async () => {
    const key = unique('key');
    const { body } = await merchant.execute({ idempotencyKey: undefined }, { 'idempotency-key': key });
    const found = await merchant.api.get(`/api/recovery/status?idempotencyKey=${key}`);
    expect(seen(found)).toMatchObject({ http: 200, transactionId: body.transactionId, idempotencyKey: key });
  });
});

describe('a batch', () => {
  it('answers each item in its place, as the single call would, and charges nothing in the request', async () => {
    const good = merchant.request();
    const items = [
      good,
      merchant.request({ amount: 1 }),
      merchant.request({ idempotencyKey: undefined }),
      merchant.request({ originalDeclineCode: 'stolen_card', paymentMethodToken: 'pm_card_mastercard' }),
    ];
    const answer = await merchant.api.post<{ results: { index: number; status: number; body: ExecuteBody }[] }>(
      '/api/recovery/execute/batch',
      { items },
    );
    expect(answer.status).toBe(200);
    const { results } = answer.body;
    expect(results.map(({ index, status }) => [index, status])).toEqual([
      [0, 202],
      [1, 400],
      [2, 400],
      [3, 403],
    ]);
    expect(results[1]?.body).toMatchObject({ code: 'invalid_amount' });
    expect(results[2]?.body).toMatchObject({ errors: [{ field: 'idempotencyKey', code: 'missing_field' }] });
    const [first] = results;
    expect(first?.body).toMatchObject({ state: 'queued', attemptCount: 0, willRetry: true });
    await merchant.event(String(first?.body.transactionId), 'recovery.success');
    expect(await merchant.ledger()).toHaveLength(1);
    const single = await merchant.execute(good);
    expect(single.headers['idempotent-replayed']).toBe('true');
    expect(single.body).toEqual(first?.body);
  });

  it('spends the limit from its first item on, so that the last ones are those to send again', async () => {
    const limited = await world.merchant({ executesPerMinute: 3 });
    const items = Array.from({ length: 8 }, (_, index) =>
      limited.request({ originalDeclineCode: 'insufficient_funds', amount: 5_000 + index }),
    );
    const { body } = await limited.api.post<{ results: { status: number; body: { retryAfter?: string } }[] }>(
      '/api/recovery/execute/batch',
      { items },
    );
    expect(body.results.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 3 }, () => 202),
      ...Array.from({ length: 5 }, () => 429),
    ]);
    expect(body.results[7]?.body.retryAfter).toMatch(/^\d+ seconds$/);
  });
});

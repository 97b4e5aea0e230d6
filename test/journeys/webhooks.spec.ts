import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { Api, type Answer } from '../support/api.js';
import { startTestApp, type TestApp, type TestClient } from '../support/app.js';
import { contractChecker } from '../support/contract.js';
import { assertSigned, Receiver, type ReceivedWebhook } from '../support/receiver.js';

interface EndpointBody extends Record<string, unknown> {
  id: string;
  secret: string;
  enabled: boolean;
  disabledReason: string | null;
}

interface DeliveryBody extends Record<string, unknown> {
  id: string;
  eventId: string;
  event: string;
  status: string;
  tryCount: number;
  tries: { number: number; status: number | null; error: string | null }[];
}

interface Page<Row> extends Record<string, unknown> {
  data: Row[];
  hasMore: boolean;
  nextAfter: string | null;
}

interface ResendOrder extends Record<string, unknown> {
  count: number;
  superseded: number;
  resendId: string | null;
}

interface ReenabledBody extends EndpointBody {
  reenabled: { ping: object; missed: { count: number; recover: { path: string; body: { since: string } } } };
}

interface Problem extends Record<string, unknown> {
  code: string;
  errors?: { field: string; accepted: string }[];
}

describe('webhook endpoints and deliveries', () => {
  let app: TestApp;
  let receiver: Receiver;
  let client: TestClient;
  let api: Api;
  let stranger: Api;
  let names = 0;

  beforeAll(async () => {
    app = await startTestApp();
    receiver = await Receiver.start();
    stranger = apiOf(await app.createClient());
  });
  beforeEach(async () => {
    client = await app.createClient();
    api = apiOf(client);
  });
  afterEach(() => {
    for (const webhook of receiver.received.splice(0)) contractChecker().checkWebhook(webhook.body, webhook.headers);
  });
  afterAll(async () => {
    await app.stop();
    await receiver.stop();
  });

  function apiOf({ apiKey }: TestClient): Api {
    return new Api(app.url, { 'x-api-key': apiKey });
  }

  const newPath = () => `/mail/${++names}`;
  const inUse = (id: string) => `/api/webhook-endpoints/${id}`;

  async function addEndpoint(path: string, fields: Record<string, unknown> = {}): Promise<EndpointBody> {
    const made = await api.post<EndpointBody>('/api/webhook-endpoints', { url: receiver.url(path), ...fields });
    if (made.status !== 201) throw new Error(made.bytes.toString());
    return made.body;
  }

  /** A recovery that fails for good in the request, so that `recovery.failed` goes out at once. */
  async function fail(): Promise<string> {
    const named = { reference: `inv_${++names}`, idempotencyKey: `key_${names}` };
    const body = { paymentMethodToken: 'pm_card_visa', amount: 2_500, originalDeclineCode: 'expired_card', ...named };
    const answer = await api.post<{ transactionId: string }>('/api/recovery/execute', body);
    return answer.body.transactionId;
  }

  const at = (path: string, count = 1): Promise<ReceivedWebhook[]> =>
    receiver.waitFor((each) => each.path === path, count);

  async function deliveries(query = ''): Promise<DeliveryBody[]> {
    return (await api.get<Page<DeliveryBody>>(`/api/webhook-deliveries${query}`)).body.data;
  }

  async function deliveryThat(fits: (delivery: DeliveryBody) => boolean, query = ''): Promise<DeliveryBody> {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
      const found = (await deliveries(query)).find(fits);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no such delivery: ${JSON.stringify(await deliveries(query))}`);
  }

  async function until(path: string, fits: (body: Record<string, unknown>) => boolean): Promise<void> {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
      if (fits((await api.get<Record<string, unknown>>(path)).body)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`it stands at ${(await api.get(path)).bytes.toString()}`);
  }

  describe('endpoints', () => {
    it('shows the secret once, and never a header value', async () => {
      const made = await addEndpoint(newPath(), { headers: { 'X-Gateway-Key': 'sesame' }, description: 'production' });
      expect(made).toMatchObject({ enabled: true, events: null, headers: { 'X-Gateway-Key': '[sealed]' } });
      expect(made.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      const read = await api.get(inUse(made.id));
      expect(read.body).not.toHaveProperty('secret');
      expect(read.bytes.toString()).not.toMatch(/sesame|whsec_/);
      const stored = app.logLines.join('');
      expect(stored).not.toMatch(/sesame|whsec_/);
    });

    it.each([
      ['url', 'http://example.com/hook'],
      ['url', 'https://user:secret@example.com/hook'],
      ['url', 'https://169.254.169.254/latest'],
      ['url', 'https://example.com:22/'],
      ['url', 'https://[::ffff:127.0.0.1]/'],
      ['url', 'ftp://example.com/'],
      ['url', 'nonsense'],
      ['url', 5],
      ['events', ['recovery.failed', 'recovery.invented']],
      ['events', []],
      ['events', ['recovery.failed', 'recovery.failed']],
      ['events', 'recovery.failed'],
      ['headers', { Host: 'internal' }],
      ['headers', { 'X-A': 'a\r\nX-B: b' }],
      ['headers', { 'webhook-id': 'x' }],
      ['headers', { 'X-A': 1 }],
      ['description', 'x'.repeat(256)],
      ['enabled', 'yes'],
      ['effectTracking', 'on'],
      ['consolidate', 1],
    ])('refuses %s %j, names the field, says what is taken and stores nothing', async (field, value) => {
      const body = { url: 'https://example.com/hook', [field]: value };
      const { status, body: problem, bytes } = await api.post<Problem>('/api/webhook-endpoints', body);
      expect(status).toBe(400);
      expect(problem.errors?.[0]).toMatchObject({ field, accepted: expect.stringMatching(/\w/) });
      expect(bytes.toString()).not.toContain('user:secret');
      expect((await api.get<Page<EndpointBody>>('/api/webhook-endpoints')).body.data).toEqual([]);
    });

    it('says which events there are to who names one that is not', async () => {
      const { body } = await api.post<Problem>('/api/webhook-endpoints', { url: 'https://a.example/', events: ['x'] });
      expect(body.errors?.[0]?.accepted).toContain('recovery.attempt_failed');
    });

    it('allows ten, and frees a place when one is deleted', async () => {
      const made: EndpointBody[] = [];
      for (let count = 0; count < 10; count += 1) made.push(await addEndpoint(newPath()));
      const eleventh = await api.post<Problem>('/api/webhook-endpoints', { url: 'https://example.com/hook' });
      expect([eleventh.status, eleventh.body.code]).toEqual([409, 'too_many_endpoints']);
      expect((await api.call('DELETE', inUse(made[0]?.id ?? ''))).status).toBe(204);
      await addEndpoint(newPath());
    });

    it('makes no eleventh however many ask at once', async () => {
      const url = 'https://example.com/hook';
      const answers = await Promise.all(Array.from({ length: 14 }, () => api.post('/api/webhook-endpoints', { url })));
      expect(answers.map(({ status }) => status).sort()).toEqual([
        ...Array<number>(10).fill(201),
        ...Array<number>(4).fill(409),
      ]);
    });

    it('lists newest first, page by page', async () => {
      const ids: string[] = [];
      for (let count = 0; count < 3; count += 1) ids.unshift((await addEndpoint(newPath())).id);
      const first = (await api.get<Page<EndpointBody>>('/api/webhook-endpoints?limit=2')).body;
      expect([first.data.map(({ id }) => id), first.hasMore, first.nextAfter]).toEqual([ids.slice(0, 2), true, ids[1]]);
      const second = (await api.get<Page<EndpointBody>>(`/api/webhook-endpoints?limit=2&after=${ids[1]}`)).body;
      expect([second.data.map(({ id }) => id), second.hasMore, second.nextAfter]).toEqual([ids.slice(2), false, null]);
      expect((await api.get<Problem>('/api/webhook-endpoints?after=we_x')).body.code).toBe('invalid_cursor');
      expect((await api.get('/api/webhook-endpoints?colour=red')).status).toBe(400);
    });

    it("answers 404 for another client's endpoint, whatever is asked of it", async () => {
      const { id } = await addEndpoint(newPath());
      const answers: Answer[] = [
        await stranger.get(inUse(id)),
        await stranger.call('PATCH', inUse(id), { body: { enabled: false } }),
        await stranger.call('DELETE', inUse(id)),
        await stranger.post(`${inUse(id)}/ping`),
        await stranger.post(`${inUse(id)}/rotate-secret`),
        await stranger.post(`${inUse(id)}/recover`, { since: '2026-01-01T00:00:00Z' }),
      ];
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404, 404]);
      expect((await api.get<EndpointBody>(inUse(id))).body.enabled).toBe(true);
    });

    it('changes only what is named', async () => {
      const { id } = await addEndpoint(newPath(), { events: ['recovery.success'], headers: { 'X-A': 'a' } });
      const changed = await api.call('PATCH', inUse(id), { body: { description: 'new', events: null } });
      expect(changed.body).toMatchObject({
        description: 'new',
        events: null,
        headers: { 'X-A': '[sealed]' },
        enabled: true,
      });
      expect((await api.call('PATCH', inUse(id), { body: {} })).status).toBe(400);
      expect((await api.call('PATCH', inUse(id), { body: { url: 'http://10.0.0.1/' } })).status).toBe(400);
    });
  });

  describe('deliveries', () => {
    it('sends the static headers, signed bytes and nothing else of ours', async () => {
      const path = newPath();
      const { secret } = await addEndpoint(path, { headers: { 'X-Gateway-Key': 'sesame' } });
      await fail();
      const [webhook] = await at(path);
      if (!webhook) throw new Error('nothing came');
      expect(webhook.headers['x-gateway-key']).toBe('sesame');
      assertSigned(webhook, secret);
    });

    it('logs each try, and filters by status, event, recovery, endpoint and time', async () => {
      const path = newPath();
      const endpoint = await addEndpoint(path);
      receiver.answer(path, { status: 500 });
      const transactionId = await fail();
      const delivery = await deliveryThat(({ status }) => status === 'delivered');
      const { body } = await api.get<DeliveryBody>(`/api/webhook-deliveries/${delivery.id}`);
      expect(body.tries).toMatchObject([
        { number: 1, status: 500, error: null },
        { number: 2, status: 200, error: null },
      ]);
      const hit = [
        'status=delivered',
        'event=recovery.failed',
        `transactionId=${transactionId}`,
        `endpointId=${endpoint.id}`,
        'createdFrom=2020-01-01T00:00:00Z',
        'createdTo=2100-01-01T00:00:00Z',
      ];
      const miss = [
        'status=held',
        'event=recovery.success',
        'transactionId=01KB5Z7M3QG8T2V4XW6Y9ACDEF',
        'endpointId=we_01KB5Z7M3QG8T2V4XW6Y9ACDEF',
        'createdFrom=2100-01-01T00:00:00Z',
        'createdTo=2020-01-01T00:00:00Z',
      ];
      for (const filter of hit)
        expect([filter, await deliveries(`?${filter}`)]).toEqual([
          filter,
          [expect.objectContaining({ id: delivery.id })],
        ]);
      for (const filter of miss) expect([filter, await deliveries(`?${filter}`)]).toEqual([filter, []]);
      for (const wrong of [
        'status=lost',
        'event=x',
        'createdFrom=now',
        'limit=201',
        'limit=0',
        'colour=red',
        'after=dlv_x',
      ]) {
        expect([wrong, (await api.get(`/api/webhook-deliveries?${wrong}`)).status]).toEqual([wrong, 400]);
      }
    });

    it('redelivers what was delivered: the same id, the same bytes, one more per click', async () => {
      const path = newPath();
      await addEndpoint(path);
      await fail();
      const { id } = await deliveryThat(({ status }) => status === 'delivered');
      const again = await api.post<DeliveryBody>(`/api/webhook-deliveries/${id}/redeliver`);
      expect([again.status, again.body.status]).toEqual([202, 'pending']);
      const [first, second] = await at(path, 2);
      expect(second?.bytes).toEqual(first?.bytes);
      expect(second?.headers).toMatchObject({
        'webhook-id': first?.headers['webhook-id'],
        'x-revtain-sequence': '1',
        'x-revtain-delivery-attempt': '2',
      });
      await deliveryThat(({ status, tryCount }) => status === 'delivered' && tryCount === 2);
      expect((await stranger.post(`/api/webhook-deliveries/${id}/redeliver`)).status).toBe(404);
      expect((await stranger.get(`/api/webhook-deliveries/${id}`)).status).toBe(404);
    });

    it('delivers nothing to a disabled endpoint, and what it missed on demand after a ping', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path, { events: ['recovery.failed'] });
      await api.call('PATCH', inUse(id), { body: { enabled: false } });
      expect((await api.get<EndpointBody>(inUse(id))).body.disabledReason).toBe('by_request');
      const since = new Date(Date.now() - 60_000).toISOString();
      const missed = [await fail(), await fail()];
      expect((await api.post(`${inUse(id)}/recover`, { since })).status).toBe(409);

      const counted = await api.post<ResendOrder>(`${inUse(id)}/recover`, { since, dryRun: true });
      expect([counted.status, counted.body]).toEqual([202, { count: 2, superseded: 0, resendId: null }]);
      const { body: back } = await api.call<ReenabledBody>('PATCH', inUse(id), { body: { enabled: true } });
      expect(back).toMatchObject({ enabled: true, disabledReason: null, disabledAt: null, pausedUntil: null });
      expect(back.reenabled).toMatchObject({ ping: { delivered: true, statusClass: '2xx' }, missed: { count: 2 } });
      const { path: offered, body: asked } = back.reenabled.missed.recover;
      const recovered = await api.post<ResendOrder>(offered, asked);
      expect([recovered.status, recovered.body.count]).toEqual([202, 2]);
      const came = await at(path, 3);
      expect(came.map(({ body }) => body.event)).toEqual(['webhook.test', 'recovery.failed', 'recovery.failed']);
      expect(new Set(came.slice(1).map(({ body }) => body.revtainTransactionId))).toEqual(new Set(missed));
      await deliveryThat(({ status }) => status === 'delivered', `?transactionId=${missed[1]}`);
      expect((await api.post<ResendOrder>(`${inUse(id)}/recover`, { since })).body).toEqual({
        ...{ count: 0, superseded: 0, resendId: null },
      });

      const { resendId } = recovered.body;
      expect((await deliveries(`?resendId=${resendId}`)).map(({ event }) => event)).toEqual(
        Array(2).fill('recovery.failed'),
      );
      const progress = `/api/webhook-deliveries/resends/${resendId}`;
      await until(progress, ({ status }) => status === 'done');
      expect((await api.get(progress)).body).toMatchObject({
        kind: 'missed',
        total: 2,
        queued: 2,
        delivered: 2,
        failed: 0,
      });
      expect((await api.get<Page<{ id: string }>>('/api/webhook-deliveries/resends')).body.data).toMatchObject([
        { id: resendId },
      ]);
      expect((await stranger.get(progress)).status).toBe(404);
    });

    it('says that the test failed when it enables an endpoint that is still down', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path);
      await api.call('PATCH', inUse(id), { body: { enabled: false } });
      receiver.answer(path, { status: 500 });
      const { body } = await api.call<ReenabledBody>('PATCH', inUse(id), { body: { enabled: true } });
      expect(body).toMatchObject({
        enabled: true,
        reenabled: { ping: { delivered: false, statusClass: '5xx' }, missed: { count: 0 } },
      });
    });

    it('redelivers many by a filter, counted first, and sums the log up', async () => {
      const path = newPath();
      await addEndpoint(path);
      await fail();
      await fail();
      await at(path, 2);
      await until(
        '/api/webhook-deliveries/summary',
        ({ byStatus }) => (byStatus as { delivered: number }).delivered === 2,
      );
      const filter = { event: 'recovery.failed', status: 'delivered' };
      const counted = await api.post<ResendOrder>('/api/webhook-deliveries/redeliver', { ...filter, dryRun: true });
      expect(counted.body).toEqual({ count: 2, superseded: 0, resendId: null });
      const ordered = await api.post<ResendOrder>('/api/webhook-deliveries/redeliver', filter);
      expect([ordered.status, ordered.body.count]).toEqual([202, 2]);
      const came = await at(path, 4);
      expect(new Set(came.map(({ body }) => body.id)).size).toBe(2);
      expect((await api.post('/api/webhook-deliveries/redeliver', {})).status).toBe(400);
      expect((await api.post('/api/webhook-deliveries/redeliver', { status: 'held' })).status).toBe(400);
    });

    it('counts the messages that a late payment has prevented', async () => {
      await addEndpoint(newPath());
      const before = await api.get<{ messagesPrevented: number }>('/api/webhook-deliveries/summary');
      expect(before.body.messagesPrevented).toBe(0);
      const named = { reference: `inv_${++names}`, idempotencyKey: `key_${names}` };
      const body = {
        paymentMethodToken: 'pm_test_insufficient_funds_x2',
        amount: 2_500,
        ...named,
        policy: { attemptsMax: 1 },
      };
      const failed = await api.post<{ transactionId: string; status: string }>('/api/recovery/execute', body);
      await deliveryThat(({ status }) => status === 'held', `?transactionId=${failed.body.transactionId}`);
      const again = { ...body, paymentMethodToken: 'pm_card_visa', idempotencyKey: `key_${++names}` };
      expect((await api.post<{ status: string }>('/api/recovery/execute', again)).body.status).toBe('succeeded');
      await deliveryThat(({ status }) => status === 'superseded', `?transactionId=${failed.body.transactionId}`);
      const { body: summary } = await api.get<{ messagesPrevented: number; byStatus: object }>(
        '/api/webhook-deliveries/summary',
      );
      expect(summary).toMatchObject({ messagesPrevented: 1, byStatus: { superseded: 1, exhausted: 0 } });
      const past = '?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z';
      expect((await api.get(`/api/webhook-deliveries/summary${past}`)).body).toMatchObject({ messagesPrevented: 0 });
    });

    it('redelivers neither around a hold nor what a payment made untrue', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path, { events: ['recovery.failed'] });
      const body = {
        ...{ paymentMethodToken: 'pm_test_insufficient_funds_x2', amount: 2_500, policy: { attemptsMax: 1 } },
        ...{ reference: `inv_${++names}`, idempotencyKey: `key_${names}` },
      };
      await api.post('/api/recovery/execute', body);
      const held = await deliveryThat(({ status }) => status === 'held');
      const again = await api.post<DeliveryBody>(`/api/webhook-deliveries/${held.id}/redeliver`);
      expect([again.status, again.body.status]).toEqual([202, 'held']);

      await api.call('PATCH', inUse(id), { body: { enabled: false } });
      const paid = { ...body, paymentMethodToken: 'pm_card_visa', idempotencyKey: `key_${++names}` };
      expect((await api.post<{ status: string }>('/api/recovery/execute', paid)).body.status).toBe('succeeded');
      await api.call('PATCH', inUse(id), { body: { enabled: true } });
      const late = await api.post<Problem>(`/api/webhook-deliveries/${held.id}/redeliver`);
      expect([late.status, late.body.code]).toEqual([409, 'superseded']);
      expect(receiver.at(path).map((each) => each.body.event)).toEqual(['webhook.test']);
    });

    it('stops for an endpoint that is deleted, and keeps the log', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path);
      receiver.answer(path, { status: 500, headers: { 'Retry-After': '3600' } });
      await fail();
      const { id: deliveryId } = await deliveryThat(({ lastStatus }) => lastStatus === 500);
      await api.call('DELETE', inUse(id));
      expect((await api.get(inUse(id))).status).toBe(404);
      expect((await deliveries()).map(({ status }) => status)).toEqual(['endpoint_deleted']);
      const refused = await api.post<Problem>(`/api/webhook-deliveries/${deliveryId}/redeliver`);
      expect([refused.status, refused.body.code]).toEqual([409, 'endpoint_not_enabled']);
    });

    it('disables an endpoint that answers 410, and takes up again what was parked', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path, { events: ['recovery.failed'] });
      receiver.answer(path, { status: 410 });
      await fail();
      await deliveryThat(({ status }) => status === 'endpoint_disabled');
      expect((await api.get<EndpointBody>(inUse(id))).body).toMatchObject({ enabled: false, disabledReason: 'gone' });
      await api.call('PATCH', inUse(id), { body: { enabled: true } });
      const { body } = await api.post<{ count: number }>(`${inUse(id)}/recover`, { since: '2026-01-01T00:00:00Z' });
      expect(body.count).toBe(1);
      await deliveryThat(({ event, status }) => event === 'recovery.failed' && status === 'delivered');
    });
  });

  describe('secrets', () => {
    it('signs with both secrets during an overlap, the plain header with the old one', async () => {
      const path = newPath();
      const { id, secret: old } = await addEndpoint(path);
      const rotated = await api.post<{ secret: string; previousSecretUntil: string | null }>(
        `${inUse(id)}/rotate-secret`,
      );
      expect(new Date(rotated.body.previousSecretUntil ?? 0).getTime() - Date.now()).toBeGreaterThan(86_000_000);
      await fail();
      const [webhook] = await at(path);
      if (!webhook) throw new Error('nothing came');
      assertSigned(webhook, old);
      expect(String(webhook.headers['webhook-signature']).split(' ')).toHaveLength(2);
      expect(() => assertSigned(webhook, rotated.body.secret)).toThrow('X-Revtain-Signature');
    });

    it('drops the old secret at once without an overlap', async () => {
      const path = newPath();
      const { id } = await addEndpoint(path);
      const { body } = await api.post<{ secret: string; previousSecretUntil: null }>(`${inUse(id)}/rotate-secret`, {
        overlapHours: 0,
      });
      expect(body.previousSecretUntil).toBeNull();
      await fail();
      const [webhook] = await at(path);
      if (!webhook) throw new Error('nothing came');
      assertSigned(webhook, body.secret);
      expect(String(webhook.headers['webhook-signature']).split(' ')).toHaveLength(1);
    });

    it('refuses a second overlap while one runs, and ends both secrets without one', async () => {
      const path = newPath();
      const { id, secret: oldest } = await addEndpoint(path);
      const first = await api.post<{ previousSecretUntil: string }>(`${inUse(id)}/rotate-secret`);
      const second = await api.post<{ detail: string }>(`${inUse(id)}/rotate-secret`, { overlapHours: 1 });
      expect(second).toMatchObject({ status: 409, body: { code: 'rotation_running' } });
      expect(second.body.detail).toContain(first.body.previousSecretUntil);
      await fail();
      const [webhook] = await at(path);
      if (!webhook) throw new Error('nothing came');
      assertSigned(webhook, oldest);
      const third = await api.post<{ secret: string }>(`${inUse(id)}/rotate-secret`, { overlapHours: 0 });
      expect(third).toMatchObject({ status: 200, body: { previousSecretUntil: null } });
      await fail();
      const [, after] = await at(path, 2);
      if (!after) throw new Error('nothing came');
      assertSigned(after, third.body.secret);
    });

    it.each([-1, 169, 1.5, '24', null])('refuses an overlap of %j hours', async (overlapHours) => {
      const { id } = await addEndpoint(newPath());
      expect((await api.post(`${inUse(id)}/rotate-secret`, { overlapHours })).status).toBe(400);
    });
  });

  describe('a ping', () => {
    it('is a signed webhook.test, answered with the class of the status', async () => {
      const path = newPath();
      const { id, secret } = await addEndpoint(path);
      const { body } = await api.post(`${inUse(id)}/ping`);
      expect(body).toMatchObject({ delivered: true, statusClass: '2xx', error: null });
      const [webhook] = await at(path);
      if (!webhook) throw new Error('nothing came');
      assertSigned(webhook, secret);
      expect(webhook.body).toMatchObject({ event: 'webhook.test', id: body['eventId'] });
      expect(webhook.headers).not.toHaveProperty('x-revtain-sequence');
      expect(await deliveries('?event=webhook.test')).toMatchObject([
        { status: 'delivered', transactionId: null, tryCount: 1 },
      ]);
    });

    it('tells no status and no cause, so that it is no port scanner', async () => {
      const { id } = await addEndpoint(newPath());
      await api.call('PATCH', inUse(id), { body: { url: 'http://127.0.0.1:1/' } });
      expect((await api.post(`${inUse(id)}/ping`)).body).toMatchObject({
        delivered: false,
        statusClass: null,
        error: 'could not connect',
      });
      const path = newPath();
      await api.call('PATCH', inUse(id), { body: { url: receiver.url(path) } });
      receiver.answer(path, { status: 418 });
      const { body, bytes } = await api.post(`${inUse(id)}/ping`);
      expect(body).toMatchObject({ delivered: false, statusClass: '4xx', error: null });
      expect(bytes.toString()).not.toContain('418');
    });
  });

  it('refuses keys that may not steer webhooks', async () => {
    const publishable = new Api(app.url, { 'x-api-key': client.publishableKey });
    expect((await publishable.get('/api/webhook-endpoints')).status).toBe(403);
    expect((await publishable.get('/api/webhook-deliveries')).status).toBe(403);
    expect((await new Api(app.url).get('/api/webhook-endpoints')).status).toBe(401);
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { startTestApp, type TestApp, type TestClient } from '../support/app.js';

const FULL = {
  name: 'Acme',
  gateway: { provider: 'test' },
  billingCycleDay: 15,
  timezone: 'Europe/Berlin',
  dunningEnabled: false,
  notificationChannels: ['WEBHOOK', 'EMAIL', 'SMS'],
  alertWebhookUrl: 'https://acme.example/alerts',
  alertEmails: ['billing@acme.example'],
  alertPhones: ['+4930123456'],
  cardUpdateDomain: 'pay.acme.example',
  brandName: 'Acme',
  brandLogoUrl: 'https://acme.example/logo.svg',
  brandPrimaryColor: '#1A73E8',
  defaultCurrency: 'EUR',
  locale: 'de-AT',
  duplicateRequests: 'reject',
  customerActionHoldMinutes: 5,
  mode: 'observe',
  repairCallbackUrl: 'http://127.0.0.1:4000/repair',
  holdoutPercent: 10,
  executesPerMinute: 1000,
  policy: { preset: 'patient', attemptsMax: 8, firstCharge: 'scheduled' },
};

describe('clients and their keys', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startTestApp();
  });
  afterAll(() => app.stop());

  const admin = (method: 'get' | 'post' | 'patch' | 'delete', path: string) =>
    app.http()[method](path).set('x-admin-key', app.adminKey);
  const as = (key: string, method: 'get' | 'post' | 'patch' | 'delete', path: string) =>
    app.http()[method](path).set('x-api-key', key);

  describe('making a client', () => {
    it('answers with each secret once, and every setting at its default', async () => {
      const answer = await admin('post', '/api/clients').send({
        name: 'Acme',
        gateway: { provider: 'test' },
        webhookUrl: 'http://127.0.0.1:4000/hook',
      });
      expect(answer.status).toBe(201);
      expect(answer.body).toMatchObject({
        clientId: expect.stringMatching(/^cli_[0-9A-HJKMNP-TV-Z]{26}$/),
        apiKey: expect.stringMatching(/^rev_[A-Za-z0-9_-]{32}$/),
        publishableKey: expect.stringMatching(/^rev_pk_[A-Za-z0-9_-]{32}$/),
        webhookSigningSecret: expect.stringMatching(/^whsec_/),
        gateway: { provider: 'test' },
        livemode: false,
        billingCycleDay: null,
        timezone: null,
        dunningEnabled: true,
        defaultCurrency: 'USD',
        duplicateRequests: 'replay',
        customerActionHoldMinutes: 30,
        mode: 'recover',
        holdoutPercent: 0,
        executesPerMinute: 60,
        policy: {},
        warnings: [],
      });
      const { clientId, connectorUrls } = answer.body as TestClient;
      expect(connectorUrls['stripe-billing']).toBe(`${app.url}/api/connectors/stripe-billing/webhook/${clientId}`);
    });

    it('says of a mode other than recover that it does not keep an execute from charging, when made, read or changed', async () => {
      const made = await app.createClient({ mode: 'observe' });
      const path = `/api/clients/${made.clientId}`;
      const warned = (mode: string) => [
        expect.stringMatching(new RegExp(`^mode: ${mode} has no effect on execute yet`)),
      ];
      expect(made).toMatchObject({ warnings: warned('observe') });
      expect((await admin('get', path)).body).toMatchObject({ warnings: warned('observe') });
      expect((await as(made.apiKey, 'patch', path).send({ mode: 'fill' })).body).toMatchObject({
        warnings: warned('fill'),
      });
      expect((await as(made.apiKey, 'patch', path).send({ mode: 'recover' })).body).toMatchObject({ warnings: [] });
    });

    it('stores every setting as it was given, and says what the mode does not do and the channels lack', async () => {
      const made = await admin('post', '/api/clients').send(FULL);
      const body = made.body as TestClient & { warnings: string[] };
      expect(made.status).toBe(201);
      expect(body).toMatchObject(FULL);
      expect(body.warnings).toEqual([
        expect.stringMatching(/^mode: observe has no effect on execute yet/),
        'EMAIL: SMTP_URL is not set',
        'EMAIL: ALERT_FROM is not set',
        'SMS: TWILIO_ACCOUNT_SID is not set',
        'SMS: TWILIO_AUTH_TOKEN is not set',
        'SMS: TWILIO_FROM is not set',
      ]);
      const { clientId } = body;
      const read = await admin('get', `/api/clients/${clientId}`);
      expect(read.body).toMatchObject(FULL);
      expect(JSON.stringify(read.body)).not.toMatch(/rev_|whsec_|sk_/);
    });

    it.each([
      ['name', undefined, 'missing_field'],
      ['name', '', 'invalid_field'],
      ['gateway', undefined, 'missing_field'],
      ['gateway', 'test', 'invalid_field'],
      ['gateway.provider', { provider: 'paypal' }, 'invalid_field'],
      ['gateway.secretKey', { provider: 'stripe' }, 'missing_field'],
      ['gateway.secretKey', { provider: 'stripe', secretKey: 'pk_live_1' }, 'invalid_field'],
      ['gateway.secretKey', { provider: 'stripe', secretKey: 'sk_test_…' }, 'invalid_field'],
      [
        'gateway.webhookSecret',
        { provider: 'stripe', secretKey: 'sk_test_1', webhookSecret: 'whsec_…' },
        'invalid_field',
      ],
      ['gateway.secretKey', { provider: 'test', secretKey: 'sk_test_1' }, 'invalid_field'],
      ['gateway.webhookSecret', { provider: 'stripe', secretKey: 'sk_test_1', webhookSecret: 'x' }, 'invalid_field'],
      ['billingCycleDay', 32, 'invalid_field'],
      ['billingCycleDay', 1.5, 'invalid_field'],
      ['timezone', 'Europe/Nowhere', 'invalid_field'],
      ['dunningEnabled', 'yes', 'invalid_field'],
      ['notificationChannels', ['PIGEON'], 'invalid_field'],
      ['alertWebhookUrl', 'ftp://acme.example', 'invalid_field'],
      ['alertWebhookUrl', 'https://10.0.0.1/', 'invalid_field'],
      ['alertWebhookUrl', 'https://user:secret@acme.example/', 'invalid_field'],
      ['alertEmails', ['nobody'], 'invalid_field'],
      ['alertEmails', ['a@b.example\r\nBcc: x@y.example'], 'invalid_field'],
      ['alertPhones', ['030 123'], 'invalid_field'],
      ['cardUpdateDomain', 'https://pay.example', 'invalid_field'],
      ['brandName', '', 'invalid_field'],
      ['brandLogoUrl', 'javascript:alert(1)', 'invalid_field'],
      ['brandPrimaryColor', 'red', 'invalid_field'],
      ['defaultCurrency', 'usd', 'invalid_field'],
      ['defaultCurrency', 'XXQ', 'invalid_field'],
      ['locale', 'not a locale', 'invalid_field'],
      ['duplicateRequests', 'ignore', 'invalid_field'],
      ['customerActionHoldMinutes', -1, 'invalid_field'],
      ['mode', 'attack', 'invalid_field'],
      ['repairCallbackUrl', 'http://acme.example', 'invalid_field'],
      ['holdoutPercent', 51, 'invalid_field'],
      ['executesPerMinute', 0, 'invalid_field'],
      ['executesPerMinute', 1_000_001, 'invalid_field'],
      ['policy.preset', { preset: 'reckless' }, 'invalid_field'],
      ['policy.attemptsMax', { attemptsMax: 9 }, 'invalid_field'],
      ['policy.deadlineAt', { deadlineAt: '2026-12-01T00:00:00Z' }, 'unknown_field'],
      ['isAdmin', true, 'unknown_field'],
      ['id', 'cli_1', 'unknown_field'],
      ['clockOffsetMs', 5, 'unknown_field'],
    ])('refuses a wrong %s and makes nothing', async (field, value, code) => {
      const before = (await admin('get', '/api/clients?limit=200')).text;
      const [name = ''] = field.split('.');
      const body: Record<string, unknown> = { name: 'Acme', gateway: { provider: 'test' }, [name]: value };
      const answer = await admin('post', '/api/clients').send(body);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({ code, errors: [{ field, code, accepted: expect.stringMatching(/./) }] });
      expect((await admin('get', '/api/clients?limit=200')).text).toBe(before);
    });

    it('tells test from live by the key', async () => {
      const make = async (secretKey: string) =>
        (await admin('post', '/api/clients').send({ name: 'S', gateway: { provider: 'stripe', secretKey } })).body as {
          livemode: boolean;
        };
      expect((await make('sk_live_1')).livemode).toBe(true);
      expect((await make('rk_test_1')).livemode).toBe(false);
    });
  });

  describe('who may ask', () => {
    it('takes the admin key only for making and listing clients', async () => {
      const { apiKey } = await app.createClient();
      for (const request of [app.http().get('/api/clients'), as(apiKey, 'get', '/api/clients')]) {
        expect((await request).status).toBe(401);
      }
      const wrong = await app.http().post('/api/clients').set('x-admin-key', 'adm_wrong').send({});
      expect(wrong.body).toMatchObject({ status: 401, code: 'unauthorized' });
    });

    it('gives one and the same answer for a missing, an unknown, a malformed and a revoked key', async () => {
      const { clientId } = await app.createClient();
      const path = `/api/clients/${clientId}`;
      const made = await admin('post', `${path}/keys`).send({ kind: 'secret' });
      const { apiKey, keyId } = made.body as { apiKey: string; keyId: string };
      expect((await as(apiKey, 'get', path)).status).toBe(200);
      expect((await admin('delete', `${path}/keys/${keyId}`)).status).toBe(204);
      const answers = await Promise.all([
        app.http().get(path),
        as(`rev_${'A'.repeat(32)}`, 'get', path),
        as('nonsense', 'get', path),
        as(apiKey, 'get', path),
        app.http().get(path).set('authorization', 'Basic abc'),
      ]);
      const told = answers.map(({ status, body }) => ({ status, ...(body as object), requestId: '' }));
      expect(new Set(told.map((each) => JSON.stringify(each))).size).toBe(1);
      expect(told[0]).toMatchObject({ status: 401, code: 'unauthorized' });
    });

    it('takes a key as a bearer too', async () => {
      const { clientId, apiKey } = await app.createClient();
      const answer = await app.http().get(`/api/clients/${clientId}`).set('authorization', `Bearer ${apiKey}`);
      expect(answer.body).toMatchObject({ clientId });
    });

    it('asks who calls before it reads the body', async () => {
      const { clientId } = await app.createClient();
      const answer = await app
        .http()
        .patch(`/api/clients/${clientId}`)
        .set('content-type', 'text/plain')
        .send('{broken');
      expect(answer.status).toBe(401);
    });

    it('refuses publishable and effects keys with 403', async () => {
      const { clientId, publishableKey } = await app.createClient();
      const path = `/api/clients/${clientId}`;
      const made = await admin('post', `${path}/keys`).send({ kind: 'effects', name: 'backend' });
      const { apiKey } = made.body as { apiKey: string };
      expect(apiKey).toMatch(/^rev_fx_[A-Za-z0-9_-]{32}$/);
      for (const key of [publishableKey, apiKey]) {
        expect((await as(key, 'get', path)).body).toMatchObject({ status: 403, code: 'key_not_allowed' });
      }
    });

    it('answers 404 for another client’s ids, on every route', async () => {
      const mine = await app.createClient();
      const theirs = await app.createClient();
      const keys = await admin('get', `/api/clients/${theirs.clientId}/keys`);
      const [key] = (keys.body as { data: { keyId: string }[] }).data;
      const path = `/api/clients/${theirs.clientId}`;
      const answers = await Promise.all([
        as(mine.apiKey, 'get', path),
        as(mine.apiKey, 'patch', path).send({ name: 'Mine now' }),
        as(mine.apiKey, 'get', `${path}/keys`),
        as(mine.apiKey, 'post', `${path}/keys`).send({ kind: 'secret' }),
        as(mine.apiKey, 'delete', `${path}/keys/${key?.keyId ?? ''}`),
        as(mine.apiKey, 'delete', `/api/clients/${mine.clientId}/keys/${key?.keyId ?? ''}`),
      ]);
      for (const { body } of answers) expect(body).toMatchObject({ status: 404, code: 'not_found' });
    });
  });

  describe('changing a client', () => {
    it('changes what is named, keeps the rest, and clears what is null', async () => {
      const { clientId, apiKey } = await app.createClient({ timezone: 'Europe/Berlin', brandName: 'Acme' });
      const path = `/api/clients/${clientId}`;
      const changed = await as(apiKey, 'patch', path).send({ timezone: null, policy: { preset: 'fast' } });
      expect(changed.status).toBe(200);
      expect((await admin('get', path)).body).toMatchObject({
        timezone: null,
        brandName: 'Acme',
        policy: { preset: 'fast' },
      });
    });

    it('refuses to change nothing, the gateway’s kind, or the mode of its key', async () => {
      const made = await admin('post', '/api/clients').send({
        name: 'S',
        gateway: { provider: 'stripe', secretKey: 'sk_live_1' },
      });
      const path = `/api/clients/${(made.body as TestClient).clientId}`;
      const send = async (fields: object) => (await admin('patch', path).send(fields)).body as object;
      expect(await send({})).toMatchObject({ status: 400, code: 'missing_field' });
      expect(await send({ gateway: { provider: 'test' } })).toMatchObject({ errors: [{ field: 'gateway.provider' }] });
      expect(await send({ gateway: { provider: 'stripe', secretKey: 'sk_test_1' } })).toMatchObject({
        errors: [{ field: 'gateway.secretKey' }],
      });
      expect(await send({ gateway: { provider: 'stripe', secretKey: 'rk_live_2' } })).toMatchObject({ livemode: true });
    });

    it('answers 404 for a client that is not', async () => {
      const path = '/api/clients/cli_01KB5Z7M3QG8T2V4XW6Y9ACDEF';
      expect((await admin('get', path)).status).toBe(404);
      expect((await admin('patch', path).send({ name: 'x' })).status).toBe(404);
      expect((await admin('post', `${path}/keys`).send({ kind: 'secret' })).status).toBe(404);
    });
  });

  it('lists clients newest first, page by page', async () => {
    for (let count = 0; count < 3; count += 1) await app.createClient();
    const all: string[] = [];
    let after = '';
    for (;;) {
      const answer = await admin('get', `/api/clients?limit=2${after}`);
      const page = answer.body as { data: { clientId: string }[]; hasMore: boolean; nextAfter: string | null };
      all.push(...page.data.map(({ clientId }) => clientId));
      if (!page.hasMore) break;
      after = `&after=${page.nextAfter ?? ''}`;
    }
    expect(all).toEqual([...new Set(all)].sort().reverse());
    expect(all.length).toBeGreaterThanOrEqual(3);
    expect((await admin('get', '/api/clients?after=cli_x')).body).toMatchObject({ code: 'invalid_cursor' });
  });

  it('shows keys by their ends and their last use, never themselves', async () => {
    const { clientId, apiKey } = await app.createClient();
    const path = `/api/clients/${clientId}/keys`;
    await as(apiKey, 'get', path);
    await as(apiKey, 'get', path);
    const answer = await admin('get', path);
    expect(answer.text).not.toContain(apiKey);
    const { data } = answer.body as { data: { kind: string; hint: string; lastUsedAt: string | null }[] };
    const secret = data.find(({ kind }) => kind === 'secret');
    expect(secret).toMatchObject({ hint: `rev_…${apiKey.slice(-4)}`, lastUsedAt: expect.stringMatching(/Z$/) });
    expect(data.find(({ kind }) => kind === 'publishable')?.lastUsedAt).toBeNull();
  });

  it('keeps no key and no secret in clear text, neither in the database nor in the log', async () => {
    const secretKey = 'sk_live_canary_of_the_test';
    const webhookSecret = 'whsec_canary_of_the_test';
    const gateway = { provider: 'stripe', secretKey, webhookSecret };
    const answer = await admin('post', '/api/clients').send({
      name: 'S',
      gateway,
      webhookUrl: 'http://127.0.0.1:4000/',
    });
    const made = answer.body as TestClient;
    const dump = await dumpOf(app.database.url);
    for (const secret of [
      secretKey,
      webhookSecret,
      made.apiKey,
      made.publishableKey,
      made.webhookSigningSecret ?? '?',
    ]) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(Buffer.from(secret).toString('hex'));
      expect(app.logLines.join('')).not.toContain(secret);
    }
    expect(app.logLines.join('')).not.toContain(app.adminKey);
  });
});

/** Every row of every table, as text. */
async function dumpOf(connectionString: string): Promise<string> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const texts: string[] = [];
    for (const { name } of rows) {
      const { rows: found } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`);
      texts.push(...found.map(({ text }) => text));
    }
    return texts.join('\n');
  } finally {
    await client.end();
  }
}

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { GatewayWebhookSecrets } from '../../src/clients/gateway-webhook-secrets.service.js';
import { InboxStore } from '../../src/connectors/inbox-store.js';
import { UnsubscribeTokens } from '../../src/alerts/unsubscribe-tokens.js';
import { Database } from '../../src/platform/db/database.js';
import { Orm } from '../../src/platform/db/orm.js';
import { contractChecker, type Route } from '../support/contract.js';
import { createTestDatabase } from '../support/database.js';
import { ask, exampleBody, pathOf, provoke, routesWith, type Sent, type Told } from '../support/documented-routes.js';
import { saveCard } from '../support/card-update.js';
import { type Merchant, unique } from '../support/merchant.js';
import { routesOf, routesOfTree } from '../support/route-list.js';
import { severable, type SeverableDatabase } from '../support/severed-database.js';
import { SECRET, stripeSignature } from '../support/stripe-events.js';
import { permit, platformStripe, type PlatformStripe } from '../support/stripe-platform.js';
import { World } from '../support/story.js';

const checker = contractChecker();
let database: SeverableDatabase;
let world: World;
let merchant: Merchant;
let stripe: PlatformStripe;
let publishableKey: string;

const asMerchant = (key = merchant.account.apiKey) => ({ 'x-api-key': key });
const asOperator = () => ({ 'x-admin-key': world.app.adminKey });
const MIB = 1024 * 1024;
const TAKES_EVENTS = ['/api/connectors/{platform}/webhook/{clientId}', '/webhooks/stripe'];
const OPERATORS = [
  '/api/clients',
  '/api/verify',
  '/api/audit/verify',
  '/api/audit/checkpoints',
  '/api/audit/links/{clientId}/{number}',
];
const asOwner = ({ path }: Route) => (OPERATORS.includes(path) ? asOperator() : asMerchant());

const NOBODYS_CLIENT = `?clientId=cli_${'0'.repeat(26)}`;
const QUERIES_OF_NOBODY: Readonly<Record<string, string>> = {
  '/api/recovery/status': '?idempotencyKey=nobody',
  '/api/connectors/stripe': NOBODYS_CLIENT,
  '/api/connectors/stripe/connect': NOBODYS_CLIENT,
  '/api/connectors/stripe/connection': NOBODYS_CLIENT,
};

/** Sends to a documented route: as one who may call it, a body that it takes, parameters that name only this client. */
function send(route: Route, sent: Sent = {}, query = ''): Promise<Told> {
  const path = pathOf(route.path, { clientId: merchant.clientId, platform: 'stripe-billing' });
  return ask(
    world.app.url,
    { ...route, path: path + query },
    { ...exampleBody(route), headers: asOwner(route), ...sent },
  );
}

beforeAll(async () => {
  database = await severable(await createTestDatabase());
  stripe = await platformStripe();
  world = await World.start({ database, settings: stripe.settings });
  merchant = await world.merchant({ gateway: { provider: 'test', webhookSecret: SECRET } });
  await world.merchant(); // With several clients, /webhooks/stripe knows none.
  const keys = { method: 'POST', path: `/api/clients/${merchant.clientId}/keys` };
  const key = await ask(world.app.url, keys, { headers: asOperator(), body: { kind: 'publishable' } });
  publishableKey = String(key.body['apiKey']);
});

afterAll(async () => {
  world.expectErrors();
  await world.stop();
  await stripe.own.stop();
  await database.drop();
});

describe('the routes of the running app', () => {
  it('are those of openapi.yaml, neither more nor fewer', () => {
    const written = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
    const running = routesOf(world.app.service.app).map(written).sort();
    expect(running).toEqual(checker.routes().map(written).sort());
  });

  it('are read from the tree that Fastify prints', () => {
    const tree =
      '├── /docs (GET)\n│   └── /:asset (GET)\n└── /api/clients (POST, GET)\n    └── /:clientId (GET, PATCH)\n';
    expect(routesOfTree(tree).map(({ method, path }) => `${method} ${path}`)).toEqual([
      ...['GET /docs', 'GET /docs/{asset}', 'POST /api/clients', 'GET /api/clients'],
      ...['GET /api/clients/{clientId}', 'PATCH /api/clients/{clientId}'],
    ]);
    expect(() => routesOfTree('something else')).toThrow('is not understood');
  });
});

describe('the refusals that each route documents', () => {
  it('401 without a key', async () => {
    expect(routesWith('401').length).toBeGreaterThan(25);
    expect(await provoke('401', (route) => send(route, { headers: {} }))).toEqual([]);
  });

  it('403 with a publishable key', async () => {
    expect(await provoke('403', (route) => send(route, { headers: asMerchant(publishableKey) }))).toEqual([]);
  });

  it('404 for ids that name nothing', async () => {
    const sendToNobody = (route: Route) => {
      const path = route.path.includes('{keyId}')
        ? pathOf(route.path, { clientId: merchant.clientId })
        : pathOf(route.path);
      const query = QUERIES_OF_NOBODY[route.path] ?? '';
      return ask(world.app.url, { ...route, path: path + query }, { ...exampleBody(route), headers: asOwner(route) });
    };
    expect(await provoke('404', sendToNobody)).toEqual([]);
  });

  it('400 for a card number in a query', async () => {
    expect(await provoke('400', (route) => send(route, {}, '?note=4242%204242%204242%204242'))).toEqual([]);
  });

  it('400 for a body with a field that does not exist', async () => {
    const taking = routesWith('400').filter((route) => 'body' in exampleBody(route));
    expect(taking.length).toBeGreaterThan(15);
    expect(await provoke('400', (route) => send(route, { body: { surprise: 1 } }), taking)).toEqual([]);
  });

  it('413 for a body over 64 KiB, 1 MiB for an event, 4 MiB for a batch', async () => {
    const sendTooMuch = (route: Route) => {
      const bytes = route.path.endsWith('/batch') ? 4 * MIB : TAKES_EVENTS.includes(route.path) ? MIB : 64 * 1024;
      return send(route, { raw: JSON.stringify('a'.repeat(bytes)) });
    };
    expect(await provoke('413', sendTooMuch)).toEqual([]);
  });

  it('415 for a body of another type, and for one that is compressed', async () => {
    const sendText = (route: Route) => {
      const other = TAKES_EVENTS.includes(route.path)
        ? { 'content-encoding': 'gzip' }
        : { 'content-type': 'text/plain' };
      return send(route, { raw: '{}', headers: { ...asOwner(route), ...other } });
    };
    expect(await provoke('415', sendText)).toEqual([]);
  });

  it('500 for a fault of ours, without a word of it', async () => {
    const { app } = world.app.service;
    const [database, orm] = [app.get(Database), app.get(Orm)];
    const fault = () => Promise.reject(new Error('a fault of ours'));
    app.get(GatewayWebhookSecrets).forget(merchant.clientId);
    const faults = [
      ...(['query', 'flight', 'transaction'] as const).map((name) =>
        jest.spyOn(database, name).mockImplementation(fault),
      ),
      ...(['tenant', 'worker'] as const).map((name) => jest.spyOn(orm, name).mockImplementation(fault)),
    ];
    try {
      expect(await provoke('500', (route) => send(route))).toEqual([]);
    } finally {
      for (const spy of faults) spy.mockRestore();
    }
  });

  it('503 while the database is away', async () => {
    world.app.service.app.get(GatewayWebhookSecrets).forget(merchant.clientId);
    await database.cut();
    try {
      expect(await provoke('503', (route) => send(route))).toEqual([]);
    } finally {
      await database.mend();
    }
  });
});

describe('what each route answers when all is well, and what stands in its way', () => {
  /** Sends with the merchant's key and expects one status. */
  async function answered(
    status: number,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = asMerchant(),
  ) {
    const told = await ask(world.app.url, { method, path }, { headers, ...(body === undefined ? {} : { body }) });
    expect({ method, path, ...told }).toMatchObject({ method, path, status });
    return told.body;
  }
  const charge = (more: object = {}) => merchant.request({ ...more });
  const queued = { originalDeclineCode: 'insufficient_funds' };

  /** A recovery that is queued, whose card would answer as the token says. */
  async function waiting(paymentMethodToken = 'pm_card_visa'): Promise<string> {
    const body = await answered(202, 'POST', '/execute', charge({ ...queued, paymentMethodToken }));
    return `/api/recovery/${String(body['transactionId'])}`;
  }

  /** A recovery whose charge has lost its answer. */
  async function lost(fault: string): Promise<string> {
    const body = await answered(202, 'POST', '/execute', charge({ paymentMethodToken: `pm_test_fault_${fault}` }));
    return `/api/recovery/${String(body['transactionId'])}`;
  }

  it.each(['/api/recovery/execute', '/execute'])('%s', async (path) => {
    const first = charge();
    await answered(200, 'POST', path, first);
    await answered(202, 'POST', path, charge(queued));
    await answered(403, 'POST', path, charge({ originalDeclineCode: 'stolen_card' }));
    await answered(409, 'POST', path, { ...first, amount: 2600 });
    const slow = await world.merchant({ executesPerMinute: 1 });
    await answered(200, 'POST', path, charge(), asMerchant(slow.account.apiKey));
    await answered(429, 'POST', path, charge(), asMerchant(slow.account.apiKey));
  });

  it('batch', async () => {
    const wrong = { ...charge(), idempotencyKey: undefined };
    const items = [charge(), charge(queued), wrong];
    const batch = await answered(200, 'POST', '/api/recovery/execute/batch', { items });
    expect(batch['results']).toMatchObject([{ status: 202 }, { status: 202 }, { status: 400 }]);
  });

  it('plan and pulse', async () => {
    await answered(200, 'POST', '/api/recovery/plan', charge(queued));
    await answered(200, 'POST', '/api/recovery/pulse', { amount: 2500, currency: 'USD' });
  });

  it('reading a recovery', async () => {
    const idempotencyKey = unique('key');
    const body = await answered(200, 'POST', '/execute', charge({ idempotencyKey }));
    const id = String(body['transactionId']);
    await answered(200, 'GET', `/api/recovery/status/${id}`);
    await answered(200, 'GET', `/api/recovery/status?idempotencyKey=${idempotencyKey}`);
    await answered(200, 'GET', '/api/recovery?limit=2');
    await answered(200, 'GET', `/api/recovery/${id}/events`);
  });

  it('cancel', async () => {
    const cancelled = await waiting();
    await answered(200, 'POST', `${cancelled}/cancel`, { reason: 'abandoned' });
    await answered(409, 'POST', `${cancelled}/cancel`, { reason: 'customer_request' });
  });

  it('retry', async () => {
    const paid = await waiting();
    await answered(200, 'POST', `${paid}/retry`, {});
    await answered(409, 'POST', `${paid}/retry`, {});
    await answered(202, 'POST', `${await waiting('pm_test_insufficient_funds')}/retry`, {});
    await answered(403, 'POST', `${await waiting('pm_test_stolen_card')}/retry`, {});
  });

  it('a new payment method', async () => {
    const give = async (status: number, paymentMethodToken: string) =>
      answered(status, 'POST', `${await waiting()}/payment-method`, { paymentMethodToken });
    await give(200, 'pm_card_mastercard');
    await give(202, 'pm_test_do_not_honor');
    await give(403, 'pm_test_pickup_card');
    await answered(409, 'POST', `${await lost('reset_after_charge')}/payment-method`, { paymentMethodToken: 'pm_2' });
  });

  it('an unknown charge waits for its outcome, or for an operator whom the gateway does not contradict', async () => {
    const verdict = { outcome: 'not_executed', evidence: { note: 'not found' } };
    await answered(409, 'POST', `${await lost('reset_after_charge')}/resolve`, verdict);
    const path = await lost('reset_before_charge');
    await answered(409, 'POST', `${path}/resolve`, verdict);
    await world.loseLongAgo(path.split('/').at(-1) ?? '');
    await answered(200, 'POST', `${path}/resolve`, verdict);
  });

  it('the sandbox, for test clients only', async () => {
    const gateway = { provider: 'stripe', secretKey: 'sk_live_contract' };
    const made = await ask(
      world.app.url,
      { method: 'POST', path: '/api/clients' },
      { headers: asOperator(), body: { name: 'Live', gateway } },
    );
    const live = asMerchant(String(made.body['apiKey']));
    const advanceTo = new Date(Date.now() + 60_000).toISOString();
    await answered(200, 'POST', '/api/sandbox/clock', { advanceTo });
    await answered(400, 'POST', '/api/sandbox/clock', { advanceTo: '2026-01-01T00:00:00.000Z' });
    await answered(409, 'POST', '/api/sandbox/clock', { advanceTo }, live);
    await answered(200, 'GET', '/api/sandbox/ledger');
    await answered(409, 'GET', '/api/sandbox/ledger', undefined, live);
  });

  it('clients and keys', async () => {
    const own = `/api/clients/${merchant.clientId}`;
    await ask(world.app.url, { method: 'GET', path: '/api/clients?limit=1' }, { headers: asOperator() });
    await answered(200, 'GET', own);
    await answered(200, 'PATCH', own, { brandName: 'Acme' });
    const key = await answered(201, 'POST', `${own}/keys`, { kind: 'effects' });
    await answered(200, 'GET', `${own}/keys`);
    await answered(204, 'DELETE', `${own}/keys/${String(key['keyId'])}`);
  });

  it('webhook endpoints and deliveries', async () => {
    const url = world.receiver.url('/contract');
    const endpoints = '/api/webhook-endpoints';
    const made = await answered(201, 'POST', endpoints, { url, events: ['recovery.success'] });
    const own = `${endpoints}/${String(made['id'])}`;
    await answered(200, 'GET', endpoints);
    await answered(200, 'GET', own);
    await answered(200, 'PATCH', own, { description: 'contract' });
    await answered(200, 'POST', `${own}/rotate-secret`, { overlapHours: 1 });
    await answered(409, 'POST', `${own}/rotate-secret`, { overlapHours: 1 });
    await answered(200, 'POST', `${own}/ping`, {});
    const since = '2026-01-01T00:00:00.000Z';
    await answered(202, 'POST', `${own}/recover`, { since });
    await answered(200, 'PATCH', own, { enabled: false });
    await answered(409, 'POST', `${own}/recover`, { since });
    await answered(200, 'PATCH', own, { enabled: true });

    const body = await answered(200, 'POST', '/execute', charge());
    await merchant.event(String(body['transactionId']), 'recovery.success');
    const log = await answered(
      200,
      'GET',
      `/api/webhook-deliveries?endpointId=${String(made['id'])}&event=recovery.success`,
    );
    const delivery = `/api/webhook-deliveries/${(log['data'] as { id: string }[])[0]?.id ?? ''}`;
    await answered(200, 'GET', delivery);
    await answered(202, 'POST', `${delivery}/redeliver`, {});
    await answered(200, 'GET', '/api/webhook-deliveries/summary');
    const order = await answered(202, 'POST', '/api/webhook-deliveries/redeliver', { event: 'recovery.success' });
    await answered(200, 'GET', '/api/webhook-deliveries/resends');
    await answered(200, 'GET', `/api/webhook-deliveries/resends/${String(order['resendId'])}`);
    await answered(204, 'DELETE', own);
    await answered(409, 'POST', `${delivery}/redeliver`, {});
    for (let count = 1; count < 10; count += 1) await answered(201, 'POST', endpoints, { url });
    await answered(409, 'POST', endpoints, { url });
  });

  it('alerts: the log, the test button, and its limit', async () => {
    const own = `/api/clients/${merchant.clientId}`;
    await answered(200, 'PATCH', own, { notificationChannels: ['SLACK'] });
    await answered(200, 'GET', `${own}/alerts`);
    await answered(200, 'POST', `${own}/alerts/test`, {});
    await answered(200, 'PATCH', own, { alertSlackUrl: world.receiver.url('/slack') });
    for (let count = 0; count < 6; count += 1) await answered(200, 'POST', `${own}/alerts/test`, {});
    await answered(429, 'POST', `${own}/alerts/test`, {});
    const tokens = world.app.service.app.get(UnsubscribeTokens);
    const { clientId } = merchant;
    const token = tokens.make({ clientId, channel: 'EMAIL', target: 'ops@acme.example', kind: 'late_success' });
    await answered(200, 'GET', `/alerts/unsubscribe/${token}`, undefined, {});
    await answered(200, 'POST', `/alerts/unsubscribe/${token}`, undefined, {});
  });

  it('card updates', async () => {
    const generate = '/api/recovery/update-card/generate';
    const link = await answered(201, 'POST', generate, { paymentMethodToken: 'pm_card_visa' });
    const observing = await world.merchant({ mode: 'observe' });
    const body = { paymentMethodToken: 'pm_card_visa' };
    await answered(409, 'POST', generate, body, asMerchant(observing.account.apiKey));
    const text = `INSERT INTO rate_windows (client_id, key_id, window_start, used)
      SELECT $1, 'card_update.generate', date_trunc('minute', now()) + at * interval '1 minute', 120 FROM generate_series(0, 1) at
      ON CONFLICT (client_id, key_id, window_start) DO UPDATE SET used = 120`;
    await world.database.query(text, [merchant.clientId]);
    await answered(429, 'POST', generate, body);
    const page = `/update-card/${String(link['token'])}`;
    await answered(200, 'GET', page, undefined, {});
    const done = await saveCard({ url: world.app.url + page, token: '', expiresAt: '' });
    for (let count = 1; count < 10; count += 1) await answered(303, 'POST', page, undefined, {});
    await answered(429, 'POST', page, undefined, {});
    await answered(200, 'GET', done.slice(world.app.url.length), undefined, {});
  });

  it('the page of an invoice', async () => {
    const bank = await world.bank(merchant);
    const owing = { ...queued, invoiceId: await bank.openInvoice(), paymentMethodToken: 'pm_card_visa' };
    const invoice = await answered(202, 'POST', '/execute', charge(owing));
    await answered(200, 'GET', `/api/recovery/${String(invoice['transactionId'])}/hosted-invoice`);
    await answered(409, 'GET', `${await waiting()}/hosted-invoice`);
  });

  it('connecting a Stripe account, and ending that', async () => {
    const connection = '/api/connectors/stripe';
    await answered(200, 'GET', connection);
    await answered(409, 'GET', `${connection}/connect`);
    const shop = await world.merchant({ gateway: { provider: 'stripe' } });
    const key = asMerchant(shop.account.apiKey);
    await answered(302, 'GET', `${connection}/connect`, undefined, key);
    const callback = await permit(shop, await stripe.own.newAccount());
    await answered(200, 'GET', callback.slice(world.app.url.length), undefined, {});
    const press = async (status: number, form: URLSearchParams) => {
      const type = 'application/x-www-form-urlencoded';
      const told = await ask(
        world.app.url,
        { method: 'POST', path: `${connection}/callback` },
        { raw: form.toString(), headers: { 'content-type': type } },
      );
      expect(told.status).toBe(status);
    };
    await press(200, new URL(callback).searchParams);
    const again = new URL(await permit(shop, await stripe.own.newAccount()));
    await press(409, again.searchParams);
    await answered(200, 'DELETE', `${connection}/connection`, undefined, key);
  });

  it('events of a billing platform', async () => {
    const raw = JSON.stringify({ id: 'evt_1', object: 'event', type: 'invoice.paid', livemode: false, data: {} });
    const headers = { 'stripe-signature': stripeSignature(raw) };
    const store = world.app.service.app.get(InboxStore, { strict: false });
    const only = jest.spyOn(store, 'clientIds').mockResolvedValue([merchant.clientId]);
    for (const path of [`/api/connectors/stripe-billing/webhook/${merchant.clientId}`, '/webhooks/stripe']) {
      expect(await ask(world.app.url, { method: 'POST', path }, { raw, headers })).toMatchObject({ status: 200 });
    }
    only.mockRestore();
  });

  it('the open routes', async () => {
    const lookups = ['/api/lookup/decline', '/api/lookup/decline/stripe/do_not_honor'];
    const files = ['/docs', '/docs/swagger-ui.css', '/openapi.yaml', '/openapi.json'];
    for (const path of [...lookups, '/healthz', '/readyz', ...files]) await answered(200, 'GET', path, undefined, {});
    for (const path of lookups) await answered(304, 'GET', path, undefined, { 'if-none-match': '*' });
  });

  it('the operator’s looks at the database', async () => {
    await answered(200, 'GET', '/api/verify', undefined, asOperator());
    await answered(200, 'POST', '/execute', charge());
    while (Number((await answered(200, 'GET', '/api/audit/verify', undefined, asOperator()))['links']) === 0);
    const { data } = await answered(200, 'GET', '/api/audit/checkpoints', undefined, asOperator());
    const [kept] = data as { clientId: string; number: number }[];
    await answered(200, 'GET', `/api/audit/links/${kept?.clientId}/${kept?.number}`, undefined, asOperator());
  });

  it('leaves no documented answer unseen', () => {
    const unseen = checker.documented().filter((answer) => !checker.seen().has(answer));
    expect(unseen).toEqual([]);
  });
});

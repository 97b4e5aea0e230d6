import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import { Api } from '../support/api.js';
import { ADMIN_KEY } from '../support/app.js';
import { Cluster } from '../support/cluster.js';
import { GatewayProxy, type Interference, type Passing } from '../support/gateway-proxy.js';
import { Merchant, unique } from '../support/merchant.js';
import { type OwnTestGateway, ownTestGateway, type TestAccount } from '../support/own-test-gateway.js';
import type { ServiceProcess } from '../support/service-process.js';
import { DAY_MS, later, seen, World } from '../support/story.js';

const isConfirm = ({ path }: Passing) => path.endsWith('/confirm');
const isCreate = ({ method, path }: Passing) => method === 'POST' && path === '/v1/payment_intents';
const isPay = ({ path }: Passing) => path.endsWith('/pay');
const isCancel = ({ path }: Passing) => path.endsWith('/cancel');
const isReadOf = (prefix: string) => (request: Passing) => request.method === 'GET' && request.path.startsWith(prefix);
const never = { until: new Promise<never>(() => undefined) };

describe('a retry under a key, whose outcome could not be stored', () => {
  it('makes no further charge under that key', async () => {
    const own = await ownTestGateway();
    const proxy = await GatewayProxy.start(own.gateway.url);
    const world = await World.start({
      settings: { STRIPE_API_BASE: proxy.url, REVTAIN_GATEWAY_TIMEOUT_MS: '20000' },
    });
    try {
      const account = await own.newAccount();
      const merchant = await world.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
      const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
      const headers = { 'idempotency-key': unique('retry') };
      let reply: () => void = () => undefined;
      const until = new Promise<void>((resolve) => (reply = resolve));
      let held = false;
      proxy.interfere((request) => (isConfirm(request) && (held = true) ? { until } : null));
      const retried = merchant.retry(body.transactionId, headers);
      while (!held) await sleep(20);
      await world.withoutDatabase(async () => {
        proxy.calm();
        reply();
        // Under a key the answer must be the same for ever, and there is none to keep yet.
        expect(seen(await retried)).toMatchObject({ http: 409, code: 'idempotency_in_flight' });
      });
      const again = await untilAnswered(() => merchant.retry(body.transactionId, headers));
      expect(again.headers['idempotent-replayed']).toBe('true');
      expect((await merchant.retry(body.transactionId, headers)).bytes.equals(again.bytes)).toBe(true);
      expect(await own.admin.ledger(account.accountId)).toHaveLength(2);
    } finally {
      await world.stop();
      await proxy.stop();
      await own.stop();
    }
  }, 60_000);

  it('of an execute without a key: never told that nothing was accepted, and settled by a reading', async () => {
    const own = await ownTestGateway();
    const proxy = await GatewayProxy.start(own.gateway.url);
    const world = await World.start({ settings: { STRIPE_API_BASE: proxy.url } });
    try {
      const account = await own.newAccount();
      const merchant = await world.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
      let reply: () => void = () => undefined;
      const until = new Promise<void>((resolve) => (reply = resolve));
      let held = false;
      proxy.interfere((request) => (isConfirm(request) && (held = true) ? { until } : null));
      const executed = merchant.execute({ reference: undefined, idempotencyKey: undefined });
      while (!held) await sleep(20);
      await world.withoutDatabase(async () => {
        proxy.calm();
        reply();
        expect(seen(await executed)).toMatchObject({ http: 202, status: 'unknown', state: 'reconciling' });
      });
      const { transactionId } = (await executed).body;
      // The lease of the interrupted work runs out first.
      let { state } = await merchant.status(transactionId);
      for (let tries = 0; state !== 'succeeded' && tries < 160; tries += 1) {
        await sleep(250);
        ({ state } = await merchant.status(transactionId));
      }
      expect(state).toBe('succeeded');
      expect(await own.admin.ledger(account.accountId)).toHaveLength(1);
    } finally {
      await world.stop();
      await proxy.stop();
      await own.stop();
    }
  }, 60_000);

  /** As a caller does that is told to come again. */
  async function untilAnswered<T extends { status: number }>(call: () => Promise<T>): Promise<T> {
    for (let tries = 0; tries < 120; tries += 1) {
      const answer = await call();
      if (answer.status !== 409 && answer.status !== 503) return answer;
      await sleep(250);
    }
    throw new Error('it was never answered');
  }
});

interface Story {
  name: string;
  account: TestAccount;
  merchant: Merchant;
  /** The recovery that must have collected the money in the end. */
  id: string | null;
  key: string;
}

/** Each call of the gateway, and each side of it, at which a process may die. */
const KILLS: {
  name: string;
  when: (request: Passing) => boolean;
  how: Interference;
  send?: Record<string, unknown>;
}[] = [
  { name: 'before the payment is made', when: isCreate, how: never },
  { name: 'after the payment was made', when: isCreate, how: 'withholdReply' },
  { name: 'before the charge', when: isConfirm, how: never },
  { name: 'after the charge', when: isConfirm, how: 'withholdReply' },
  {
    name: 'before the fallback is read',
    when: isReadOf('/v1/payment_methods/pm_card_mastercard'),
    how: never,
    send: {
      paymentMethodToken: 'pm_test_expired_card',
      fallbackPaymentMethodTokens: ['pm_card_mastercard'],
      fallbackConsent: true,
    },
  },
  { name: 'before the invoice is paid', when: isPay, how: never, send: { invoiceId: 'made by the test' } },
  { name: 'after the invoice was paid', when: isPay, how: 'withholdReply', send: { invoiceId: 'made by the test' } },
];

describe('a process that dies between two calls', () => {
  let own: OwnTestGateway;
  let proxy: GatewayProxy;
  let cluster: Cluster;
  let before: ServiceProcess;
  let after: ServiceProcess;
  const stories: Story[] = [];
  /** By the gateway's key of the account: what happens to which of its calls. */
  const rules = new Map<string, { when: (request: Passing) => boolean; how: Interference; met: boolean }>();

  beforeAll(async () => {
    own = await ownTestGateway();
    proxy = await GatewayProxy.start(own.gateway.url);
    proxy.interfere((request) => {
      const rule = rules.get(request.secretKey);
      if (!rule?.when(request)) return null;
      rule.met = true;
      return rule.how;
    });
    cluster = await Cluster.open();
    before = await cluster.start({ STRIPE_API_BASE: proxy.url });
    for (const { name, when, how, send = {} } of KILLS) await begin(name, when, how, send);
    await beginReplacing('before the earlier payment is cancelled', never);
    await beginReplacing('after the earlier payment was cancelled', 'withholdReply');
    await beginRetry('during a retry under a key', 'withholdReply');
    for (let look = 0; [...rules.values()].some(({ met }) => !met); look += 1) {
      if (look === 400) throw new Error('not every call was met');
      await sleep(20);
    }
    await before.kill();
    rules.clear();
    after = await cluster.start({ STRIPE_API_BASE: proxy.url });
    await sleep(13_000); // A whole lease.
  }, 120_000);

  afterAll(async () => {
    await cluster.close();
    await proxy.stop();
    await own.stop();
  });

  async function open(): Promise<{ account: TestAccount; merchant: Merchant }> {
    const account = await own.newAccount();
    const mailbox = `/hooks/${account.accountId}`;
    const made = await new Api(before.url, { 'x-admin-key': ADMIN_KEY }).post<Record<string, string>>('/api/clients', {
      name: 'Acme',
      gateway: { provider: 'stripe', secretKey: account.secretKey },
      executesPerMinute: 100_000,
      webhookUrl: cluster.receiver.url(mailbox),
    });
    const { clientId = '', apiKey = '', webhookSigningSecret: webhookSecret = '' } = made.body;
    return {
      account,
      merchant: new Merchant(before.url, cluster.receiver, { clientId, apiKey, webhookSecret, mailbox }),
    };
  }

  function interrupt(account: TestAccount, when: (request: Passing) => boolean, how: Interference): void {
    rules.set(account.secretKey, { when, how, met: false });
  }

  async function begin(
    name: string,
    when: (request: Passing) => boolean,
    how: Interference,
    send: Record<string, unknown>,
  ): Promise<void> {
    const { account, merchant } = await open();
    interrupt(account, when, how);
    const key = unique('key');
    const invoice = 'invoiceId' in send ? { invoiceId: await openInvoice(account) } : {};
    void merchant.execute({ ...send, ...invoice, idempotencyKey: key }).catch(() => null);
    stories.push({ name, account, merchant, id: null, key });
  }

  /** The debt's payment was another amount's: it is cancelled before a new one is made. */
  async function beginReplacing(name: string, how: Interference): Promise<void> {
    const { account, merchant } = await open();
    const reference = unique('inv');
    await merchant.execute({ reference, paymentMethodToken: 'pm_test_expired_card' });
    interrupt(account, isCancel, how);
    const key = unique('key');
    void merchant.execute({ reference, amount: 1_900, idempotencyKey: key }).catch(() => null);
    stories.push({ name, account, merchant, id: null, key });
  }

  async function beginRetry(name: string, how: Interference): Promise<void> {
    const { account, merchant } = await open();
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    interrupt(account, isConfirm, how);
    const key = unique('key');
    void merchant.retry(body.transactionId, { 'idempotency-key': key }).catch(() => null);
    stories.push({ name, account, merchant, id: body.transactionId, key });
  }

  async function openInvoice({ stripe, cardholder }: TestAccount): Promise<string> {
    const { id } = await stripe.invoices.create({ customer: cardholder, auto_advance: false });
    await stripe.invoiceItems.create({ customer: cardholder, invoice: id, amount: 2_500, currency: 'usd' });
    return (await stripe.invoices.finalizeInvoice(id)).id;
  }

  const titles = [
    ...KILLS.map(({ name }) => name),
    'before the earlier payment is cancelled',
    'after the earlier payment was cancelled',
  ];
  it.each(titles)('%s: collected once, told once', async (title) => {
    const { merchant, account, key } = story(title);
    const found = await merchant.api.get<{ transactionId: string }>(`/api/recovery/status?idempotencyKey=${key}`);
    const id = found.body.transactionId;
    await merchant.advanceTo(later(new Date(), DAY_MS));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ final: true });
    expect(await merchant.status(id)).toMatchObject({ state: 'succeeded' });
    const ledger = await own.admin.ledger(account.accountId);
    expect(ledger.filter(({ status }) => status === 'succeeded')).toHaveLength(1);
    const timeline = await merchant.timeline(id);
    expect(timeline.map(({ sequence }) => sequence)).toEqual(timeline.map((_, index) => index + 1));
    expect(merchant.events(id).filter(({ event }) => event === 'recovery.success')).toHaveLength(1);
  });

  it('during a retry under a key: the same key is answered from the recovery, and charges nothing more', async () => {
    const { merchant, account, id, key } = story('during a retry under a key');
    const headers = { 'idempotency-key': key };
    const answer = await merchant.retry(String(id), headers);
    expect(answer.status).toBe(202);
    expect(answer.headers['idempotent-replayed']).toBe('true');
    expect((await merchant.retry(String(id), headers)).bytes.equals(answer.bytes)).toBe(true);
    expect(await own.admin.ledger(account.accountId)).toHaveLength(2);
  });

  function story(title: string): Story {
    const found = stories.find(({ name }) => name === title);
    if (!found) throw new Error(`no story is called ${title}`);
    return { ...found, merchant: found.merchant.at(after.url) };
  }
});

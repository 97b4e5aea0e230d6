import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';

import { SystemClock } from '../../src/platform/clock.js';
import { SystemRandom } from '../../src/platform/random.js';
import { TestGatewayAdmin } from '../../src/test-gateway/admin.js';
import { prepareTestGateway } from '../../src/test-gateway/schema.js';
import {
  charge,
  engineKey,
  ids,
  newPayment,
  ownTestGateway,
  refusalOf,
  sdk,
  type OwnTestGateway,
} from '../support/own-test-gateway.js';

let own: OwnTestGateway;

beforeAll(async () => {
  own = await ownTestGateway();
});
afterAll(async () => {
  expect(own.errors).toEqual([]);
  await own.stop();
});

describe('the gateway’s state', () => {
  it('is one, whichever server is asked', async () => {
    const account = await own.newAccount();
    const second = { ...account, stripe: sdk((await own.another()).gateway, account.secretKey) };
    const payment = await newPayment(account);
    const token = 'pm_test_do_not_honor_x2';
    await refusalOf(charge(account, payment.id, token));
    await refusalOf(charge(second, payment.id, token));
    expect((await charge(account, payment.id, token)).status).toBe('succeeded');
    expect((await second.stripe.paymentIntents.retrieve(payment.id)).status).toBe('succeeded');
  });

  it('outlives its servers: scripts, faults, keys, clock and ledger go on where they were', async () => {
    const account = await own.newAccount();
    const payment = await newPayment(account);
    const key = engineKey();
    const token = 'pm_test_fault_500_before_charge_then_do_not_honor_x1';
    const first = await own.another();
    await own.admin.setClock(account.accountId, 86_400_000);
    await refusalOf(charge({ stripe: sdk(first.gateway, account.secretKey) }, payment.id, token, key));
    await first.gateway.stop();
    const next = { ...account, stripe: sdk((await own.another()).gateway, account.secretKey) };
    expect((await refusalOf(charge(next, payment.id, token, key))).headers?.['idempotent-replayed']).toBe('true');
    expect((await refusalOf(charge(next, payment.id, token))).decline_code).toBe('do_not_honor');
    expect((await charge(next, payment.id, token)).status).toBe('succeeded');
    const [entry] = await own.admin.ledger(account.accountId);
    expect(Number(entry?.at) - Date.now()).toBeGreaterThan(86_000_000);
  });

  it('has a clock that stands where it is told to, until it is let go or its holder is given up', async () => {
    const account = await own.newAccount();
    const payment = await newPayment(account);
    const at = new Date(Date.now() + 86_400_000);
    const standing = (forMs: number) => ({ at, until: new Date(Date.now() + forMs) });
    const ledgerAt = async () => {
      await refusalOf(charge(account, payment.id, 'pm_test_do_not_honor'));
      return (await own.admin.ledger(account.accountId)).at(-1)?.at;
    };
    await own.admin.setClock(account.accountId, 86_400_000, standing(60_000));
    expect([await ledgerAt(), await ledgerAt()]).toEqual([at, at]);
    await own.admin.setClock(account.accountId, 86_400_000, standing(-1));
    expect(Number(await ledgerAt())).toBeGreaterThan(at.getTime());
    await own.admin.setClock(account.accountId, 2 * 86_400_000);
    expect(Number(await ledgerAt())).toBeGreaterThan(at.getTime() + 86_000_000);
  });

  it('is prepared by any number of processes at once', async () => {
    await Promise.all([1, 2, 3].map(() => prepareTestGateway(own.pool)));
    expect((await own.newAccount()).secretKey).toMatch(/^sk_test_[0-9a-f]{48}$/);
  });

  it('gives an account another key when it is opened again, and keeps only hashes', async () => {
    const account = await own.newAccount();
    const { secretKey } = await own.admin.createAccount(account.accountId);
    const payment = await newPayment(account);
    expect((await sdk(own.gateway, secretKey).paymentIntents.retrieve(payment.id)).id).toBe(payment.id);
    const { rows } = await own.pool.query('SELECT * FROM test_gateway.secret_keys WHERE account_id = $1', [
      account.accountId,
    ]);
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toContain('sk_test_');
  });

  it('answers in the pinned version, with a request id', async () => {
    const { stripe } = await own.newAccount();
    const { lastResponse } = await stripe.accounts.retrieveCurrent();
    expect(lastResponse).toMatchObject({ apiVersion: '2026-10-28.endive', requestId: expect.stringMatching(/^req_/) });
  });
});

describe('the money ledger', () => {
  it('names the engine’s recovery and attempt, and nothing where the key is not the engine’s', async () => {
    const account = await own.newAccount();
    const key = engineKey();
    const payment = await newPayment(account, { amount: 1200, currency: 'eur' });
    await refusalOf(charge(account, payment.id, 'pm_test_lost_card', key));
    await charge(account, payment.id, 'pm_card_visa', 'by-hand');
    const [transaction, attempt] = key.split(':');
    const money = { amount: 1200, currency: 'EUR', paymentIntentId: payment.id };
    expect(await own.admin.ledger(account.accountId)).toMatchObject([
      { ...money, revtainTransactionId: transaction, attemptId: attempt, status: 'failed', declineCode: 'lost_card' },
      { ...money, revtainTransactionId: null, attemptId: null, status: 'succeeded', declineCode: null },
    ]);
    expect(await own.admin.ledger(ids.prefixed('cli'))).toEqual([]);
  });

  it.each([
    'UPDATE test_gateway.ledger SET amount = 1',
    'DELETE FROM test_gateway.ledger',
    'TRUNCATE test_gateway.ledger',
  ])('refuses %s', async (sql) => {
    const account = await own.newAccount();
    await charge(account, (await newPayment(account)).id, 'pm_card_visa');
    await expect(own.pool.query(sql)).rejects.toThrow('append-only');
  });

  it('holds one success per payment, whatever the code above believes', async () => {
    const account = await own.newAccount();
    const paid = await charge(account, (await newPayment(account)).id, 'pm_card_visa');
    const again = own.pool.query(
      `INSERT INTO test_gateway.ledger (account_id, charge_id, payment_intent_id, amount, currency, status, at)
        VALUES ($1, 'ch_second', $2, 2500, 'usd', 'succeeded', now())`,
      [account.accountId, paid.id],
    );
    await expect(again).rejects.toThrow('ledger_one_success');
  });
});

describe('lists', () => {
  it('come newest first, in pages, filtered by customer and time', async () => {
    const account = await own.newAccount();
    const made: string[] = [];
    for (let count = 0; count < 5; count += 1) made.unshift((await newPayment(account)).id);
    const { stripe, cardholder } = account;
    const page = await stripe.paymentIntents.list({ limit: 2 });
    expect([page.data.map(({ id }) => id), page.has_more]).toEqual([made.slice(0, 2), true]);
    const all: string[] = [];
    for await (const payment of stripe.paymentIntents.list({ limit: 2, customer: cardholder })) all.push(payment.id);
    expect(all).toEqual(made);
    const created = { gte: Math.floor(Date.now() / 1000) + 60 };
    expect((await stripe.paymentIntents.list({ created })).data).toEqual([]);
    expect(await refusalOf(stripe.paymentIntents.list({ limit: 101 }))).toMatchObject({ param: 'limit' });
  });

  it('tell whether a Checkout Session owns a payment', async () => {
    const account = await own.newAccount();
    const { id } = await newPayment(account);
    expect((await account.stripe.checkout.sessions.list({ payment_intent: id })).data).toEqual([]);
    const session = await own.admin.ownByCheckoutSession(account.accountId, id);
    expect((await account.stripe.checkout.sessions.list({ payment_intent: id })).data).toMatchObject([{ id: session }]);
  });
});

describe('events', () => {
  it('tell every change of a payment, in order, as it was then', async () => {
    const account = await own.newAccount();
    const payment = await newPayment(account);
    await refusalOf(charge(account, payment.id, 'pm_test_do_not_honor_x1', 'by-hand'));
    await charge(account, payment.id, 'pm_test_do_not_honor_x1');
    const { data } = await account.stripe.events.list({ limit: 100 });
    expect(data.map(({ type }) => type).reverse()).toEqual([
      'payment_intent.created',
      'charge.failed',
      'payment_intent.payment_failed',
      'charge.succeeded',
      'payment_intent.succeeded',
    ]);
    const [failed] = (await account.stripe.events.list({ type: 'payment_intent.payment_failed' })).data;
    expect(failed).toMatchObject({
      api_version: '2026-10-28.endive',
      livemode: false,
      request: { idempotency_key: 'by-hand' },
      data: { object: { id: payment.id, status: 'requires_payment_method' } },
    });
    expect(await account.stripe.events.retrieve(failed?.id ?? '')).toMatchObject({ id: failed?.id });
  });

  it('go out signed, again after a failure, and are then delivered', async () => {
    const receiver = await receive([500]);
    const account = await own.newAccount();
    const { stripe } = account;
    const types = ['payment_intent.succeeded'] as const;
    const endpoint = await stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: [...types] });
    await charge(account, (await newPayment(account)).id, 'pm_card_visa');
    const [first] = await receiver.next();
    expect((await stripe.events.list({ delivery_success: false })).data).toHaveLength(1);
    // The next try is due in seconds of real time; the test does not wait for them.
    await own.pool.query('UPDATE test_gateway.deliveries SET due_at = now() WHERE account_id = $1', [
      account.accountId,
    ]);
    const [second] = await receiver.next();
    expect(second?.body).toBe(first?.body);
    const event = stripe.webhooks.constructEvent(
      String(second?.body),
      String(second?.signature),
      String(endpoint.secret),
    );
    expect(event.type).toBe('payment_intent.succeeded');
    const forged = () =>
      stripe.webhooks.constructEvent(`${second?.body} `, String(second?.signature), String(endpoint.secret));
    expect(forged).toThrow('signature');
    await stripe.webhookEndpoints.del(endpoint.id);
    expect((await stripe.webhookEndpoints.list()).data).toEqual([]);
    await receiver.close();
  });

  it('go to the address that an account was opened with, and to loopback only', async () => {
    const receiver = await receive([]);
    const admin = new TestGatewayAdmin(own.pool, new SystemClock(), new SystemRandom());
    const accountId = ids.prefixed('cli');
    const webhook = { webhookUrl: receiver.url, webhookSecret: 'whsec_known' };
    await admin.createAccount(accountId, webhook);
    const { secretKey } = await admin.createAccount(accountId, webhook);
    const stripe = sdk(own.gateway, secretKey);
    await stripe.customers.create({ name: 'Ada' });
    const [told] = await receiver.next();
    const event = stripe.webhooks.constructEvent(String(told?.body), String(told?.signature), 'whsec_known');
    expect(event.type).toBe('customer.created');
    const outside = {
      url: 'https://example.com/hook',
      enabled_events: ['*'] as Stripe.WebhookEndpointCreateParams.EnabledEvent[],
    };
    expect(await refusalOf(stripe.webhookEndpoints.create(outside))).toMatchObject({ code: 'url_invalid' });
    await receiver.close();
  });
});

interface Delivery {
  body: string;
  signature: string | undefined;
}

/** A receiver of webhooks that answers with these statuses first, then with 200. */
async function receive(
  statuses: number[],
): Promise<{ url: string; next(): Promise<Delivery[]>; close(): Promise<void> }> {
  const waiting: Delivery[] = [];
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const signature = request.headers['stripe-signature'];
      waiting.push({ body: Buffer.concat(chunks).toString(), signature: signature?.toString() });
      response.writeHead(statuses.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const next = async () => {
    for (let time = 0; time < 300 && waiting.length === 0; time += 1) await new Promise((go) => setTimeout(go, 20));
    return waiting.splice(0);
  };
  const close = () =>
    new Promise<void>((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, next, close };
}

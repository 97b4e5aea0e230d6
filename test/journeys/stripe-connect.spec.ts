import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';

import { STRIPE_EVENTS } from '../../src/connectors/stripe-billing/event-table.js';
import { look, press } from '../support/card-update.js';
import type { Merchant } from '../support/merchant.js';
import type { TestAccount } from '../support/own-test-gateway.js';
import {
  confirm,
  connect,
  permit,
  platformStripe,
  type PlatformStripe,
  publicIdOf,
} from '../support/stripe-platform.js';
import { later, World } from '../support/story.js';

const CONNECTION = '/api/connectors/stripe';
const QUEUED = { originalDeclineCode: 'insufficient_funds' };

let stripe: PlatformStripe;
let world: World;
let merchant: Merchant;
let account: TestAccount;

beforeAll(async () => {
  stripe = await platformStripe();
  world = await World.start({ settings: stripe.settings });
});

afterAll(async () => {
  await world.stop();
  await stripe.own.stop();
});

beforeEach(async () => {
  merchant = await world.merchant({ name: 'Shop <b>&"', gateway: { provider: 'stripe' } });
  account = await stripe.own.newAccount();
});

const health = async (of = merchant) => (await of.api.get<Record<string, unknown>>(CONNECTION)).body;
const chargesOf = async ({ accountId }: TestAccount) => (await stripe.own.admin.ledger(accountId)).length;
const endpointsOf = async ({ clientId }: Merchant) => {
  const { data } = await stripe.platform.stripe.webhookEndpoints.list({ limit: 100 });
  return data.filter(({ metadata }) => metadata['revtainClient'] === clientId);
};

/** An event as Stripe signs it for the endpoint that was registered for this client. */
async function send(type: string, object: object, from: TestAccount = account) {
  const [endpoint] = await endpointsOf(merchant);
  const text = `SELECT hidden->>'secret' AS secret FROM test_gateway.objects WHERE id = $1`;
  const { rows } = await stripe.own.pool.query<{ secret: string }>(text, [endpoint?.id]);
  const payload = JSON.stringify({
    id: `evt_${crypto.randomUUID().replaceAll('-', '')}`,
    object: 'event',
    type,
    livemode: false,
    created: Math.floor(Date.now() / 1_000),
    account: publicIdOf(from),
    data: { object },
  });
  const signature = new Stripe('sk_test_x').webhooks.generateTestHeaderString({
    payload,
    secret: rows[0]?.secret ?? '',
  });
  return press(endpoint?.url ?? '', { 'stripe-signature': signature, 'content-type': 'application/json' }, payload);
}

describe('a merchant that connects its account', () => {
  it('is charged by the platform from then on, and its events come in', async () => {
    expect(await health()).toMatchObject({ access: 'none', accountId: null });
    const before = await merchant.execute(QUEUED);
    expect(before).toMatchObject({ status: 202 });
    await connect(merchant, account);
    expect(await health()).toMatchObject({
      access: 'connect',
      accountId: publicIdOf(account),
      webhook: {
        url: `${world.app.url}/api/connectors/stripe-billing/webhook/${merchant.clientId}`,
        lastEventAt: null,
      },
    });
    const [endpoint] = await endpointsOf(merchant);
    expect(endpoint?.enabled_events).toEqual([...STRIPE_EVENTS]);
    const paid = await merchant.execute();
    expect(paid).toMatchObject({ status: 200, body: { state: 'succeeded' } });
    expect(await chargesOf(account)).toBe(1);
    expect(await chargesOf(stripe.platform)).toBe(0);
    expect(await send('invoice.paid', { id: 'in_nobody', object: 'invoice' })).toMatchObject({ status: 200 });
  });

  it('keeps its keys and secrets sealed: none stands in a table', async () => {
    await connect(merchant, account);
    const { rows } = await world.database.query<{ found: boolean }>(
      `SELECT EXISTS (SELECT FROM clients c WHERE c::text LIKE '%sk_test_%' OR c::text LIKE '%whsec_%') AS found`,
    );
    expect(rows[0]).toEqual({ found: false });
  });

  it('can do so again: one endpoint, the newest secret', async () => {
    await connect(merchant, account);
    await connect(merchant, account);
    expect((await endpointsOf(merchant)).length).toBe(1);
    expect(await send('invoice.paid', { id: 'in_nobody', object: 'invoice' })).toMatchObject({ status: 200 });
  });

  it('is not taken for another: events of a foreign account are counted and do nothing', async () => {
    await connect(merchant, account);
    const other = await stripe.own.newAccount();
    expect(await send('invoice.paid', { id: 'in_nobody', object: 'invoice' }, other)).toMatchObject({ status: 200 });
    expect(await health()).toMatchObject({ webhook: { events: { foreign_account: 1 } } });
  });
});

describe('the way back from Stripe', () => {
  it('takes nothing when it is only read, and names the client safely', async () => {
    const callback = await permit(merchant, account);
    for (let count = 0; count < 3; count += 1) {
      const page = await look(callback);
      expect(page.status).toBe(200);
      expect(page.text).toContain('Shop &lt;b&gt;&amp;&quot;');
      expect(page.text).not.toContain('<b>&"');
    }
    expect(await health()).toMatchObject({ access: 'none' });
    expect(await confirm(callback)).toMatchObject({ status: 200 });
  });

  it('works once: a state that was used is stale, with a fresh code too', async () => {
    const callback = await permit(merchant, account);
    const [first, second] = await Promise.all([confirm(callback), confirm(callback)]);
    expect([first.status, second.status].sort()).toEqual([200, 404]);
    expect(await look(callback)).toMatchObject({ status: 404 });
    expect(await confirm(callback)).toMatchObject({ status: 404 });
  });

  it('is stale after a quarter of an hour, and for a state that nobody made', async () => {
    const callback = await permit(merchant, account);
    await world.database.query(`UPDATE stripe_connect_states SET expires_at = now() WHERE client_id = $1`, [
      merchant.clientId,
    ]);
    expect(await look(callback)).toMatchObject({ status: 404 });
    expect(await confirm(callback)).toMatchObject({ status: 404 });
    const forged = callback.replace(/state=[^&]+/, `state=${'A'.repeat(43)}`);
    expect(await confirm(forged)).toMatchObject({ status: 404 });
    expect(await health()).toMatchObject({ access: 'none' });
  });

  it('belongs to the client that began, whoever presses', async () => {
    const other = await world.merchant({ gateway: { provider: 'stripe' } });
    const callback = await permit(merchant, account);
    await confirm(callback, { 'x-api-key': other.account.apiKey });
    expect(await health()).toMatchObject({ access: 'connect' });
    expect(await health(other)).toMatchObject({ access: 'none', accountId: null });
    const asked = await other.api.get(`${CONNECTION}?clientId=${merchant.clientId}`);
    expect(asked).toMatchObject({ status: 404 });
  });

  it('takes no press from another site', async () => {
    const callback = await permit(merchant, account);
    for (const site of ['cross-site', 'same-site']) {
      expect(await confirm(callback, { 'sec-fetch-site': site })).toMatchObject({ status: 404 });
    }
    expect(await confirm(callback, { 'sec-fetch-site': 'same-origin' })).toMatchObject({ status: 200 });
  });

  it('connects nothing when the merchant refuses, or the code is none', async () => {
    const begun = await merchant.api.get<{ url: string }>(`${CONNECTION}/connect`);
    const { location } = await press(begun.body.url, {}, 'denied=1');
    expect((await look(location)).text).toContain('Nothing was connected');
    const callback = (await permit(merchant, account)).replace(/code=[^&]+/, 'code=ac_nothing');
    expect(await confirm(callback)).toMatchObject({ status: 409 });
    expect(await health()).toMatchObject({ access: 'none' });
  });

  it('refuses an account that another client has, and another account than before', async () => {
    await connect(merchant, account);
    const other = await world.merchant({ gateway: { provider: 'stripe' } });
    expect(await confirm(await permit(other, account))).toMatchObject({ status: 409 });
    expect(await endpointsOf(other)).toEqual([]);
    expect(await confirm(await permit(merchant, await stripe.own.newAccount()))).toMatchObject({ status: 409 });
    expect(await health()).toMatchObject({ access: 'connect', accountId: publicIdOf(account) });
  });

  it('refuses a client whose own key is another account’s, and takes one whose key is this account’s', async () => {
    const stranger = await stripe.own.newAccount();
    const keyed = await world.merchant({ gateway: { provider: 'stripe', secretKey: stranger.secretKey } });
    expect(await health(keyed)).toMatchObject({ access: 'key' });
    expect(await confirm(await permit(keyed, account))).toMatchObject({ status: 409 });
    expect(await confirm(await permit(keyed, stranger))).toMatchObject({ status: 200 });
  });
});

describe('a connection that ends', () => {
  it('at the merchant’s wish: everything stops at once, here and at Stripe', async () => {
    await connect(merchant, account);
    const { body } = await merchant.execute(QUEUED);
    const ended = await merchant.api.call('DELETE', `${CONNECTION}/connection`);
    expect(ended).toMatchObject({ status: 200, body: { access: 'none', disconnectedBy: 'merchant' } });
    await untilEnded(body.transactionId);
    expect(await endpointsOf(merchant)).toEqual([]);
    const denied = await stripe.platform.stripe.customers
      .list({}, { stripeAccount: publicIdOf(account) })
      .catch(String);
    expect(denied).toContain('does not have access');
    expect(await merchant.execute()).toMatchObject({ status: 202 });
    expect(await chargesOf(account)).toBe(0);
  });

  it('at Stripe: the event stops everything, and what comes later waits for a new connection', async () => {
    await connect(merchant, account);
    const { body } = await merchant.execute(QUEUED);
    const application = { id: stripe.settings['STRIPE_CONNECT_CLIENT_ID'], object: 'application' };
    expect(await send('account.application.deauthorized', application)).toMatchObject({ status: 200 });
    await untilEnded(body.transactionId);
    expect(await health()).toMatchObject({ access: 'none', disconnectedBy: 'stripe' });
    const waiting = await merchant.execute();
    expect(waiting).toMatchObject({ status: 202, body: { state: 'queued' } });
    expect(await chargesOf(account)).toBe(0);
    await connect(merchant, account);
    await merchant.advanceTo(later(String(waiting.body.scheduledFor), 1_000));
    expect(await merchant.event(waiting.body.transactionId, 'recovery.success')).toMatchObject({ amount: 2_500 });
    expect(await chargesOf(account)).toBe(1);
  });

  it('was never begun: 404', async () => {
    expect(await merchant.api.call('DELETE', `${CONNECTION}/connection`)).toMatchObject({ status: 404 });
  });

  const untilEnded = async (id: string) => {
    for (let tries = 0; tries < 300; tries += 1) {
      const { state, endReason } = await merchant.status(id);
      if (state === 'cancelled') return expect(endReason).toBe('deauthorised');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${id} was never ended`);
  };
});

it('a client on the test gateway has nothing to connect', async () => {
  const test = await world.merchant();
  expect(await test.api.get(`${CONNECTION}/connect`)).toMatchObject({
    status: 409,
    body: { code: 'not_a_stripe_client' },
  });
});

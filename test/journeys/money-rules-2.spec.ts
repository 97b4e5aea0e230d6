import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import { GatewayProxy, type Passing } from '../support/gateway-proxy.js';
import { type Merchant, unique } from '../support/merchant.js';
import { idOf, type OwnTestGateway, ownTestGateway, type TestAccount } from '../support/own-test-gateway.js';
import { DAY_MS, HOUR_MS, later, MINUTE_MS, seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const QUEUED = { originalDeclineCode: 'insufficient_funds' };

let own: OwnTestGateway;
let proxy: GatewayProxy;
let world: World;
let account: TestAccount;
let merchant: Merchant;

beforeAll(async () => {
  own = await ownTestGateway();
  proxy = await GatewayProxy.start(own.gateway.url);
  // A gateway of the merchant's own behind a proxy, so that a test can break single calls of it.
  world = await World.start({
    settings: { STRIPE_API_BASE: proxy.url, REVTAIN_GATEWAY_TIMEOUT_MS: '20000' },
  });
});

afterAll(async () => {
  await world.stop();
  await proxy.stop();
  await own.stop();
});

beforeEach(async () => {
  account = await own.newAccount();
  merchant = await world.merchant({ gateway: { provider: 'stripe', secretKey: account.secretKey } });
});

afterEach(() => proxy.calm());

const isRead = ({ method }: Passing) => method === 'GET';
const isConfirm = ({ path }: Passing) => path.endsWith('/confirm');
const isCreate = ({ method, path }: Passing) => method === 'POST' && path === '/v1/payment_intents';
const isCancel = ({ path }: Passing) => path.endsWith('/cancel');
const breaking = (which: (request: Passing) => boolean, how: Parameters<GatewayProxy['interfere']>[0]) =>
  proxy.interfere((request) => (which(request) ? how(request) : null));

const ledger = () => own.admin.ledger(account.accountId);
const collected = async () => (await ledger()).filter(({ status }) => status === 'succeeded').length;

async function advanceTo(instant: string): Promise<void> {
  await own.admin.setClock(account.accountId, new Date(instant).getTime() - Date.now());
  await merchant.advanceTo(instant);
}

async function openInvoice(): Promise<string> {
  const { invoices, invoiceItems } = account.stripe;
  const { id } = await invoices.create({ customer: account.cardholder, auto_advance: false });
  await invoiceItems.create({ customer: account.cardholder, invoice: id, amount: 2_500, currency: 'usd' });
  return (await invoices.finalizeInvoice(id)).id;
}

/** A card of a customer of its own. */
async function cardOfAnother(token = 'tok_mastercard'): Promise<string> {
  const { id } = await account.stripe.paymentMethods.create({ type: 'card', card: { token } });
  const customer = await account.stripe.customers.create({});
  await account.stripe.paymentMethods.attach(id, { customer: customer.id });
  return id;
}

describe('a debt that could not be read at acceptance', () => {
  it.each([
    { title: '/retry', go: (id: string) => merchant.retry(id) },
    { title: '/payment-method', go: (id: string) => merchant.payWith(id, 'pm_card_mastercard') },
  ])('$title pays its invoice, and makes no payment beside it', async ({ go }) => {
    const invoiceId = await openInvoice();
    breaking(isRead, () => ({ status: 500, body: {} }));
    const { body } = await merchant.execute({ invoiceId });
    expect(body).toMatchObject({ state: 'queued', attemptCount: 0 });
    proxy.calm();
    expect(seen(await go(body.transactionId))).toMatchObject(COLLECTED);
    expect(await account.stripe.invoices.retrieve(invoiceId)).toMatchObject({ status: 'paid' });
    expect(await collected()).toBe(1);
  });

  it.each([
    { title: '/retry', go: (id: string) => merchant.retry(id) },
    { title: '/payment-method', go: (id: string) => merchant.payWith(id, 'pm_card_mastercard') },
  ])('$title adopts its original', async ({ go }) => {
    const params = { amount: 2_500, currency: 'usd', customer: account.cardholder };
    const original = await account.stripe.paymentIntents.create({
      ...params,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    });
    breaking(isRead, () => ({ status: 500, body: {} }));
    const { body } = await merchant.execute({ originalGatewayTransactionId: original.id });
    proxy.calm();
    expect(seen(await go(body.transactionId))).toMatchObject({ ...COLLECTED, gatewayTransactionToken: original.id });
    expect(await collected()).toBe(1);
  });

  it('cancelled and then opened again by a new card: still its invoice', async () => {
    const invoiceId = await openInvoice();
    breaking(isRead, () => ({ status: 500, body: {} }));
    const { body } = await merchant.execute({ invoiceId });
    proxy.calm();
    await merchant.cancel(body.transactionId, 'abandoned');
    expect(seen(await merchant.payWith(body.transactionId, 'pm_card_mastercard'))).toMatchObject(COLLECTED);
    expect(await account.stripe.invoices.retrieve(invoiceId)).toMatchObject({ status: 'paid' });
    expect(await collected()).toBe(1);
  });

  it('ends at its deadline when it never can be', async () => {
    breaking(isRead, () => ({ status: 500, body: {} }));
    const deadlineAt = later(new Date(), 2 * DAY_MS);
    const { body } = await merchant.execute({ policy: { deadlineAt } });
    await advanceTo(later(deadlineAt, MINUTE_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'failed', endReason: 'deadline' });
    expect(await ledger()).toEqual([]);
  });
});

describe('a new card whose reading is lost', () => {
  it('is not charged unread: the card that is blocked on this debt stays blocked under another token', async () => {
    const [first, second] = await Promise.all(['tok_test_stolen_card', 'tok_test_stolen_card'].map(ofCardholder));
    const { body } = await merchant.execute({ paymentMethodToken: first });
    expect(body).toMatchObject({ state: 'blocked', attemptCount: 1 });
    breaking(
      ({ path }) => path === `/v1/payment_methods/${String(second)}`,
      () => ({ status: 500, body: {} }),
    );
    const refused = await merchant.payWith(body.transactionId, String(second));
    expect(seen(refused)).toMatchObject({ http: 409, code: 'gateway_unreadable' });
    proxy.calm();
    expect(seen(await merchant.payWith(body.transactionId, String(second)))).toMatchObject({ http: 403 });
    expect(await ledger()).toHaveLength(1);
  });

  async function ofCardholder(token: string): Promise<string> {
    const { id } = await account.stripe.paymentMethods.create({ type: 'card', card: { token } });
    await account.stripe.paymentMethods.attach(id, { customer: account.cardholder });
    return id;
  }
});

describe('a card of another customer', () => {
  it('after the create was lost: the payment is made for that customer', async () => {
    breaking(isCreate, () => 'loseReply');
    const { body } = await merchant.execute();
    expect(body).toMatchObject({ state: 'queued', attemptCount: 0 });
    proxy.calm();
    expect(seen(await merchant.payWith(body.transactionId, await cardOfAnother()))).toMatchObject(COLLECTED);
    expect(await collected()).toBe(1);
  });

  it('after our payment was cancelled for it and the create was lost: the debt is not lost with it', async () => {
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    const first = String(body.gatewayTransactionToken);
    breaking(isCreate, () => 'refuse');
    const carded = await merchant.payWith(body.transactionId, await cardOfAnother());
    expect(seen(carded)).toMatchObject({ http: 202, state: 'queued' });
    expect(await account.stripe.paymentIntents.retrieve(first)).toMatchObject({ status: 'canceled' });
    proxy.calm();
    await advanceTo(later(carded.body.updatedAt, MINUTE_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded' });
    expect(await collected()).toBe(1);
  });
});

describe('a payment that is cancelled after a recovery ended', () => {
  it('and was paid, while a newer recovery holds the debt: one success, and the newest books it', async () => {
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_do_not_honor' });
    breaking(isCancel, () => ({ status: 500, body: {} }));
    await merchant.cancel(body.transactionId, 'abandoned');
    const newer = await merchant.execute({ reference, amount: 1_900, ...QUEUED });
    expect(newer.body.state).toBe('queued');
    const paymentId = String(body.gatewayTransactionToken);
    await account.stripe.paymentIntents.confirm(paymentId, { payment_method: 'pm_card_visa' });
    proxy.calm();
    await advanceTo(String(newer.body.scheduledFor));
    expect(await merchant.status(newer.body.transactionId)).toMatchObject({ state: 'succeeded', trigger: 'external' });
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'cancelled' });
    expect(await collected()).toBe(1);
  });

  it('in the moment in which a newer recovery takes it on: that one makes a payment of its own', async () => {
    const reference = unique('inv');
    const { body } = await merchant.execute({ reference, paymentMethodToken: 'pm_test_do_not_honor' });
    let cancelPasses: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (cancelPasses = resolve));
    breaking(isCancel, () => ({ until }));
    await merchant.cancel(body.transactionId, 'abandoned');
    while (!proxy.seen.some(isCancel)) await sleep(20);
    const newer = await merchant.execute({ reference, ...QUEUED });
    expect(newer.body.state).toBe('queued');
    cancelPasses();
    await advanceTo(String(newer.body.scheduledFor));
    expect(await merchant.status(newer.body.transactionId)).toMatchObject({ state: 'succeeded' });
    expect(await collected()).toBe(1);
  });
});

describe('a call that was thought dead', () => {
  it('accepts nothing more once another call under its key has', async () => {
    let reply: () => void = () => undefined;
    const until = new Promise<void>((resolve) => (reply = resolve));
    let held = 0;
    breaking(isRead, () => (held++ === 0 ? { until } : null));
    const request = merchant.request({ reference: undefined });
    const zombie = merchant.execute(request);
    while (held === 0) await sleep(20);
    await world.database.query(
      `UPDATE idempotency_keys SET lease_until = clock_timestamp() - interval '1 s' WHERE client_id = $1`,
      [merchant.clientId],
    );
    const taken = await merchant.execute(request);
    expect(seen(taken)).toMatchObject(COLLECTED);
    // Longer ago than the velocity guard looks back.
    await world.database.query(
      `UPDATE recoveries SET created_at = created_at - interval '10 minutes' WHERE client_id = $1`,
      [merchant.clientId],
    );
    reply();
    const answered = await zombie;
    expect([200, 409]).toContain(answered.status);
    if (answered.status === 200) expect(answered.bytes.equals(taken.bytes)).toBe(true);
    expect(await collected()).toBe(1);
    expect((await merchant.execute(request)).bytes.equals(taken.bytes)).toBe(true);
  });
});

describe('the time of a request', () => {
  it('is not given to a charge that could not be answered in it: queued, due at once', async () => {
    breaking(isCreate, () => ({ until: sleep(12_500) }));
    const answer = await merchant.execute();
    expect(seen(answer)).toMatchObject({ http: 202, status: 'queued', attemptCount: 0, willRetry: true });
    proxy.calm();
    await merchant.event(answer.body.transactionId, 'recovery.success');
    expect(await collected()).toBe(1);
  }, 60_000);
});

describe('a lost reply', () => {
  it('that is found not executed only after the deadline: ended, and not charged any more', async () => {
    const deadlineAt = later(new Date(), 2 * HOUR_MS);
    breaking(isConfirm, () => 'refuse');
    const { body } = await merchant.execute({ policy: { deadlineAt } });
    expect(body.state).toBe('reconciling');
    breaking(isRead, () => ({ status: 500, body: {} }));
    await advanceTo(later(deadlineAt, MINUTE_MS));
    proxy.calm();
    await advanceTo(later(deadlineAt, 20 * HOUR_MS));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'failed', endReason: 'deadline' });
    expect(await ledger()).toEqual([]);
  });

  it('is sent again under its own key, to the same payment, with the same parameters', async () => {
    breaking(isConfirm, () => 'refuse');
    const { body } = await merchant.execute();
    proxy.calm();
    const from = proxy.seen.length;
    await advanceTo(later(body.updatedAt, 2 * MINUTE_MS));
    const [sent] = proxy.seen.slice(0, from).filter(isConfirm).slice(-1);
    const [resent, more] = proxy.seen.slice(from).filter(isConfirm);
    expect(more).toBeUndefined();
    expect(resent).toEqual(sent);
    expect(await collected()).toBe(1);
  });
});

describe('one payment per debt', () => {
  it('is created unconfirmed, and every key is the engine’s own', async () => {
    const from = proxy.seen.length;
    const { body } = await merchant.execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    await advanceTo(String(body.scheduledFor));
    const sent = proxy.seen.slice(from).filter(({ method }) => method === 'POST');
    expect(sent.filter(isCreate)).toHaveLength(1);
    expect(sent.find(isCreate)?.form.has('confirm')).toBe(false);
    const { attempts } = await merchant.status(body.transactionId);
    const keys = attempts.map(({ attemptId }) => `${body.transactionId}:${attemptId}`);
    expect(sent.filter(isConfirm).map(({ idempotencyKey }) => idempotencyKey)).toEqual(keys);
    const stored = await account.stripe.paymentIntents.retrieve(String(body.gatewayTransactionToken));
    expect(idOf(stored.customer)).toBe(account.cardholder);
  });
});

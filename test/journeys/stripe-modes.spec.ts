import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { GatewayRegistry } from '../../src/gateways/registry.js';
import { StripeShop } from '../support/stripe-events.js';
import { later, MINUTE_MS, World } from '../support/story.js';

const DAY_MS = 86_400_000;
const MUTATIONS = ['createPayment', 'charge', 'cancelPayment'] as const;

let world: World;
/** Every call that changes something at a gateway, by whom it was made for. */
const mutations: string[] = [];

beforeAll(async () => {
  world = await World.start();
  const registry = world.app.service.app.get(GatewayRegistry);
  for (const priority of ['request', 'background'] as const) {
    const gateway = registry.gatewayFor({ provider: 'test' }, priority);
    for (const name of MUTATIONS) {
      const real = gateway[name].bind(gateway) as (account: { clientId: string }, ...rest: unknown[]) => never;
      Object.defineProperty(gateway, name, {
        value: (account: { clientId: string }, ...rest: unknown[]) => {
          mutations.push(account.clientId);
          return real(account, ...rest);
        },
      });
    }
  }
});

afterAll(async () => {
  await world.stop();
});

const mutationsOf = (shop: StripeShop) => mutations.filter((id) => id === shop.merchant.clientId).length;

describe('in mode observe', () => {
  it.each([
    'pm_test_insufficient_funds',
    'pm_test_do_not_honor',
    'pm_test_expired_card',
    'pm_card_authenticationRequired',
  ])('a month of %s: looked at, advised, and no call that changes anything is made', async (token) => {
    const shop = await StripeShop.open(world, { mode: 'observe' });
    const subscription = await shop.subscribe(token, { retries: true });
    const invoice = await shop.bill(subscription);
    await shop.tell();
    const { transactionId, ...opened } = await shop.recovery();
    const createdAt = String(opened['createdAt']);
    await shop.bank.stripe.paymentMethods.attach('pm_card_visa', { customer: subscription.customer });
    await shop.bank.stripe.subscriptions.update(subscription.id, { default_payment_method: 'pm_card_visa' });
    await shop.tell('payment_method.attached', 'customer.subscription.updated');
    await shop.merchant.advanceTo(later(createdAt, 30 * DAY_MS));
    expect(await shop.merchant.event(transactionId, 'recovery.failed')).toMatchObject({
      recommendedAction: 'request_card_update',
      attemptCount: 0,
    });
    expect(mutationsOf(shop)).toBe(0);
    expect(await shop.merchant.ledger(transactionId)).toEqual([]);
    expect(await shop.bank.readInvoice(invoice)).toMatchObject({ status: 'open' });
  });

  it('what Stripe itself collects is a success of nobody’s charge', async () => {
    const shop = await StripeShop.open(world, { mode: 'observe' });
    const invoice = await shop.bill(await shop.subscribe('pm_test_insufficient_funds_x1', { retries: true }));
    await shop.tell();
    await shop.bank.admin.retryInvoice(shop.merchant.clientId, invoice);
    await shop.tell('invoice.paid');
    const { transactionId } = await shop.recovery();
    expect(await shop.merchant.event(transactionId, 'recovery.success')).toMatchObject({ trigger: 'external' });
    expect(mutationsOf(shop)).toBe(0);
  });

  it('the counter counts: the same month in mode recover charges', async () => {
    const shop = await StripeShop.open(world, { mode: 'recover' });
    await shop.bill(await shop.subscribe('pm_test_insufficient_funds'));
    await shop.tell();
    const opened = await shop.recovery();
    await shop.merchant.advanceTo(later(String(opened['createdAt']), 30 * DAY_MS));
    expect(mutationsOf(shop)).toBeGreaterThan(0);
  });
});

describe('in mode recover', () => {
  it('Stripe’s own retries, found on, are told to the operator once', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe('pm_test_insufficient_funds', { retries: true });
    await shop.bill(subscription);
    await shop.bill(subscription);
    await shop.tell();
    expect(await world.alertsOf(shop.merchant.clientId)).toEqual(['platform_retries_on']);
  });

  it('told by a later update of the invoice alone, they are told as well', async () => {
    const shop = await StripeShop.open(world);
    await shop.bill(await shop.subscribe());
    await shop.tell();
    const [updated] = await shop.happened('invoice.payment_failed');
    const ahead = (days: number) => ({ next_payment_attempt: Math.floor((Date.now() + days * DAY_MS) / 1_000) });
    const update = (id: string, days: number) => {
      const { object } = updated?.['data'] as { object: object };
      return { ...updated, id, type: 'invoice.updated', data: { object: { ...object, ...ahead(days) } } };
    };
    await shop.send(update('evt_past', -1));
    await shop.worked();
    expect(await world.alertsOf(shop.merchant.clientId)).toEqual([]);
    await shop.send(update('evt_ahead', 3));
    await shop.worked();
    expect(await world.alertsOf(shop.merchant.clientId)).toEqual(['platform_retries_on']);
  });

  it('with them off, nothing is said', async () => {
    const shop = await StripeShop.open(world);
    await shop.bill(await shop.subscribe());
    await shop.tell();
    expect(await world.alertsOf(shop.merchant.clientId)).toEqual([]);
  });
});

describe('in mode fill', () => {
  it('waits where an attempt of Stripe’s is near, and charges after it', async () => {
    const shop = await StripeShop.open(world, { mode: 'fill' });
    // Stripe tries three days later; the engine's first slot is on day three as well, or up to four days after it.
    const invoice = await shop.bill(await shop.subscribe('pm_test_do_not_honor', { retries: true }));
    await shop.tell();
    const { transactionId } = await shop.recovery();
    const stripesNext = ((await shop.bank.readInvoice(invoice)).next_payment_attempt ?? 0) * 1_000;
    const ours = new Date(String((await shop.merchant.status(transactionId)).nextRetryAt)).getTime();
    await shop.merchant.advanceTo(new Date(ours + MINUTE_MS));
    const steps = (await shop.merchant.timeline(transactionId)).map(({ type }) => type);
    const isNear = Math.abs(stripesNext - ours) <= DAY_MS;
    expect(steps.includes('platform_goes_first')).toBe(isNear && stripesNext > ours);
    const charged = await shop.merchant.ledger(transactionId);
    expect(charged.length).toBe(isNear && stripesNext > ours ? 0 : 1);
    await shop.merchant.advanceTo(new Date(Math.max(stripesNext, ours) + 2 * DAY_MS));
    expect((await shop.merchant.ledger(transactionId)).length).toBeGreaterThan(0);
  });
});

describe('several debts of one customer', () => {
  it('are counted on every event', async () => {
    const shop = await StripeShop.open(world);
    const first = await shop.subscribe('pm_test_expired_card');
    const { id } = await shop.bank.admin.openSubscription(shop.merchant.clientId, {
      ...{ customer: first.customer, amountMinor: 900, method: 'pm_test_expired_card' },
    });
    await shop.bill(first);
    await shop.bill({ id });
    await shop.tell();
    const all = await shop.recoveries();
    expect(all).toHaveLength(2);
    expect(new Set(all.map(({ customerId }) => customerId))).toEqual(new Set([first.customer]));
    const told = await Promise.all(all.map((each) => shop.merchant.event(each.transactionId, 'recovery.failed')));
    for (const { openRecoveriesForCustomer } of told) expect(openRecoveriesForCustomer).toBeGreaterThan(0);
  });
});

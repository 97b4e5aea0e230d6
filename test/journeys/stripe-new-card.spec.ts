import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { GatewayRegistry } from '../../src/gateways/registry.js';
import { StripeShop } from '../support/stripe-events.js';
import { later, MINUTE_MS, World } from '../support/story.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

const FAILED = ['charge.failed', 'payment_intent.payment_failed', 'invoice.payment_failed'] as const;
const GIVEN = ['payment_method.attached', 'customer.subscription.updated'] as const;

/** The customer has another card attached and made the subscription's own. */
async function give(shop: StripeShop, subscription: { id: string; customer: string }, token = 'pm_card_visa') {
  const { paymentMethods, subscriptions } = shop.bank.stripe;
  const card = await paymentMethods.attach(token, { customer: subscription.customer });
  await subscriptions.update(subscription.id, { default_payment_method: card.id });
}

describe('a card that was given between the failure and its telling', () => {
  it.each([
    ['pm_test_expired_card', { state: 'succeeded', trigger: 'card_updated' }],
    ['pm_test_lost_card', { state: 'succeeded', trigger: 'card_updated' }],
    ['pm_test_insufficient_funds', { state: 'succeeded', trigger: 'card_updated' }],
    ['pm_test_do_not_honor', { state: 'succeeded', trigger: 'card_updated' }],
    ['pm_test_fraudulent', { state: 'blocked', recommendedAction: 'manual_review' }],
  ])('after %s ends the same, whichever is told first', async (token, end) => {
    for (const order of [
      [FAILED, GIVEN],
      [GIVEN, FAILED],
    ]) {
      const shop = await StripeShop.open(world);
      const subscription = await shop.subscribe(token);
      await shop.bill(subscription);
      await give(shop, subscription);
      for (const types of order) await shop.tell(...types);
      const { transactionId } = await shop.recovery();
      await shop.merchant.event(transactionId, end.state === 'succeeded' ? 'recovery.success' : 'recovery.blocked');
      expect(await shop.merchant.status(transactionId)).toMatchObject(end);
      expect(await shop.merchant.ledger(transactionId)).toHaveLength(end.state === 'succeeded' ? 1 : 0);
    }
  });

  it('is charged once when it is declined as well, and then waits for its own slot', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe('pm_test_expired_card');
    await shop.bill(subscription);
    await give(shop, subscription, 'pm_test_insufficient_funds');
    await shop.tell(...GIVEN, ...FAILED);
    const { transactionId } = await shop.recovery();
    await charged(shop, transactionId);
    expect(await shop.merchant.ledger(transactionId)).toMatchObject([{ status: 'failed' }]);
    expect(await shop.recovery()).toMatchObject({ state: 'queued', lastDeclineCode: 'insufficient_funds' });
  });

  it('is not charged in mode observe', async () => {
    const shop = await StripeShop.open(world, { mode: 'observe' });
    const subscription = await shop.subscribe('pm_test_lost_card');
    await shop.bill(subscription);
    await give(shop, subscription);
    await shop.tell(...GIVEN, ...FAILED);
    expect(await shop.recovery()).toMatchObject({ state: 'blocked', attemptCount: 0 });
  });
});

describe('a new card', () => {
  it('that comes while a charge of the old one is on the wire is charged after that one’s decline', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe('pm_test_insufficient_funds');
    await shop.bill(subscription);
    await shop.tell(...FAILED);
    const { transactionId } = await shop.recovery();
    const wire = holdNextCharge(shop.merchant.clientId);
    const retried = shop.merchant.retry(transactionId);
    await Promise.race([wire.reached, retried]);
    expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'in_progress' });
    await give(shop, subscription);
    for (const event of await shop.happened(...GIVEN)) await shop.send(event);
    wire.release();
    await retried;
    await shop.worked();
    expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'succeeded', trigger: 'card_updated' });
    expect(await shop.merchant.ledger(transactionId)).toMatchObject([{ status: 'failed' }, { status: 'succeeded' }]);
  });

  it('whose events all come at once is charged once, declined too', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe('pm_test_expired_card');
    await shop.bill(subscription);
    await shop.tell(...FAILED);
    await give(shop, subscription, 'pm_test_do_not_honor');
    await Promise.all((await shop.happened(...GIVEN)).map((event) => shop.send(event)));
    await shop.worked();
    const { transactionId } = await shop.recovery();
    expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'queued', round: 2 });
    expect(await shop.merchant.ledger(transactionId)).toMatchObject([{ status: 'failed' }]);
  });
});

describe('a card that the network renews behind a method that the merchant executes with', () => {
  const renewed = async (token: string, request: object = {}) => {
    const shop = await StripeShop.open(world);
    const { body } = await shop.merchant.execute({ paymentMethodToken: token, ...request });
    await shop.bank.admin.replaceCard(shop.merchant.clientId, token, 'pm_card_visa');
    return { shop, id: body.transactionId };
  };

  it('is charged at once, and once', async () => {
    const { shop, id } = await renewed('pm_test_expired_card');
    await shop.tell('payment_method.automatically_updated');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'card_updated', round: 2 });
    const [told] = await shop.happened('payment_method.automatically_updated');
    await shop.send({ ...told, id: 'evt_told_again' });
    await shop.worked();
    expect(await shop.merchant.ledger(id)).toMatchObject([{ status: 'failed' }, { status: 'succeeded' }]);
  });

  it('is left alone where a person has to look, and after the debt’s own time', async () => {
    const fraud = await renewed('pm_test_fraudulent');
    await fraud.shop.tell('payment_method.automatically_updated');
    expect(await fraud.shop.merchant.status(fraud.id)).toMatchObject({ state: 'blocked', round: 1 });

    const late = await renewed('pm_test_expired_card');
    const { deadlineAt } = await late.shop.merchant.status(late.id);
    await late.shop.merchant.advanceTo(later(deadlineAt, MINUTE_MS));
    await late.shop.tell('payment_method.automatically_updated');
    expect(await late.shop.merchant.status(late.id)).toMatchObject({ state: 'failed', round: 1 });
  });
});

it('a bank debit that was returned is not presented again because its subscription changes', async () => {
  const shop = await StripeShop.open(world);
  const subscription = await shop.subscribe('pm_usBankAccount_insufficientFunds');
  // It is returned as soon as anybody looks.
  const paymentId = await shop.bank.paymentOf(await shop.bill(subscription));
  expect(await shop.bank.read(paymentId)).toMatchObject({ status: 'requires_payment_method' });
  await shop.tell();
  await shop.bank.stripe.subscriptions.update(subscription.id, { metadata: { plan: 'yearly' } });
  await shop.tell('customer.subscription.updated');
  const recovery = await shop.recovery();
  expect(recovery).toMatchObject({ state: 'queued', round: 1 });
  expect(await shop.merchant.ledger(recovery.transactionId)).toEqual([]);
});

/** Waits until the first charge of a recovery has its answer. */
async function charged(shop: StripeShop, transactionId: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const [first] = (await shop.merchant.status(transactionId)).attempts;
    if (first?.endedAt != null) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('nothing was charged');
}

/** Holds a client's next charge that somebody asks for back on its way to the gateway. */
function holdNextCharge(clientId: string): { reached: Promise<void>; release: () => void } {
  const gateway = world.app.service.app.get(GatewayRegistry).gatewayFor({ provider: 'test' }, 'request');
  const real = gateway.charge.bind(gateway);
  let [release, reach] = [() => {}, () => {}];
  const released = new Promise<void>((resolve) => (release = resolve));
  const reached = new Promise<void>((resolve) => (reach = resolve));
  gateway.charge = async (account, ...rest) => {
    if (account.clientId !== clientId) return real(account, ...rest);
    gateway.charge = real;
    reach();
    await released;
    return real(account, ...rest);
  };
  return { reached, release };
}

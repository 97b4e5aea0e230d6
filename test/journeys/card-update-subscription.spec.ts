import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { newLink, saveCard } from '../support/card-update.js';
import { StripeShop } from '../support/stripe-events.js';
import { World } from '../support/story.js';

const OLD = 'pm_test_insufficient_funds';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

/** A subscription whose invoice failed, its recovery, and a link for its customer. */
async function failed(shop: StripeShop, cardOf: 'subscription' | 'customer' = 'subscription') {
  const subscription = await shop.subscribe(cardOf === 'subscription' ? OLD : null);
  const settings = { invoice_settings: { default_payment_method: OLD } };
  if (cardOf === 'customer') await shop.bank.stripe.customers.update(subscription.customer, settings);
  const invoiceId = await shop.bill(subscription);
  await shop.tell();
  const { transactionId } = await shop.recovery();
  const link = await newLink(shop.merchant, { paymentMethodToken: OLD, transactionId });
  return { subscription, invoiceId, transactionId, link };
}

const cardOf = async ({ bank }: StripeShop, subscriptionId: string) =>
  (await bank.stripe.subscriptions.retrieve(subscriptionId)).default_payment_method;
const customersCard = async ({ bank }: StripeShop, id: string) => {
  const customer = await bank.stripe.customers.retrieve(id);
  return customer.deleted ? null : customer.invoice_settings.default_payment_method;
};

it('a card saved by a customer who never comes back is taken by the verified event: the subscription has it, and is paid', async () => {
  const shop = await StripeShop.open(world);
  const { subscription, invoiceId, transactionId, link } = await failed(shop);
  await saveCard(link);
  await shop.tell('checkout.session.completed');
  expect(await shop.merchant.event(transactionId, 'recovery.success')).toMatchObject({ trigger: 'card_updated' });
  expect(await shop.merchant.event(transactionId, 'card.updated')).toMatchObject({
    gatewayCustomerId: subscription.customer,
  });
  expect(await cardOf(shop, subscription.id)).not.toBe(OLD);
  expect(await customersCard(shop, subscription.customer)).toBeNull();
  expect(await shop.bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
});

it('with every event of it, in any number: one charge, one event of each kind', async () => {
  const shop = await StripeShop.open(world);
  const { transactionId, link } = await failed(shop);
  await saveCard(link);
  for (let times = 0; times < 2; times += 1) await shop.tell();
  await shop.merchant.event(transactionId, 'recovery.success');
  await shop.merchant.event(transactionId, 'card.updated');
  await shop.tell();
  const ours = (await shop.merchant.ledger()).filter(({ attemptId }) => attemptId !== null);
  expect(ours).toMatchObject([{ status: 'succeeded' }]);
  const told = shop.merchant.events(transactionId).map(({ event }) => event);
  expect(told.sort()).toEqual(['card.updated', 'recovery.success']);
});

it('a subscription without a card of its own leaves its customer’s to be replaced', async () => {
  const shop = await StripeShop.open(world);
  const { subscription, transactionId, link } = await failed(shop, 'customer');
  await saveCard(link);
  await shop.tell('checkout.session.completed');
  await shop.merchant.event(transactionId, 'recovery.success');
  expect(await cardOf(shop, subscription.id)).toBeNull();
  expect(await customersCard(shop, subscription.customer)).toMatch(/^pm_/);
  expect(await customersCard(shop, subscription.customer)).not.toBe(OLD);
});

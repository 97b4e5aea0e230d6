import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { StripeShop } from '../support/stripe-events.js';
import { World } from '../support/story.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

const FAILED = ['charge.failed', 'payment_intent.payment_failed', 'invoice.payment_failed'] as const;

describe('a failed invoice of a subscription', () => {
  it('opens one recovery, with the code of its decline, its invoice and its customer', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe();
    const invoice = await shop.bill(subscription);
    await shop.tell();
    const recovery = await shop.recovery();
    expect(recovery).toMatchObject({
      ...{ state: 'queued', reference: invoice, customerId: subscription.customer, amount: 2_500, currency: 'USD' },
      ...{ lastDeclineCode: 'insufficient_funds', metadata: { stripeSubscription: subscription.id } },
    });
    expect(await shop.outcomes()).toEqual(
      expect.arrayContaining(['invoice.payment_failed opened_queued', 'customer.subscription.created unknown_type']),
    );
    expect(await shop.merchant.ledger()).toMatchObject([{ status: 'failed', revtainTransactionId: null }]);
  });

  it('is paid by the engine on its own schedule, and told once', async () => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe('pm_test_insufficient_funds_x1');
    const invoice = await shop.bill(subscription);
    await shop.tell();
    const { transactionId, nextRetryAt } = await shop.recovery();
    await shop.merchant.advanceTo(String(nextRetryAt));
    expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'succeeded', trigger: 'scheduled_retry' });
    expect(await shop.bank.readInvoice(invoice)).toMatchObject({ status: 'paid' });
    await shop.tell();
    const told = await shop.merchant.event(transactionId, 'recovery.success');
    expect(told).toMatchObject({ trigger: 'scheduled_retry' });
    expect(told).toMatchObject({ subscriptionId: subscription.id, subscriptionStatus: 'active' });
    expect(shop.merchant.events(transactionId)).toHaveLength(1);
  });

  it('with a dead card asks for a new one at once', async () => {
    const shop = await StripeShop.open(world);
    await shop.bill(await shop.subscribe('pm_test_expired_card'));
    await shop.tell();
    const { transactionId } = await shop.recovery();
    expect(await shop.merchant.event(transactionId, 'recovery.failed')).toMatchObject({
      ...{ endReason: 'hard_decline', recommendedAction: 'request_card_update', declineCode: 'expired_card' },
    });
  });

  it('without any card asks for one', async () => {
    const shop = await StripeShop.open(world);
    await shop.bill(await shop.subscribe(null));
    await shop.tell();
    expect(await shop.recovery()).toMatchObject({ state: 'failed', recommendedAction: 'request_card_update' });
    expect(await shop.merchant.ledger()).toEqual([]);
  });

  it('of a first payment is no debt', async () => {
    const shop = await StripeShop.open(world);
    const { id } = await shop.subscribe();
    await shop.bank.admin.billSubscription(shop.merchant.clientId, id, 'subscription_create');
    await shop.tell();
    expect(await shop.recoveries()).toEqual([]);
    expect(await shop.outcomes()).toContain('invoice.payment_failed first_payment');
  });

  it('that asks for authentication waits for the customer', async () => {
    const shop = await StripeShop.open(world);
    const invoice = await shop.bill(await shop.subscribe('pm_card_authenticationRequired'));
    await shop.tell();
    const { transactionId } = await shop.recovery();
    expect(await shop.recovery()).toMatchObject({ state: 'action_required' });
    await shop.bank.admin.authenticate(shop.merchant.clientId, await shop.bank.paymentOf(invoice));
    await shop.tell('invoice.paid', 'payment_intent.succeeded');
    expect(await shop.merchant.event(transactionId, 'recovery.success')).toMatchObject({ trigger: 'external' });
  });
});

describe('what happens to the invoice meanwhile', () => {
  const opened = async (settings: Record<string, unknown> = {}, token = 'pm_test_insufficient_funds') => {
    const shop = await StripeShop.open(world, settings);
    const subscription = await shop.subscribe(token);
    const invoice = await shop.bill(subscription);
    await shop.tell(...FAILED);
    const { transactionId } = await shop.recovery();
    return { shop, subscription, invoice, id: transactionId };
  };

  it('paid by the customer on a page of Stripe: external, and nothing more is charged', async () => {
    const { shop, invoice, id } = await opened();
    await shop.bank.stripe.invoices.pay(invoice, { payment_method: 'pm_card_visa' });
    await shop.tell('invoice.paid');
    expect(await shop.merchant.event(id, 'recovery.success')).toMatchObject({
      trigger: 'external',
      strategyUsed: 'external',
      subscriptionStatus: 'active',
    });
    expect(await shop.merchant.ledger(id)).toEqual([]);
  });

  it('paid out of band: external', async () => {
    const { shop, invoice, id } = await opened();
    await shop.bank.stripe.invoices.pay(invoice, { paid_out_of_band: true });
    await shop.tell('invoice.paid');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'external' });
  });

  it('voided: cancelled, voided', async () => {
    const { shop, invoice, id } = await opened();
    await shop.bank.stripe.invoices.voidInvoice(invoice);
    await shop.tell('invoice.voided');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'cancelled', endReason: 'voided' });
  });

  it('written off: cancelled, uncollectible; paid after all: a late success', async () => {
    const { shop, invoice, id } = await opened();
    await shop.bank.stripe.invoices.markUncollectible(invoice);
    await shop.tell('invoice.marked_uncollectible');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'cancelled', endReason: 'uncollectible' });
    await shop.bank.stripe.invoices.pay(invoice, { payment_method: 'pm_card_visa' });
    await shop.tell('invoice.paid');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'late_success' });
    expect(await world.alertsOf(shop.merchant.clientId)).toContain('late_success');
  });

  it('the subscription deleted: churned', async () => {
    const { shop, subscription, id } = await opened();
    await shop.bank.admin.giveUpSubscription(shop.merchant.clientId, subscription.id);
    await shop.tell('customer.subscription.deleted');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'cancelled', endReason: 'subscription_deleted' });
  });

  it('refunded or disputed after success: no state changes, an operator is told once', async () => {
    const { shop, invoice, id } = await opened();
    await shop.bank.stripe.invoices.pay(invoice, { payment_method: 'pm_card_visa' });
    await shop.tell('invoice.paid');
    await shop.bank.admin.dispute(shop.merchant.clientId, await shop.bank.paymentOf(invoice));
    await shop.tell('charge.dispute.created');
    await shop.tell('charge.dispute.created', 'charge.refunded');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'succeeded' });
    expect((await shop.merchant.timeline(id)).filter(({ type }) => type === 'disputed')).toHaveLength(1);
    expect(await world.alertsOf(shop.merchant.clientId)).toContain('payment_reversed');
  });

  it('a mandate taken back: no more debits, and the customer is asked', async () => {
    const { shop, id } = await opened();
    await shop.bank.admin.endMandate(shop.merchant.clientId, 'pm_test_insufficient_funds');
    await shop.tell('mandate.updated');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'failed', endReason: 'hard_decline' });
  });

  it('tried by Stripe itself: its decline decides, and the gap runs from it', async () => {
    const { shop, invoice, id } = await opened({ mode: 'fill' }, 'pm_test_do_not_honor_then_stolen_card');
    await shop.merchant.advanceTo(new Date(Date.now() + 3_600_000));
    await shop.bank.admin.retryInvoice(shop.merchant.clientId, invoice);
    await shop.tell('invoice.payment_failed');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'blocked', lastDeclineCode: 'stolen_card' });
    expect(await shop.merchant.ledger(id)).toEqual([]);
  });
});

describe('an account that was connected, and takes the access back', () => {
  it('stops everything that is open, without a call to Stripe; another account’s word stops nothing', async () => {
    const shop = await StripeShop.open(world);
    await shop.bill(await shop.subscribe());
    await shop.bill(await shop.subscribe('pm_card_authenticationRequired'));
    await shop.tell(...FAILED, 'invoice.payment_action_required');
    const { clientId } = shop.merchant;
    await world.database.query(
      `INSERT INTO connector_accounts (client_id, platform, account_id, connected_at) VALUES ($1, 'stripe-billing', 'acct_1', now())`,
      [clientId],
    );
    await new Promise((resolve) => setTimeout(resolve, 1_100)); // How long a process keeps what it has read.
    const word = {
      ...{ object: 'event', type: 'account.application.deauthorized', livemode: false },
      ...{ data: { object: { id: 'ca_1', object: 'application' } } },
    };
    await shop.send({ ...word, id: 'evt_of_another', account: 'acct_2' });
    await shop.worked();
    expect((await shop.recoveries()).map(({ state }) => state).sort()).toEqual(['action_required', 'queued']);
    await shop.send({ ...word, id: 'evt_of_ours', account: 'acct_1' });
    await shop.worked();
    for (const recovery of await shop.recoveries()) {
      expect(recovery).toMatchObject({ state: 'cancelled', endReason: 'deauthorised' });
    }
    const { rows } = await world.database.query<{ at: Date | null }>(
      `SELECT deauthorised_at AS at FROM connector_accounts WHERE client_id = $1`,
      [clientId],
    );
    expect(rows[0]?.at).not.toBeNull();
  });
});

describe('a new card', () => {
  const opened = async (token: string) => {
    const shop = await StripeShop.open(world);
    const subscription = await shop.subscribe(token);
    await shop.bill(subscription);
    await shop.tell(...FAILED);
    return { shop, subscription, id: (await shop.recovery()).transactionId };
  };

  it('that the subscription will use is charged at once', async () => {
    const { shop, subscription, id } = await opened('pm_test_expired_card');
    const { paymentMethods, subscriptions } = shop.bank.stripe;
    const card = await paymentMethods.attach('pm_card_visa', { customer: subscription.customer });
    await subscriptions.update(subscription.id, { default_payment_method: card.id });
    await shop.tell('payment_method.attached');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'succeeded', trigger: 'card_updated', round: 2 });
    expect(await shop.merchant.ledger(id)).toMatchObject([{ status: 'succeeded' }]);
  });

  it('that nothing will use is left alone', async () => {
    const { shop, subscription, id } = await opened('pm_test_insufficient_funds');
    await shop.bank.stripe.paymentMethods.attach('pm_card_visa', { customer: subscription.customer });
    for (const event of await shop.happened('payment_method.attached')) await shop.send(event);
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'queued', round: 1 });
    expect(await shop.merchant.ledger(id)).toEqual([]);
  });

  it('that the network has put behind the old one is charged once', async () => {
    const { shop, id } = await opened('pm_test_expired_card');
    await shop.bank.admin.replaceCard(shop.merchant.clientId, 'pm_test_expired_card', 'pm_test_insufficient_funds');
    await shop.tell('payment_method.automatically_updated');
    expect(await shop.merchant.status(id)).toMatchObject({ state: 'queued', round: 2 });
    const again = await shop.happened('payment_method.automatically_updated');
    await shop.send({ ...again[0], id: 'evt_told_again' });
    await shop.worked();
    expect(await shop.merchant.ledger(id)).toMatchObject([{ status: 'failed' }]);
  });
});

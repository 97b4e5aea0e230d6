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

/** Every order of a list. */
function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}

/** Of each story's up to 720 orders so many are played: `npm run orders` plays all of them. */
const ORDERS_MAX = Number(process.env['ORDERS'] ?? 6);
const MINUTES_20_MS = 1_200_000;

/** Every n-th order, so that a database is asked for a few and all places still change. */
function some<T>(orders: readonly T[], count = ORDERS_MAX): T[] {
  const step = Math.max(1, Math.floor(orders.length / count));
  return orders.filter((_, index) => index % step === 0).slice(0, count);
}

type Story = (shop: StripeShop) => Promise<void>;

const STORIES: Record<string, { types: string[]; play: Story; end: object | null }> = {
  'failed, then paid by Stripe’s own retry': {
    types: [
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'invoice.paid',
      'payment_intent.succeeded',
      'invoice.payment_succeeded',
    ],
    play: async (shop) => {
      const invoice = await shop.bill(await shop.subscribe('pm_test_insufficient_funds_x1', { retries: true }));
      await shop.bank.admin.retryInvoice(shop.merchant.clientId, invoice);
    },
    end: null,
  },
  'failed, then voided': {
    types: [
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'invoice.voided',
      'invoice.updated',
    ],
    play: async (shop) => {
      const invoice = await shop.bill(await shop.subscribe());
      await shop.bank.stripe.invoices.voidInvoice(invoice);
    },
    end: null,
  },
  'failed, and then another card became the subscription’s': {
    types: [
      'charge.failed',
      'payment_intent.payment_failed',
      'invoice.payment_failed',
      'payment_method.attached',
      'customer.subscription.updated',
    ],
    play: async (shop) => {
      const { id, customer } = await shop.subscribe('pm_test_insufficient_funds');
      await shop.bill({ id });
      const card = await shop.bank.stripe.paymentMethods.attach('pm_card_visa', { customer });
      await shop.bank.stripe.subscriptions.update(id, { default_payment_method: card.id });
    },
    end: { state: 'succeeded', trigger: 'card_updated', attemptCount: 1 },
  },
  'failed twice': {
    types: ['charge.failed', 'payment_intent.payment_failed', 'invoice.payment_failed'],
    play: async (shop) => {
      const invoice = await shop.bill(await shop.subscribe('pm_test_insufficient_funds', { retries: true }));
      await shop.bank.admin.retryInvoice(shop.merchant.clientId, invoice);
    },
    end: { state: 'queued', attemptCount: 0, lastDeclineCode: 'insufficient_funds', round: 1 },
  },
};

describe.each(Object.entries(STORIES))('%s', (_name, { types, play, end }) => {
  it(
    'ends the same in every order that is tried, each event told twice',
    async () => {
      const shape = await StripeShop.open(world);
      await play(shape);
      const count = (await shape.happened(...types)).length;
      const orders = some(permutations(Array.from({ length: Math.min(count, 6) }, (_, index) => index)));
      for (const order of orders) {
        const shop = await StripeShop.open(world);
        await play(shop);
        const events = await shop.happened(...types);
        const inOrder = [...order, ...events.keys()].map((index) => events[index]);
        for (const event of inOrder) if (event) await shop.send(event);
        await shop.worked();
        const all = await shop.recoveries();
        expect(all).toHaveLength(end === null ? 0 : 1);
        // A charge that was asked for is the engine's to make: it comes right after the event.
        const [only] = all;
        if (only && end && 'trigger' in end) await shop.merchant.event(only.transactionId, 'recovery.success');
        if (end !== null) expect(await shop.recovery()).toMatchObject(end);
        const seen = await world.database.query(`SELECT FROM seen_charges WHERE client_id = $1`, [
          shop.merchant.clientId,
        ]);
        const declined = (await shop.happened('charge.failed')).length;
        expect(seen.rowCount).toBeLessThanOrEqual(declined);
      }
    },
    MINUTES_20_MS,
  );
});

describe('told one by one, as it happens', () => {
  it('failed, paid, refunded: succeeded, and the refund noted, whichever of the last events comes first', async () => {
    for (const order of permutations(['invoice.paid', 'payment_intent.succeeded', 'charge.refunded'])) {
      const shop = await StripeShop.open(world);
      const invoice = await shop.bill(await shop.subscribe());
      await shop.tell('invoice.payment_failed');
      const { transactionId } = await shop.recovery();
      await shop.bank.stripe.invoices.pay(invoice, { payment_method: 'pm_card_visa' });
      await shop.bank.stripe.refunds.create({ payment_intent: await shop.bank.paymentOf(invoice) });
      for (const type of order) await shop.tell(type);
      expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'succeeded', trigger: 'external' });
      const steps = (await shop.merchant.timeline(transactionId)).map(({ type }) => type);
      expect(steps.filter((type) => type === 'recovered')).toHaveLength(1);
      expect(steps.filter((type) => type === 'refunded')).toHaveLength(1);
      await shop.merchant.event(transactionId, 'recovery.success');
      expect(shop.merchant.events(transactionId)).toHaveLength(1);
    }
  });
});

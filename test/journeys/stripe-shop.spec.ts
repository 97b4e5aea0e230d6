import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { GapFiller } from '../../src/connectors/gap-filler.js';
import { Courier } from '../support/courier.js';
import { SECRET, StripeShop } from '../support/stripe-events.js';
import { World } from '../support/story.js';

/** `npm run shop` plays a month of 2,000; the tests a smaller one. */
const SUBSCRIPTIONS = Number(process.env['SHOP_SUBSCRIPTIONS'] ?? 100);
const DAY_MS = 86_400_000;
const DAYS = 31;
const OUTAGE = { from: 10, to: 13 };

/** What cards a shop's customers have. */
const CARDS: readonly [number, string][] = [
  [0.72, 'pm_card_visa'],
  [0.8, 'pm_test_insufficient_funds_x1'],
  [0.85, 'pm_test_insufficient_funds_x2'],
  [0.9, 'pm_test_do_not_honor_x1'],
  [0.94, 'pm_test_insufficient_funds'],
  [0.97, 'pm_test_expired_card'],
  [0.985, 'pm_test_stolen_card'],
  [1, 'pm_card_authenticationRequired'],
];

let world: World;
let courier: Courier;
let shop: StripeShop;
const paidOutOfBand = new Set<string>();

/** mulberry32: a small generator, so that the same month comes again. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
const fraction = seeded(20_261_121);

beforeAll(async () => {
  world = await World.start();
  courier = await Courier.start(fraction);
  shop = await StripeShop.open(world);
  await shop.bank.admin.createAccount(shop.merchant.clientId, { webhookUrl: courier.url, webhookSecret: SECRET });
});

afterAll(async () => {
  await courier.stop();
  await world.stop();
});

/** Waits until the gateway has tried every event at least once. */
async function tried(): Promise<void> {
  const text = `SELECT count(*)::int AS left FROM test_gateway.deliveries WHERE tries = 0`;
  for (;;) {
    const { rows } = await world.database.query<{ left: number }>(text);
    if (rows[0]?.left === 0) return;
    await sleep(50);
  }
}

/** Everything that a customer or the merchant may do to an open invoice on a day. */
async function happen(invoice: string, subscription: string): Promise<void> {
  const { stripe, admin } = shop.bank;
  const drawn = fraction();
  if (drawn < 0.02) await stripe.invoices.pay(invoice, { payment_method: 'pm_card_visa' });
  else if (drawn < 0.03) await stripe.invoices.voidInvoice(invoice);
  else if (drawn < 0.04) await stripe.invoices.markUncollectible(invoice);
  else if (drawn < 0.05) await admin.giveUpSubscription(shop.merchant.clientId, subscription);
  else if (drawn < 0.06) {
    await stripe.invoices.pay(invoice, { paid_out_of_band: true });
    paidOutOfBand.add(invoice);
  }
}

const isRefusedByState = (error: unknown) =>
  /already|can only|belongs|No such subscription|processing/i.test(error instanceof Error ? error.message : '');

async function openInvoices(): Promise<{ id: string; subscription: string }[]> {
  const open: { id: string; subscription: string }[] = [];
  for await (const invoice of shop.bank.stripe.invoices.list({ status: 'open', limit: 100 })) {
    const subscription = invoice.parent?.subscription_details?.subscription;
    open.push({ id: invoice.id, subscription: typeof subscription === 'string' ? subscription : '' });
  }
  return open;
}

describe(`a month of a shop of ${SUBSCRIPTIONS} subscriptions`, () => {
  it('with duplicates, another order and three days without us: the books agree to the cent', async () => {
    const startAt = new Date();
    const subscriptions: { id: string; day: number }[] = [];
    for (let count = 0; count < SUBSCRIPTIONS; count += 1) {
      const drawn = fraction();
      const method = CARDS.find(([upTo]) => drawn < upTo)?.[1] ?? 'pm_card_visa';
      const amountMinor = 500 + Math.floor(fraction() * 20_000);
      const { id } = await shop.subscribe(method, { amountMinor });
      subscriptions.push({ id, day: Math.floor(fraction() * 28) });
    }

    for (let day = 0; day < DAYS; day += 1) {
      courier.outage(day >= OUTAGE.from && day < OUTAGE.to);
      await shop.merchant.advanceTo(new Date(startAt.getTime() + day * DAY_MS + 60_000));
      for (const { id } of subscriptions.filter((each) => each.day === day)) await shop.bill({ id });
      for (const { id, subscription } of await openInvoices()) {
        await happen(id, subscription).catch((error: unknown) => {
          if (!isRefusedByState(error)) throw error;
        });
      }
      await tried();
      await courier.deliver(shop.url);
      if (day === OUTAGE.to) await askForMissed();
      await shop.worked();
    }
    await shop.merchant.advanceTo(new Date(startAt.getTime() + 75 * DAY_MS));
    await tried();
    await courier.deliver(shop.url);
    await shop.worked();

    expect(courier.refused).toBeGreaterThan(0);
    await compareBooks();
  }, 3_600_000);

  async function askForMissed(): Promise<void> {
    // Its turn comes every ten minutes; a test does not wait for it.
    await world.database.query(`UPDATE connector_cursors SET due_at = now()`);
    await world.app.service.app.get(GapFiller, { strict: false }).tick();
    const { rows } = await world.database.query<{ due: Date }>(`SELECT due_at AS due FROM connector_cursors`);
    expect(rows[0]?.due.getTime()).toBeGreaterThan(Date.now());
  }

  /** Over before its failure reached us, it was no debt to recover any more. */
  async function isChurned(subscription: string | { id: string } | null | undefined): Promise<boolean> {
    if (typeof subscription !== 'string') return false;
    return (await shop.bank.stripe.subscriptions.retrieve(subscription)).status === 'canceled';
  }

  async function compareBooks(): Promise<void> {
    const recoveries = new Map<string, { state: string; amount: number; strategy: string; endReason: string | null }>();
    const { rows } = await world.database.query<{
      ref: string;
      state: string;
      amount: string;
      strategy: string;
      end_reason: string | null;
    }>(
      `SELECT reference AS ref, state, amount_minor AS amount, strategy, end_reason FROM recoveries WHERE client_id = $1`,
      [shop.merchant.clientId],
    );
    for (const { ref, state, amount, strategy, end_reason: endReason } of rows) {
      expect(recoveries.has(ref)).toBe(false); // One recovery per invoice.
      recoveries.set(ref, { state, amount: Number(amount), strategy, endReason });
    }
    const ledger = await shop.merchant.ledger();
    const collected = ledger.filter(({ status }) => status === 'succeeded');
    const sum = (amounts: number[]) => amounts.reduce((total, each) => total + each, 0);

    let paidMinor = 0;
    const wrong: string[] = [];
    for await (const invoice of shop.bank.stripe.invoices.list({ limit: 100 })) {
      const recovery = recoveries.get(invoice.id);
      if (invoice.status === 'paid' && !paidOutOfBand.has(invoice.id)) paidMinor += invoice.amount_paid;
      const agrees =
        invoice.status === 'paid'
          ? recovery === undefined || recovery.state === 'succeeded'
          : recovery !== undefined
            ? recovery.state !== 'succeeded'
            : invoice.status !== 'open' || (await isChurned(invoice.parent?.subscription_details?.subscription));
      if (!agrees) wrong.push(`${invoice.id} ${String(invoice.status)}, recovery ${JSON.stringify(recovery)}`);
    }
    expect(wrong).toEqual([]);
    // What the gateway booked is what invoices were paid with.
    expect(sum(collected.map(({ amount }) => amount))).toBe(paidMinor);
    // What recoveries say that we collected is what the gateway booked under our keys.
    const byUs = collected.filter(({ revtainTransactionId }) => revtainTransactionId !== null);
    const booked = [...recoveries.values()].filter(
      ({ state, strategy }) => state === 'succeeded' && strategy !== 'external',
    );
    expect(sum(booked.map(({ amount }) => amount))).toBe(sum(byUs.map(({ amount }) => amount)));
    expect(byUs.length).toBe(booked.length);
    expect(booked.length).toBeGreaterThan(0);
    console.log(
      `${SUBSCRIPTIONS} subscriptions, ${ledger.length} charges, ${rows.length} recoveries, ${booked.length} collected by us, ` +
        `${courier.delivered} events delivered, ${courier.refused} refused in the outage`,
    );
  }
});

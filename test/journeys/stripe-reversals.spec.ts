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

/** An invoice that somebody has paid with `card` on Stripe's own page, and what else is open of its customer. */
async function paid(card: string) {
  const shop = await StripeShop.open(world);
  const first = await shop.subscribe('pm_test_insufficient_funds_x1');
  const invoice = await shop.bill(first);
  await shop.tell(...FAILED);
  const { transactionId: paidId } = await shop.recovery();
  const second = await shop.bank.admin.openSubscription(shop.merchant.clientId, {
    ...{ customer: first.customer, amountMinor: 900, method: 'pm_test_insufficient_funds_x1' },
  });
  await shop.bill(second);
  await shop.tell(...FAILED);
  await shop.bank.stripe.invoices.pay(invoice, { payment_method: card });
  await shop.tell('invoice.paid');
  const onOldCard = (await shop.recoveries()).find(({ transactionId }) => transactionId !== paidId);
  const dispute = async () => shop.bank.admin.dispute(shop.merchant.clientId, await shop.bank.paymentOf(invoice));
  return { shop, dispute, onOldCard: onOldCard?.transactionId ?? '' };
}

describe('a dispute of a payment', () => {
  it('stops what else would charge that card, one that is being worked on in that moment too', async () => {
    const { shop, dispute, onOldCard } = await paid('pm_test_insufficient_funds_x1');
    await dispute();
    const lease = `UPDATE recoveries SET lease_owner = $2, lease_until = $3 WHERE id = $1`;
    await world.database.query(lease, [onOldCard, 'another', new Date(Date.now() + 60_000)]);
    for (const event of await shop.happened('charge.dispute.created')) await shop.send(event);
    await waitFor(shop, 'charge.dispute.created pending');
    await world.database.query(lease, [onOldCard, null, null]);
    await waitFor(shop, 'charge.dispute.created disputed');
    expect(await shop.merchant.status(onOldCard)).toMatchObject({ state: 'failed', endReason: 'disputed' });
  });

  it('stops the card that had paid, and not the one that had failed', async () => {
    const { shop, dispute, onOldCard } = await paid('pm_card_visa');
    const onPayingCard = await shop.merchant.execute({ originalDeclineCode: 'insufficient_funds' });
    await dispute();
    await shop.tell('charge.dispute.created');
    const { transactionId } = onPayingCard.body;
    expect(await shop.merchant.status(transactionId)).toMatchObject({ state: 'failed', endReason: 'disputed' });
    expect(await shop.merchant.status(onOldCard)).toMatchObject({ state: 'queued' });
  });
});

async function waitFor(shop: StripeShop, outcome: string): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    const { rows } = await world.database.query<{ tries: number }>(
      `SELECT tries FROM connector_events WHERE client_id = $1 AND type = 'charge.dispute.created'`,
      [shop.merchant.clientId],
    );
    if ((rows[0]?.tries ?? 0) > 0 && (await shop.outcomes()).includes(outcome)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not yet: ${JSON.stringify(await shop.outcomes())}`);
}

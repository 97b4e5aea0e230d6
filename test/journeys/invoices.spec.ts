import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import type { Bank } from '../support/bank.js';
import type { Merchant } from '../support/merchant.js';
import { seen, World } from '../support/story.js';

const COLLECTED = { http: 200, state: 'succeeded', success: true };
const EXTERNAL = { ...COLLECTED, strategyUsed: 'external', trigger: 'external', attemptCount: 0 };
/** Declined with this code the first charge waits three days: time for the invoice to change. */
const LATER = { originalDeclineCode: 'insufficient_funds' };

let world: World;
let merchant: Merchant;
let bank: Bank;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

const open = async (settings: Record<string, unknown> = {}) => {
  merchant = await world.merchant(settings);
  bank = await world.bank(merchant);
};
/** Charges of the engine's own: the merchant's and the customer's have none of its keys. */
const chargesByUs = async () => (await merchant.ledger()).filter(({ attemptId }) => attemptId !== null).length;

describe('an invoice', () => {
  it.each([
    { title: 'invoiceId', send: (id: string) => ({ invoiceId: id }) },
    { title: 'reference', send: (id: string) => ({ reference: id }) },
  ])('named by $title: is paid as that invoice', async ({ send }) => {
    await open();
    const invoiceId = await bank.openInvoice();
    expect(seen(await merchant.execute(send(invoiceId)))).toMatchObject({ ...COLLECTED, attemptCount: 1 });
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
  });

  it('declined and retried: paid with the same invoice, days later', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, paymentMethodToken: 'pm_test_do_not_honor_x1' });
    expect(body).toMatchObject({ state: 'queued', attemptCount: 1 });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded', attemptCount: 2 });
    expect(await bank.readInvoice(invoiceId)).toMatchObject({ status: 'paid' });
  });

  it('that is paid: collected by somebody else, whatever the amount says', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    await bank.stripe.invoices.pay(invoiceId, { payment_method: 'pm_card_visa' });
    expect(seen(await merchant.execute({ invoiceId, amount: 9_900 }))).toMatchObject(EXTERNAL);
  });

  it('that is void: cancelled', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    await bank.stripe.invoices.voidInvoice(invoiceId);
    const answer = await merchant.execute({ invoiceId });
    expect(seen(answer)).toMatchObject({ http: 200, success: false, state: 'cancelled', endReason: 'voided' });
  });

  it('that is a draft: 400', async () => {
    await open();
    const answer = await merchant.execute({ invoiceId: await bank.draftInvoice() });
    expect(seen(answer)).toMatchObject({ http: 400, code: 'invoice_not_open' });
  });

  it.each([{ amount: 2_400 }, { amount: 2_600 }, { currency: 'EUR' }])(
    'that has another amount left: 400 (%j)',
    async (send) => {
      await open();
      const answer = await merchant.execute({ invoiceId: await bank.openInvoice(), ...send });
      expect(seen(answer)).toMatchObject({ http: 400, code: 'amount_mismatch' });
      expect(JSON.stringify(answer.body)).toContain('2500 USD');
      expect(await merchant.ledger()).toEqual([]);
    },
  );

  it('that was uncollectible already: is payable', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    await bank.stripe.invoices.markUncollectible(invoiceId);
    expect(seen(await merchant.execute({ invoiceId }))).toMatchObject(COLLECTED);
  });

  it('with less left by then: that is collected, and the answer tells both amounts', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, ...LATER });
    await bank.admin.changeInvoiceAmount(merchant.clientId, invoiceId, 2_000);
    await merchant.advanceTo(String(body.scheduledFor));
    const told = { amount: 2_000, amountRequested: 2_500 };
    expect(await merchant.event(body.transactionId, 'recovery.success')).toMatchObject(told);
    expect(await merchant.status(body.transactionId)).toMatchObject(told);
    expect(await merchant.ledger(body.transactionId)).toMatchObject([{ amount: 2_000 }]);
  });

  it('with more left by then: nothing is charged, a person must look', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, ...LATER });
    await bank.admin.changeInvoiceAmount(merchant.clientId, invoiceId, 3_000);
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.event(body.transactionId, 'recovery.failed')).toMatchObject({
      ...{ endReason: 'amount_changed', recommendedAction: 'manual_review', recommendedActionDetail: 'amount_changed' },
    });
    expect(await merchant.ledger()).toEqual([]);
  });

  it('with more left when a lost charge would be sent again: nothing is charged either', async () => {
    await open();
    const invoiceId = await bank.openInvoice();
    const lost = { invoiceId, paymentMethodToken: 'pm_test_fault_reset_before_charge' };
    const { body } = await merchant.execute(lost);
    expect(body).toMatchObject({ status: 'unknown' });
    await bank.admin.changeInvoiceAmount(merchant.clientId, invoiceId, 3_000);
    await merchant.advanceTo(new Date(Date.parse(String(body.updatedAt)) + 120_000));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'failed', endReason: 'amount_changed' });
    expect(await merchant.ledger()).toEqual([]);
  });

  it.each([
    { end: 'paid', settle: (id: string) => bank.stripe.invoices.pay(id, { payment_method: 'pm_card_visa' }) },
    { end: 'void', settle: (id: string) => bank.stripe.invoices.voidInvoice(id) },
    { end: 'uncollectible', settle: (id: string) => bank.stripe.invoices.markUncollectible(id) },
  ])('that reads $end by then: nothing is charged', async ({ end, settle }) => {
    await open();
    const invoiceId = await bank.openInvoice();
    const { body } = await merchant.execute({ invoiceId, ...LATER });
    await settle(invoiceId);
    await merchant.advanceTo(String(body.scheduledFor));
    const state = end === 'paid' ? 'succeeded' : 'cancelled';
    const endReason = { paid: null, void: 'voided', uncollectible: 'uncollectible' }[end];
    expect(await merchant.status(body.transactionId)).toMatchObject({ state, endReason, attemptCount: 0 });
    expect(await chargesByUs()).toBe(0);
  });
});

describe('the payment method at the gateway', () => {
  it('is unknown: 400 that names the field', async () => {
    await open();
    const answer = await merchant.execute({ paymentMethodToken: 'pm_nobody' });
    expect(seen(answer)).toMatchObject({ http: 400, errors: [{ field: 'paymentMethodToken' }] });
  });

  it('belongs to another customer than was said: 400', async () => {
    await open();
    const { id: gatewayCustomerId } = await bank.stripe.customers.create({});
    const answer = await merchant.execute({ gatewayCustomerId });
    expect(seen(answer)).toMatchObject({ http: 400, errors: [{ field: 'gatewayCustomerId' }] });
  });

  it('has no customer: charged in the request whatever the step says, once', async () => {
    await open();
    const { id } = await bank.stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } });
    const answer = await merchant.execute({ paymentMethodToken: id, originalDeclineCode: 'insufficient_funds' });
    expect(seen(answer)).toMatchObject({ ...COLLECTED, attemptCount: 1 });
  });
});

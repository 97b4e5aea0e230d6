import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';

import type { ChargeResult } from '../../src/gateways/gateway.js';
import {
  chargePayment,
  createPayment,
  type GatewayBench,
  openInvoice,
  options,
  payInvoice,
  startGatewayBench,
  valueOf,
} from '../support/gateway-bench.js';

let started: Awaited<ReturnType<typeof startGatewayBench>>;
let bench: GatewayBench;
let own: GatewayBench['own'];
let test: GatewayBench['test'];
let account: GatewayBench['account'];
let gateway: GatewayBench['gateway'];

beforeAll(async () => {
  started = await startGatewayBench();
});

afterAll(() => started.stop());

beforeEach(async () => {
  bench = await started.open();
  ({ own, test, account, gateway } = bench);
});

describe('the original', () => {
  const read = (id: string) => gateway.readOriginal(account, id, options);

  it('is found by its charge and by its payment, with when and why it failed', async () => {
    const payment = await createPayment(bench);
    const result = await chargePayment(bench, payment.id, 'pm_test_do_not_honor');
    const byPayment = valueOf(await read(payment.id));
    expect(byPayment).toMatchObject({
      original: { kind: 'payment', id: payment.id },
      checkoutOwned: false,
      failedAt: expect.any(Date) as object,
      signals: { declineCode: 'do_not_honor' },
    });
    const chargeId = result.kind === 'declined' ? result.chargeId : null;
    await expect(read(chargeId ?? '')).resolves.toEqual({ kind: 'found', value: byPayment });
  });

  it('is the invoice where the payment belongs to one', async () => {
    const id = await openInvoice(bench);
    const result = await payInvoice(bench, id, 'pm_test_do_not_honor');
    const { chargeId, paymentId } = result as ChargeResult & { kind: 'declined' };
    const byInvoice = await read(id);
    expect(byInvoice).toMatchObject({
      value: { original: { kind: 'invoice', id }, signals: { declineCode: 'do_not_honor' } },
    });
    await expect(read(paymentId ?? '')).resolves.toEqual(byInvoice);
    await expect(read(chargeId ?? '')).resolves.toEqual(byInvoice);
  });

  it('is known to be owned by a Checkout Session, refunded, disputed or missing', async () => {
    const owned = await createPayment(bench);
    await own.admin.ownByCheckoutSession(test.accountId, owned.id);
    await expect(read(owned.id)).resolves.toMatchObject({ value: { checkoutOwned: true } });

    const refunded = await createPayment(bench);
    await chargePayment(bench, refunded.id, 'pm_card_visa');
    await test.stripe.refunds.create({ payment_intent: refunded.id });
    await expect(read(refunded.id)).resolves.toMatchObject({
      value: { original: { latestCharge: { refunded: true } } },
    });

    const disputed = await createPayment(bench);
    await chargePayment(bench, disputed.id, 'pm_card_visa');
    await own.admin.dispute(test.accountId, disputed.id);
    await expect(read(disputed.id)).resolves.toMatchObject({
      value: { original: { latestCharge: { disputed: true } } },
    });

    await expect(read('pi_doesnotexist')).resolves.toEqual({ kind: 'not_found' });
    await expect(read('order_7')).resolves.toEqual({ kind: 'not_found' });
  });
});

describe('readings', () => {
  it('tell a payment method with its customer and card', async () => {
    await expect(gateway.readPaymentMethod(account, 'pm_card_visa__country_in', options)).resolves.toMatchObject({
      kind: 'found',
      value: { token: 'pm_card_visa__country_in', customerId: test.cardholder, card: { brand: 'visa', country: 'IN' } },
    });
    await expect(gateway.readPaymentMethod(account, 'pm_nosuchmethod', options)).resolves.toEqual({
      kind: 'not_found',
    });
  });

  it('list a customer’s payments of one amount over all pages, those of an invoice marked', async () => {
    const invoiceId = await openInvoice(bench);
    const single = await createPayment(bench);
    await createPayment(bench, 2600);
    await createPayment(bench, 2500, 'EUR');
    for (let other = 0; other < 101; other++)
      await test.stripe.paymentIntents.create({ amount: 900, currency: 'usd', customer: test.cardholder });
    const query = {
      customerId: test.cardholder,
      since: new Date(Date.now() - 3_600_000),
      amountMinor: 2500,
      currency: 'USD',
    };
    const found = valueOf(await gateway.listPayments(account, query, options));
    expect(found.map(({ id, invoiceId: of }) => [id === single.id, of])).toEqual([
      [true, null],
      [false, invoiceId],
    ]);
  });

  it('refuse a key that is not the account’s, and call nothing found', async () => {
    const stranger = { ...account, secretKey: 'sk_test_nobody' };
    await expect(gateway.readPayment(stranger, 'pi_1', options)).resolves.toMatchObject({
      kind: 'account_refused',
      status: 401,
    });
    expect(await gateway.isReachable(options)).toBe(true);
  });

  it('agree with the version that the SDK was made for', async () => {
    const balance = await test.stripe.customers.retrieve(test.cardholder);
    expect(balance.lastResponse.apiVersion).toBe(Stripe.API_VERSION);
  });
});

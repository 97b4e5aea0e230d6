import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  cardError,
  charge,
  failedCharge,
  invoice,
  invoicePayment,
  list,
  paymentIntent,
} from '../../../test/support/stripe-objects.js';
import { account, asked, options, stubbedGateway, type StubbedGateway } from '../../../test/support/stubbed-gateway.js';

let stub: StubbedGateway['stub'];
let gateway: StubbedGateway['gateway'];
let close: StubbedGateway['close'];

beforeEach(async () => {
  ({ stub, gateway, close } = await stubbedGateway());
});

afterEach(() => close());

describe('resolving the original', () => {
  const read = (id: string) => gateway.readOriginal(account, id, options);

  it('goes from a charge to its payment, and asks whether a Checkout Session owns it', async () => {
    const payment = paymentIntent({ last_payment_error: cardError(), latest_charge: failedCharge() });
    stub.willAnswer({ body: failedCharge() }, { body: list([]) }, { body: payment });
    stub.willAnswer({ body: list([{ id: 'cs_1', object: 'checkout.session' }]) });
    await expect(read('ch_1')).resolves.toMatchObject({
      kind: 'found',
      value: {
        original: { kind: 'payment', id: 'pi_1', invoiceId: null },
        checkoutOwned: true,
        failedAt: new Date(1_795_000_100_000),
        signals: { declineCode: 'insufficient_funds', networkDeclineCode: '51' },
      },
    });
    expect(stub.seen.map(asked)).toEqual([
      'GET /v1/charges/ch_1',
      'GET /v1/invoice_payments',
      'GET /v1/payment_intents/pi_1',
      'GET /v1/checkout/sessions',
    ]);
    expect(Object.fromEntries(stub.seen[1]?.query ?? [])).toMatchObject({
      'payment[type]': 'payment_intent',
      'payment[payment_intent]': 'pi_1',
    });
    expect(stub.seen[3]?.query.get('payment_intent')).toBe('pi_1');
  });

  it('does not ask for a Checkout Session where the payment could not be adopted anyway', async () => {
    const payment = paymentIntent({ status: 'succeeded', latest_charge: charge() });
    stub.willAnswer({ body: list([]) }, { body: payment });
    await expect(read('pi_1')).resolves.toEqual({
      kind: 'found',
      value: {
        original: expect.objectContaining({ status: 'succeeded' }) as object,
        checkoutOwned: false,
        failedAt: null,
        signals: null,
      },
    });
    expect(stub.seen).toHaveLength(2);
  });

  it('goes on to the invoice that a payment belongs to', async () => {
    const canceled = invoicePayment({ status: 'canceled', invoice: 'in_9' });
    stub.willAnswer({ body: list([canceled, invoicePayment()]) }, { body: invoice() }, { body: paymentIntent() });
    await expect(read('pi_1')).resolves.toMatchObject({
      value: { original: { kind: 'invoice', id: 'in_1' }, checkoutOwned: false },
    });
  });

  it('reads an invoice by its own id, with when and why its payment failed', async () => {
    const payment = paymentIntent({ latest_charge: failedCharge(), last_payment_error: cardError() });
    stub.willAnswer({ body: invoice() }, { body: payment });
    await expect(read('in_1')).resolves.toMatchObject({
      value: { failedAt: new Date(1_795_000_100_000), signals: { declineCode: 'insufficient_funds' } },
    });
  });

  it('keeps a charge that has no payment', async () => {
    stub.willAnswer({ body: failedCharge({}, { payment_intent: null }) });
    await expect(read('py_1')).resolves.toMatchObject({
      value: { original: { kind: 'charge', charge: { id: 'ch_1', paymentId: null } }, checkoutOwned: false },
    });
  });

  it('says that it does not exist, and that it can not be read now', async () => {
    stub.willAnswer({ status: 404, body: { error: { code: 'resource_missing', message: 'm' } } }, { resets: true });
    await expect(read('ch_1')).resolves.toEqual({ kind: 'not_found' });
    await expect(read('ch_1')).resolves.toMatchObject({ kind: 'unavailable' });
  });

  it('ends at one deadline for all of its calls', async () => {
    stub.willAnswer({ body: failedCharge() }, { hangs: true });
    const startedMs = performance.now();
    const answer = await gateway.readOriginal(account, 'ch_1', { timeoutMs: 400 });
    expect(answer).toMatchObject({ kind: 'unavailable', cause: 'lost_reply' });
    expect(performance.now() - startedMs).toBeLessThan(900);
  });
});

describe('listing payments', () => {
  const query = { customerId: 'cus_1', since: new Date(1_794_000_000_500), amountMinor: 1050, currency: 'USD' };

  it('reads all pages, and asks for the invoice only where amount and currency match', async () => {
    stub.willAnswer({ body: list([paymentIntent({ id: 'pi_3' }), paymentIntent({ id: 'pi_2', amount: 7 })], true) });
    stub.willAnswer({ body: list([invoicePayment()]) });
    stub.willAnswer({ body: list([paymentIntent({ id: 'pi_1' }), paymentIntent({ id: 'pi_0', currency: 'eur' })]) });
    stub.willAnswer({ body: list([]) });
    await expect(gateway.listPayments(account, query, options)).resolves.toMatchObject({
      kind: 'found',
      value: [
        { id: 'pi_3', invoiceId: 'in_1' },
        { id: 'pi_1', invoiceId: null },
      ],
    });
    const lists = stub.seen.filter(({ path }) => path === '/v1/payment_intents');
    expect(lists.map((request) => request.query.get('starting_after'))).toEqual([null, 'pi_2']);
    expect(Object.fromEntries(lists[0]?.query ?? [])).toEqual({
      customer: 'cus_1',
      'created[gte]': '1794000000',
      limit: '100',
      'expand[0]': 'data.latest_charge',
    });
  });

  it('would rather give no answer than half a list', async () => {
    stub.willAnswer({ body: list([paymentIntent({ amount: 7 })], true) }, { resets: true });
    stub.willAnswer({ body: list([], true) });
    await expect(gateway.listPayments(account, query, options)).resolves.toHaveProperty('kind', 'unavailable');
    await expect(gateway.listPayments(account, query, options)).resolves.toHaveProperty('kind', 'unavailable');
  });
});

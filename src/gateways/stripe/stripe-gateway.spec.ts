import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  cardError,
  charge,
  failedCharge,
  invoice,
  invoicePayment,
  list,
  paymentIntent,
  paymentMethod,
} from '../../../test/support/stripe-objects.js';
import {
  account,
  asked,
  options,
  sent,
  stubbedGateway,
  type StubbedGateway,
} from '../../../test/support/stubbed-gateway.js';

let stub: StubbedGateway['stub'];
let gateway: StubbedGateway['gateway'];
let close: StubbedGateway['close'];

beforeEach(async () => {
  ({ stub, gateway, close } = await stubbedGateway());
});

afterEach(() => close());

describe('creating a payment', () => {
  const request = { amountMinor: 1050, currency: 'USD', customerId: 'cus_1', idempotencyKey: 'TX:create' };

  it('leaves it unconfirmed, without redirects, under the key of the recovery', async () => {
    stub.willAnswer({ body: paymentIntent() });
    const metadata = { revtainTransactionId: 'TX', reference: 'order 7' };
    const answer = await gateway.createPayment(account, { ...request, metadata }, options);
    expect(answer).toMatchObject({ kind: 'found', value: { id: 'pi_1', status: 'requires_payment_method' } });
    expect(asked(stub.seen[0])).toBe('POST /v1/payment_intents');
    expect(stub.seen[0]?.headers).toMatchObject({
      'idempotency-key': 'TX:create',
      'stripe-version': '2026-10-28.endive',
    });
    expect(sent(stub.seen[0])).toEqual({
      amount: '1050',
      currency: 'usd',
      customer: 'cus_1',
      'automatic_payment_methods[enabled]': 'true',
      'automatic_payment_methods[allow_redirects]': 'never',
      'metadata[revtainTransactionId]': 'TX',
      'metadata[reference]': 'order 7',
    });
  });

  it('names no customer where there is none, and reads a 404 as a refusal', async () => {
    stub.willAnswer({
      status: 404,
      body: { error: { code: 'resource_missing', message: 'No such customer', param: 'customer' } },
    });
    const answer = await gateway.createPayment(account, { ...request, customerId: null, metadata: {} }, options);
    expect(answer).toEqual({
      kind: 'rejected',
      status: 404,
      code: 'resource_missing',
      param: 'customer',
      message: 'No such customer',
      requestId: 'req_stub',
    });
    expect(sent(stub.seen[0])).not.toHaveProperty('customer');
  });
});

describe('reading', () => {
  it('maps a payment with its newest charge and its last error', async () => {
    const lastError = cardError({ charge: 'ch_1' });
    const body = paymentIntent({ last_payment_error: lastError, latest_charge: failedCharge(), metadata: { a: 'b' } });
    stub.willAnswer({ body });
    const answer = await gateway.readPayment(account, 'pi_1', options);
    const signals = {
      declineCode: 'insufficient_funds',
      errorCode: 'card_declined',
      adviceCode: 'try_again_later',
      networkDeclineCode: '51',
      networkAdviceCode: '02',
      brand: 'visa',
    };
    expect(answer).toEqual({
      kind: 'found',
      value: {
        kind: 'payment',
        id: 'pi_1',
        status: 'requires_payment_method',
        amountMinor: 1050,
        currency: 'USD',
        customerId: 'cus_1',
        invoiceId: null,
        captureMethod: 'automatic_async',
        confirmationMethod: 'automatic',
        setupFutureUsage: null,
        allowsRedirects: false,
        cancellationReason: null,
        createdAt: new Date(1_795_000_000_000),
        metadata: { a: 'b' },
        latestCharge: {
          id: 'ch_1',
          status: 'failed',
          amountMinor: 1050,
          currency: 'USD',
          refunded: false,
          disputed: false,
          createdAt: new Date(1_795_000_100_000),
          customerId: 'cus_1',
          card: { brand: 'visa', last4: '4242', fingerprint: 'fp_1', country: 'US', expMonth: 8, expYear: 2030 },
          paymentId: 'pi_1',
          signals,
        },
        lastError: {
          signals,
          requestLogUrl: 'https://dashboard.stripe.com/test/logs/req_1',
          chargeId: 'ch_1',
        },
      },
    });
    expect(stub.seen[0]?.query.get('expand[0]')).toBe('latest_charge');
    expect(stub.seen[0]?.headers).not.toHaveProperty('idempotency-key');
  });

  it.each([
    [{ automatic_payment_methods: { enabled: true, allow_redirects: 'always' } }, { allowsRedirects: true }],
    [{ automatic_payment_methods: { enabled: true } }, { allowsRedirects: true }],
    [{ automatic_payment_methods: null }, { allowsRedirects: false }],
    [{ automatic_payment_methods: null, payment_method_types: ['card', 'ideal'] }, { allowsRedirects: true }],
    [{ payment_method_options: { card: { setup_future_usage: 'off_session' } } }, { setupFutureUsage: 'off_session' }],
    [{ payment_method_options: { card: { setup_future_usage: 'none' } } }, { setupFutureUsage: null }],
    [{ payment_method_options: { card: { capture_method: 'manual' } } }, { captureMethod: 'manual' }],
    [{ customer: { id: 'cus_9', object: 'customer', deleted: true } }, { customerId: 'cus_9' }],
    [{ status: 'half_paid' }, { status: 'unmapped' }],
    [{ latest_charge: charge({ amount_refunded: 1 }) }, { latestCharge: { refunded: true, signals: null } }],
    [{ latest_charge: charge({ disputed: true }) }, { latestCharge: { disputed: true } }],
  ])('reads %j as %j', async (fields, value) => {
    stub.willAnswer({ body: paymentIntent(fields) });
    await expect(gateway.readPayment(account, 'pi_1', options)).resolves.toMatchObject({ kind: 'found', value });
  });

  it('reads a payment without a whole amount as no answer', async () => {
    stub.willAnswer({ body: paymentIntent({ amount: null }) });
    await expect(gateway.readPayment(account, 'pi_1', options)).resolves.toMatchObject({
      kind: 'unavailable',
      cause: 'lost_reply',
    });
  });

  it('maps a payment method under the token that was asked for', async () => {
    stub.willAnswer({ body: paymentMethod({ id: 'pm_other' }) });
    await expect(gateway.readPaymentMethod(account, 'pm_card_visa', options)).resolves.toEqual({
      kind: 'found',
      value: {
        token: 'pm_card_visa',
        type: 'card',
        customerId: 'cus_1',
        card: { brand: 'mastercard', last4: '4444', fingerprint: 'fp_2', country: 'IN', expMonth: 1, expYear: 2031 },
      },
    });
  });

  it.each([
    ['a missing one', { status: 404, body: { error: { code: 'resource_missing', message: 'm' } } }, 'not_found'],
    ['a limiter', { status: 429, body: { error: { message: 'm' } } }, 'unavailable'],
    ['a 503', { status: 503, body: { error: { message: 'm' } } }, 'unavailable'],
    ['a refused key', { status: 403, body: { error: { message: 'm' } } }, 'account_refused'],
    ['a 400', { status: 400, body: { error: { message: 'm' } } }, 'rejected'],
  ])('tells %s apart', async (_name, answer, kind) => {
    stub.willAnswer(answer);
    await expect(gateway.readPayment(account, 'pi_1', options)).resolves.toHaveProperty('kind', kind);
  });

  it.each(['', 'pm 1', '../charges', 'pm_1?x'])('does not ask for "%s", which is no id', async (id) => {
    await expect(gateway.readPaymentMethod(account, id, options)).resolves.toEqual({ kind: 'not_found' });
    await expect(gateway.readPayment(account, id, options)).resolves.toEqual({ kind: 'not_found' });
    await expect(gateway.readInvoice(account, id, options)).resolves.toEqual({ kind: 'not_found' });
    await expect(gateway.readOriginal(account, id, options)).resolves.toEqual({ kind: 'not_found' });
    expect(stub.seen).toEqual([]);
  });

  it('reads an invoice with its default payment', async () => {
    const other = invoicePayment({
      id: 'inpay_2',
      is_default: false,
      created: 1_799_000_000,
      payment: { payment_intent: 'pi_2' },
    });
    stub.willAnswer({ body: invoice({ payments: list([other, invoicePayment()]) }) }, { body: paymentIntent() });
    await expect(gateway.readInvoice(account, 'in_1', options)).resolves.toMatchObject({
      kind: 'found',
      value: {
        kind: 'invoice',
        status: 'open',
        amountRemainingMinor: 1050,
        payment: { id: 'pi_1', invoiceId: 'in_1' },
      },
    });
    expect(stub.seen.map(asked)).toEqual(['GET /v1/invoices/in_1', 'GET /v1/payment_intents/pi_1']);
  });

  it('reads a draft, which has no payment, and an unknown status', async () => {
    stub.willAnswer({ body: invoice({ status: 'draft', payments: list([]) }) });
    stub.willAnswer({ body: invoice({ status: 'forgiven', payments: list([]) }) });
    const read = () => gateway.readInvoice(account, 'in_1', options);
    await expect(read()).resolves.toMatchObject({ value: { status: 'draft', payment: null } });
    await expect(read()).resolves.toMatchObject({ value: { status: 'unmapped' } });
  });

  it('cancels a payment under its own key', async () => {
    stub.willAnswer({ body: paymentIntent({ status: 'canceled', cancellation_reason: null }) });
    const answer = await gateway.cancelPayment(account, 'pi_1', 'TX:cancel', options);
    expect(answer).toMatchObject({ kind: 'found', value: { status: 'canceled' } });
    expect(asked(stub.seen[0])).toBe('POST /v1/payment_intents/pi_1/cancel');
    expect(stub.seen[0]?.headers['idempotency-key']).toBe('TX:cancel');
  });
});

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
import {
  account,
  asked,
  options,
  sent,
  stubbedGateway,
  type StubbedGateway,
} from '../../../test/support/stubbed-gateway.js';
import type { Answer } from '../../../test/support/stub-stripe.js';
import type { ChargeRequest } from '../gateway.js';

let stub: StubbedGateway['stub'];
let gateway: StubbedGateway['gateway'];
let close: StubbedGateway['close'];

beforeEach(async () => {
  ({ stub, gateway, close } = await stubbedGateway());
});

afterEach(() => close());

const onPayment: ChargeRequest = {
  target: { kind: 'payment', paymentId: 'pi_1', returnUrl: null },
  paymentMethodToken: 'pm_1',
  idempotencyKey: 'TX:att_1',
};
const onInvoice: ChargeRequest = { ...onPayment, target: { kind: 'invoice', invoiceId: 'in_1' } };

const declined = (error: object) => ({ status: 402, body: { error } });

describe('charging a payment', () => {
  it('confirms it off-session under the key of the attempt', async () => {
    stub.willAnswer({ body: paymentIntent({ status: 'succeeded', latest_charge: charge() }) });
    await expect(gateway.charge(account, onPayment, options)).resolves.toEqual({
      kind: 'succeeded',
      paymentId: 'pi_1',
      chargeId: 'ch_1',
    });
    expect(asked(stub.seen[0])).toBe('POST /v1/payment_intents/pi_1/confirm');
    expect(stub.seen[0]?.headers).toMatchObject({ 'idempotency-key': 'TX:att_1', authorization: 'Bearer sk_test_1' });
    expect(sent(stub.seen[0])).toEqual({
      payment_method: 'pm_1',
      off_session: 'true',
      error_on_requires_action: 'true',
      'expand[0]': 'latest_charge',
    });
  });

  it('says where to return to on one that allows redirects', async () => {
    stub.willAnswer({ body: paymentIntent({ status: 'processing' }) });
    const target = { kind: 'payment', paymentId: 'pi_1', returnUrl: 'https://pay.example' } as const;
    await gateway.charge(account, { ...onPayment, target }, options);
    expect(sent(stub.seen[0])).toHaveProperty('return_url', 'https://pay.example');
  });

  it.each([
    ['processing', 'pending'],
    ['requires_action', 'requires_action'],
    ['requires_capture', 'requires_capture'],
    ['canceled', 'canceled'],
  ])('reads a 200 with %s as %s', async (status, kind) => {
    stub.willAnswer({ body: paymentIntent({ status }) });
    await expect(gateway.charge(account, onPayment, options)).resolves.toEqual({ kind, paymentId: 'pi_1' });
  });

  it('reads a 200 that was refused as a decline, and one that was not executed as unknown', async () => {
    const refused = { last_payment_error: cardError(), latest_charge: failedCharge() };
    stub.willAnswer({ body: paymentIntent(refused) }, { body: paymentIntent() });
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'declined',
      signals: { declineCode: 'insufficient_funds', networkDeclineCode: '51' },
      chargeId: 'ch_1',
    });
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'unknown',
      loss: 'lost_reply',
    });
  });

  it('does not guess what a status of tomorrow means', async () => {
    stub.willAnswer({ body: paymentIntent({ status: 'half_paid' }) });
    await expect(gateway.charge(account, onPayment, options)).resolves.toEqual({
      kind: 'unknown',
      loss: 'lost_reply',
      message: 'payment reads half_paid',
      unmapped: 'half_paid',
    });
  });

  it.each([
    ['another object', { object: 'charge', id: 'ch_1', status: 'succeeded' }],
    ['an empty object', {}],
  ])('takes %s for a lost answer', async (_name, body) => {
    stub.willAnswer({ body });
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'unknown',
      loss: 'lost_reply',
    });
  });

  it('reads a 402 with all that the error says, and asks nothing more', async () => {
    const error = cardError({ network_decline_code: '51', payment_intent: paymentIntent({ latest_charge: 'ch_1' }) });
    stub.willAnswer(declined(error));
    await expect(gateway.charge(account, onPayment, options)).resolves.toEqual({
      kind: 'declined',
      signals: {
        declineCode: 'insufficient_funds',
        errorCode: 'card_declined',
        adviceCode: null,
        networkDeclineCode: '51',
        networkAdviceCode: null,
        brand: 'visa',
      },
      paymentId: 'pi_1',
      chargeId: 'ch_1',
      message: 'Your card has insufficient funds.',
    });
    expect(stub.seen).toHaveLength(1);
  });

  it('reads authentication off-session as a decline with that code', async () => {
    stub.willAnswer(declined(cardError({ code: 'authentication_required', decline_code: 'authentication_required' })));
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'declined',
      signals: { declineCode: 'authentication_required' },
    });
  });

  it('looks at the charge when a generic decline names no network code: the gateway may have blocked it', async () => {
    const outcome = { type: 'blocked', reason: 'low_probability_of_authorization', network_decline_code: null };
    stub.willAnswer(declined(cardError({ decline_code: 'generic_decline' })), { body: failedCharge(outcome) });
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'declined',
      signals: { declineCode: 'low_probability_of_authorization', blockedByGateway: true },
    });
    expect(stub.seen.map(asked)).toEqual(['POST /v1/payment_intents/pi_1/confirm', 'GET /v1/charges/ch_1']);
  });

  it('stays a decline when that look fails', async () => {
    stub.willAnswer(declined(cardError({ decline_code: 'generic_decline' })), { resets: true });
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject({
      kind: 'declined',
      signals: { declineCode: 'generic_decline' },
    });
  });

  it.each([
    ['a reset', { resets: true }, { kind: 'unknown', loss: 'lost_reply' }],
    ['half a body', { truncated: paymentIntent() }, { kind: 'unknown', loss: 'lost_reply' }],
    ['HTML', { text: '<html>' }, { kind: 'unknown', loss: 'lost_reply' }],
    ['a 500', { status: 500, body: { error: { message: 'm' } } }, { kind: 'unknown', loss: 'received_5xx' }],
    [
      'a limiter',
      { status: 429, body: { error: { code: 'rate_limit', message: 'm' } }, headers: { 'retry-after': '4' } },
      { kind: 'back_off', retryAfterMs: 4_000, code: 'rate_limit', keyInUse: false },
    ],
    [
      'our own key in use',
      { status: 409, body: { error: { code: 'idempotency_key_in_use', message: 'm' } } },
      { kind: 'back_off', keyInUse: true },
    ],
    [
      'a state that does not fit',
      { status: 400, body: { error: { code: 'payment_intent_unexpected_state', message: 'm' } } },
      { kind: 'read_first', known: true, status: 400, code: 'payment_intent_unexpected_state' },
    ],
    [
      'a key of another call',
      { status: 400, body: { error: { type: 'idempotency_error', message: 'm' } } },
      { kind: 'read_first', known: false, status: 400, code: null },
    ],
    ['a refused key', { status: 401, body: { error: { message: 'm' } } }, { kind: 'account_refused', status: 401 }],
  ] as [string, Answer, object][])('sends once on %s and says what it means', async (_name, answer, result) => {
    stub.willAnswer(answer);
    await expect(gateway.charge(account, onPayment, options)).resolves.toMatchObject(result);
    expect(stub.seen).toHaveLength(1);
  });

  it('is unknown when its deadline passes', async () => {
    stub.willAnswer({ hangs: true });
    await expect(gateway.charge(account, onPayment, { timeoutMs: 200 })).resolves.toMatchObject({
      kind: 'unknown',
      loss: 'lost_reply',
      // What it needed to begin is taken from the one deadline.
      message: expect.stringMatching(/^no whole answer within (1\d\d|200) ms$/),
    });
  });
});

describe('paying an invoice', () => {
  const paidBy = (payment: object, fields: object = {}) =>
    invoice({
      payments: list([invoicePayment({ payment: { type: 'payment_intent', payment_intent: payment } })]),
      ...fields,
    });

  it('pays that invoice off-session with the token given', async () => {
    const payment = paymentIntent({ status: 'succeeded', latest_charge: 'ch_9' });
    stub.willAnswer({ body: paidBy(payment, { status: 'paid', amount_remaining: 0 }) });
    await expect(gateway.charge(account, onInvoice, options)).resolves.toEqual({
      kind: 'succeeded',
      paymentId: 'pi_1',
      chargeId: 'ch_9',
      subscription: null,
    });
    expect(asked(stub.seen[0])).toBe('POST /v1/invoices/in_1/pay');
    expect(stub.seen[0]?.headers['idempotency-key']).toBe('TX:att_1');
    expect(sent(stub.seen[0])).toEqual({
      payment_method: 'pm_1',
      off_session: 'true',
      'expand[0]': 'payments.data.payment.payment_intent',
      'expand[1]': 'parent.subscription_details.subscription',
    });
  });

  it('reads an invoice that stays open by its payment', async () => {
    stub.willAnswer({ body: paidBy(paymentIntent({ status: 'processing' })) });
    await expect(gateway.charge(account, onInvoice, options)).resolves.toEqual({ kind: 'pending', paymentId: 'pi_1' });
  });

  it('does not guess from an invoice that is void or of an unknown status', async () => {
    stub.willAnswer({ body: invoice({ status: 'void' }) }, { body: invoice({ status: 'forgiven' }) });
    await expect(gateway.charge(account, onInvoice, options)).resolves.not.toHaveProperty('unmapped');
    await expect(gateway.charge(account, onInvoice, options)).resolves.toMatchObject({
      kind: 'unknown',
      unmapped: 'forgiven',
    });
  });

  it('reads a step-up as waiting for the customer, whatever status it comes with', async () => {
    const error = { code: 'invoice_payment_intent_requires_action', message: 'm', payment_intent: paymentIntent() };
    stub.willAnswer({ status: 400, body: { error } });
    await expect(gateway.charge(account, onInvoice, options)).resolves.toEqual({
      kind: 'requires_action',
      paymentId: 'pi_1',
    });
  });
});

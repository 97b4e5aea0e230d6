import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';

import {
  charge,
  newPayment,
  ownTestGateway,
  refusalOf,
  sdk,
  type OwnTestGateway,
  type TestAccount,
} from '../support/own-test-gateway.js';

let own: OwnTestGateway;
let account: TestAccount;
let stripe: Stripe;

beforeAll(async () => {
  own = await ownTestGateway();
  account = await own.newAccount();
  stripe = account.stripe;
});
afterAll(() => own.stop());

/** Charges a new debt so many times with one token: `ok`, or `code/decline_code` of each decline. */
async function play(token: string, times: number, amount = 2500): Promise<string[]> {
  const payment = await newPayment(account, { amount });
  const answers: string[] = [];
  for (let time = 0; time < times; time += 1) {
    try {
      answers.push((await charge(account, payment.id, token)).status);
    } catch (error) {
      const { code, decline_code, statusCode } = error as Stripe.errors.StripeCardError;
      if (statusCode !== 402) throw error;
      answers.push(`${code}/${decline_code ?? ''}`);
    }
  }
  return answers;
}

describe('a charge on the test gateway', () => {
  it.each([
    ['pm_card_visa', ['succeeded']],
    ['pm_card_mastercard', ['succeeded']],
    ['pm_card_visa_chargeDeclined', ['card_declined/generic_decline', 'card_declined/generic_decline']],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', ['card_declined/insufficient_funds']],
    ['pm_card_visa_chargeDeclinedLostCard', ['card_declined/lost_card']],
    ['pm_card_chargeDeclinedExpiredCard', ['expired_card/']],
    ['pm_card_chargeDeclinedProcessingError', ['processing_error/']],
    ['pm_card_radarBlock', ['card_declined/fraudulent']],
    ['pm_card_authenticationRequired', ['authentication_required/authentication_required']],
    ['pm_card_authenticationRequiredSetupForOffSession', ['succeeded']],
    ['pm_card_in', ['authentication_required/authentication_required']],
    [
      'pm_test_do_not_honor',
      ['card_declined/do_not_honor', 'card_declined/do_not_honor', 'card_declined/do_not_honor'],
    ],
    [
      'pm_test_insufficient_funds_x2',
      ['card_declined/insufficient_funds', 'card_declined/insufficient_funds', 'succeeded'],
    ],
    [
      'pm_test_do_not_honor_then_stolen_card',
      ['card_declined/do_not_honor', 'card_declined/stolen_card', 'card_declined/stolen_card'],
    ],
    ['pm_test_zz_9', ['card_declined/zz_9']],
    ['pm_test_expired_card', ['expired_card/']],
    ['pm_test_authentication_required', ['authentication_required/authentication_required']],
    ['pm_test_processing', ['processing']],
    ['pm_bacsDebit_success', ['processing']],
  ])('with %s answers %j', async (token, answers) => {
    expect(await play(token, answers.length)).toEqual(answers);
  });

  it('of 44 always declines, whatever the card', async () => {
    expect(await play('pm_card_visa', 2, 44)).toEqual([
      'card_declined/generic_decline',
      'card_declined/generic_decline',
    ]);
  });

  it('starts the script anew for every debt', async () => {
    const token = 'pm_test_insufficient_funds_x1';
    expect(await play(token, 1)).toEqual(['card_declined/insufficient_funds']);
    expect(await play(token, 2)).toEqual(['card_declined/insufficient_funds', 'succeeded']);
  });

  it('that succeeds is a paid charge on the payment', async () => {
    const payment = await newPayment(account, { metadata: { reference: 'inv_1' } });
    expect(payment).toMatchObject({ status: 'requires_payment_method', livemode: false, latest_charge: null });
    const paid = await charge(account, payment.id, 'pm_card_visa');
    const read = await stripe.paymentIntents.retrieve(paid.id, {
      expand: ['latest_charge', 'payment_method', 'customer'],
    });
    expect(read).toMatchObject({
      amount_received: 2500,
      metadata: { reference: 'inv_1' },
      last_payment_error: null,
      latest_charge: { id: paid.latest_charge, paid: true, outcome: { type: 'authorized' }, payment_intent: paid.id },
      payment_method: { id: 'pm_card_visa', card: { brand: 'visa', country: 'US' } },
      customer: { id: account.cardholder, object: 'customer' },
    });
  });

  it('that declines leaves the error, a failed charge and no method on the payment', async () => {
    const payment = await newPayment(account);
    const first = await refusalOf(
      charge(account, payment.id, 'pm_test_do_not_try_again__brand_mastercard__mac_03__ndc_51'),
    );
    const second = await refusalOf(charge(account, payment.id, 'pm_test_do_not_honor'));
    const read = await stripe.paymentIntents.retrieve(payment.id);
    const codes = { code: 'card_declined', decline_code: 'do_not_try_again', advice_code: 'do_not_try_again' };
    expect(first.raw).toMatchObject({ ...codes, network_advice_code: '03', network_decline_code: '51' });
    expect(read).toMatchObject({ status: 'requires_payment_method', payment_method: null, amount_received: 0 });
    expect(read.last_payment_error).toMatchObject({ decline_code: 'do_not_honor', charge: read.latest_charge });
    expect((first.raw as Stripe.PaymentIntent.LastPaymentError).request_log_url).not.toBe(
      read.last_payment_error?.request_log_url,
    );
    expect((second.raw as { payment_intent: object }).payment_intent).toMatchObject({ id: payment.id });
    const charges = await stripe.charges.list({ payment_intent: payment.id });
    expect(charges.data.map(({ outcome, status }) => [outcome?.reason, status])).toEqual([
      ['do_not_honor', 'failed'],
      ['do_not_try_again', 'failed'],
    ]);
  });
});

describe('authentication', () => {
  it('is asked of a customer who is there, and their answer ends it', async () => {
    const payment = await newPayment(account);
    const token = 'pm_card_authenticationRequired';
    const asked = await stripe.paymentIntents.confirm(payment.id, { payment_method: token });
    expect(asked).toMatchObject({
      status: 'requires_action',
      next_action: { type: 'use_stripe_sdk' },
      latest_charge: null,
    });
    expect(await own.admin.authenticate(account.accountId, payment.id, 'refused')).toBe('requires_payment_method');
    await stripe.paymentIntents.confirm(payment.id, { payment_method: token });
    expect(await own.admin.authenticate(account.accountId, payment.id)).toBe('succeeded');
  });

  it('asks nothing where the caller wants an error instead', async () => {
    const payment = await newPayment(account);
    const params = { payment_method: 'pm_card_authenticationRequired', error_on_requires_action: true };
    const error = await refusalOf(stripe.paymentIntents.confirm(payment.id, params));
    expect(error).toMatchObject({ statusCode: 402, code: 'payment_intent_action_required' });
  });
});

describe('what Stripe refuses, the test gateway refuses', () => {
  it.each<[string, Partial<Stripe.PaymentIntentCreateParams>, Record<string, unknown>]>([
    ['an amount below the minimum', { amount: 49 }, { code: 'amount_too_small', param: 'amount' }],
    ['an amount above the maximum', { amount: 100_000_000 }, { code: 'amount_too_large' }],
    ['a currency that is none', { currency: 'xxx' }, { param: 'currency' }],
    ['a broken krona', { currency: 'isk', amount: 12_345 }, { code: 'invalid_charge_amount' }],
    ['a broken dinar', { currency: 'kwd', amount: 12_345 }, { code: 'invalid_charge_amount' }],
    ['an unknown customer', { customer: 'cus_nobody' }, { code: 'resource_missing', param: 'customer' }],
    ['an unknown method', { payment_method: 'pm_nothing' }, { code: 'resource_missing', param: 'payment_method' }],
    ['off_session without confirm', { off_session: true }, { param: 'off_session' }],
  ])('%s, when a payment is made', async (_what, params, expected) => {
    expect(await refusalOf(newPayment(account, params))).toMatchObject({ statusCode: 400, ...expected });
  });

  it('a parameter that Stripe does not know', async () => {
    const payment = await newPayment(account);
    const params: Stripe.PaymentIntentConfirmParams & { metadata: object } = { metadata: { a: 'b' } };
    expect(await refusalOf(stripe.paymentIntents.confirm(payment.id, params))).toMatchObject({
      code: 'parameter_unknown',
    });
  });

  it('a confirm without return_url where redirects are allowed', async () => {
    const payment = await stripe.paymentIntents.create({ amount: 500, currency: 'eur', customer: account.cardholder });
    const error = await refusalOf(charge(account, payment.id, 'pm_card_visa'));
    expect(error).toMatchObject({ statusCode: 400, param: 'return_url' });
    const params = { payment_method: 'pm_card_visa', return_url: 'https://shop.example/back', off_session: true };
    expect((await stripe.paymentIntents.confirm(payment.id, params)).status).toBe('succeeded');
  });

  it('off_session with setup_future_usage', async () => {
    const payment = await newPayment(account, { setup_future_usage: 'off_session' });
    expect(await refusalOf(charge(account, payment.id, 'pm_card_visa'))).toMatchObject({
      statusCode: 400,
      param: 'off_session',
    });
  });

  it('another customer’s card, and takes any customer’s own', async () => {
    const { id: ada } = await stripe.customers.create({ email: 'ada@example.com' });
    const { id: bob } = await stripe.customers.create({});
    const card = await stripe.paymentMethods.attach('pm_card_visa', { customer: ada });
    const bobs = await newPayment(account, { customer: bob });
    expect(await refusalOf(charge(account, bobs.id, card.id))).toMatchObject({
      statusCode: 400,
      code: 'resource_missing',
    });
    expect((await charge(account, (await newPayment(account, { customer: ada })).id, card.id)).status).toBe(
      'succeeded',
    );
  });

  it('a card without customer a second time', async () => {
    const card = await stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_test_do_not_honor' } });
    expect(card.customer).toBeNull();
    const payment = await stripe.paymentIntents.create({
      amount: 500,
      currency: 'usd',
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    });
    expect(await refusalOf(charge(account, payment.id, card.id))).toMatchObject({ decline_code: 'do_not_honor' });
    expect(await refusalOf(charge(account, payment.id, card.id))).toMatchObject({
      code: 'payment_method_unexpected_state',
    });
  });

  it('a confirm or cancel of a payment that has ended', async () => {
    const paid = await charge(account, (await newPayment(account)).id, 'pm_card_visa');
    const unexpected = { statusCode: 400, code: 'payment_intent_unexpected_state' };
    expect(await refusalOf(charge(account, paid.id, 'pm_card_visa'))).toMatchObject(unexpected);
    expect(await refusalOf(stripe.paymentIntents.cancel(paid.id))).toMatchObject(unexpected);
    const gone = await stripe.paymentIntents.cancel((await newPayment(account)).id, {
      cancellation_reason: 'abandoned',
    });
    expect(gone).toMatchObject({ status: 'canceled', cancellation_reason: 'abandoned' });
    expect(await refusalOf(charge(account, gone.id, 'pm_card_visa'))).toMatchObject(unexpected);
  });

  it('an unknown key, a missing object, another account’s object and an unknown address', async () => {
    const payment = await newPayment(account);
    const other = await own.newAccount();
    expect(await refusalOf(sdk(own.gateway, 'sk_test_wrong').customers.list())).toMatchObject({ statusCode: 401 });
    expect(await refusalOf(stripe.paymentIntents.retrieve('pi_none'))).toMatchObject({
      statusCode: 404,
      code: 'resource_missing',
    });
    expect(await refusalOf(other.stripe.paymentIntents.retrieve(payment.id))).toMatchObject({ statusCode: 404 });
    expect(await refusalOf(stripe.quotes.list())).toMatchObject({ statusCode: 404 });
  });
});

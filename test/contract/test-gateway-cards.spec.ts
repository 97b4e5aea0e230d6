import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';

import {
  charge,
  newPayment,
  ownTestGateway,
  refusalOf,
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

describe('payment methods', () => {
  it('show every raw token with one customer, and a card of its own', async () => {
    const visa = await stripe.paymentMethods.retrieve('pm_card_visa');
    const test = await stripe.paymentMethods.retrieve('pm_test_insufficient_funds_x2');
    expect(test.customer).toBe(visa.customer);
    expect(test.card?.fingerprint).not.toBe(visa.card?.fingerprint);
    expect(await stripe.paymentMethods.retrieve('pm_card_visa')).toMatchObject({ card: visa.card ?? {} });
    expect((await stripe.customers.retrieve(account.cardholder)).id).toBe(account.cardholder);
  });

  it('change: by the customer a newer expiry, by the network a new card with another script', async () => {
    const token = 'pm_test_expired_card__card_change';
    const before = (await stripe.paymentMethods.retrieve(token)).card;
    const updated = await stripe.paymentMethods.update(token, { card: { exp_month: 3, exp_year: 2050 } });
    expect(updated.card).toMatchObject({ exp_month: 3, exp_year: 2050, fingerprint: before?.fingerprint });
    await own.admin.replaceCard(account.accountId, token, 'pm_card_visa');
    expect((await stripe.paymentMethods.retrieve(token)).card?.fingerprint).not.toBe(before?.fingerprint);
    expect((await charge(account, (await newPayment(account)).id, token)).status).toBe('succeeded');
  });

  it('can not be attached where Stripe’s own card can not', async () => {
    const { id } = await stripe.customers.create({});
    const error = await refusalOf(stripe.paymentMethods.attach('pm_card_visa_chargeDeclined', { customer: id }));
    expect(error).toMatchObject({ statusCode: 402, decline_code: 'generic_decline' });
    const card = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: id });
    expect((await stripe.customers.listPaymentMethods(id)).data.map((held) => held.id)).toEqual([card.id]);
    await stripe.paymentMethods.detach(card.id);
    expect(await refusalOf(stripe.paymentMethods.attach(card.id, { customer: id }))).toMatchObject({ statusCode: 400 });
  });
});

describe('a bank debit', () => {
  it('settles by itself after three days of the account’s clock', async () => {
    const { accountId, ...rest } = await own.newAccount();
    const paid = await charge(rest, (await newPayment({ accountId, ...rest })).id, 'pm_test_processing');
    const lost = await charge(
      rest,
      (await newPayment({ accountId, ...rest })).id,
      'pm_test_processing_then_no_account',
    );
    expect([paid.status, lost.status]).toEqual(['processing', 'processing']);
    await own.admin.moveClock(accountId, 3 * 86_400_000 - 60_000);
    expect((await rest.stripe.paymentIntents.retrieve(paid.id)).status).toBe('processing');
    await own.admin.moveClock(accountId, 120_000);
    expect((await rest.stripe.paymentIntents.retrieve(paid.id)).status).toBe('succeeded');
    expect(await rest.stripe.paymentIntents.retrieve(lost.id)).toMatchObject({
      status: 'requires_payment_method',
      last_payment_error: { code: 'no_account' },
    });
    const booked = await own.admin.ledger(accountId);
    expect(booked.map(({ status, declineCode }) => [status, declineCode])).toEqual([
      ['succeeded', null],
      ['failed', 'no_account'],
    ]);
    expect(booked[0]?.attemptId).toMatch(/^att_/);
  });

  it('that settles at once is settled for the next who looks', async () => {
    const payment = await charge(account, (await newPayment(account)).id, 'pm_usBankAccount_insufficientFunds');
    expect(payment.status).toBe('processing');
    expect((await stripe.paymentIntents.retrieve(payment.id)).last_payment_error?.code).toBe('insufficient_funds');
  });

  it('can be settled by hand, once', async () => {
    const payment = await charge(account, (await newPayment(account)).id, 'pm_test_processing');
    await own.admin.settlePending(account.accountId, payment.id, 'failed', 'debit_not_authorized');
    expect((await stripe.paymentIntents.retrieve(payment.id)).status).toBe('requires_payment_method');
    await expect(own.admin.settlePending(account.accountId, payment.id, 'succeeded')).rejects.toThrow('processing');
  });
});

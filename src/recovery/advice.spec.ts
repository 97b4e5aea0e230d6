import { describe, expect, it } from '@jest/globals';

import { adviceFor, isHeld } from './advice.js';
import { PLAIN_DECLINE_TEXT, routeDecline } from './decline.js';
import { END_REASONS, type EndReason, type State, STATES } from './facts.js';
import { stateOfEnd } from './lifecycle.js';
import { NO_SIGNALS } from './payment-looks.js';
import { TABLES } from './tables.js';
import { blockedError, customerText, errorFor, messageFor } from './wording.js';

const routeOf = (declineCode: string, networkAdviceCode: string | null = null) =>
  routeDecline({ ...NO_SIGNALS, declineCode, networkAdviceCode });
const ended = (endReason: EndReason, declineCode: string | null, detail: string | null = null) => ({
  state: stateOfEnd(endReason),
  endReason,
  route: declineCode === null ? null : routeOf(declineCode),
  detail,
  charges: 4,
});
const open = (state: State, declineCode = 'do_not_honor') => ({
  state,
  endReason: null,
  route: routeOf(declineCode),
  detail: null,
  charges: 1,
});

describe('advice', () => {
  it.each([
    ['queued', 'retry_later', null, true, false],
    ['in_progress', 'monitor', null, false, false],
    ['reconciling', 'monitor', null, false, false],
    ['action_required', 'request_card_update', 'authenticate', false, false],
    ['succeeded', 'monitor', null, false, true],
  ] as const)('in state %s is %s', (state, recommendedAction, recommendedActionDetail, willRetry, final) => {
    const expected = { recommendedAction, recommendedActionDetail, willRetry, final, declineCategory: 'blended' };
    expect(adviceFor(open(state))).toMatchObject(expected);
  });

  it.each([
    ['exhausted', 'insufficient_funds', 'request_card_update', null],
    ['exhausted', 'zz_9', 'request_card_update', null],
    ['exhausted', 'charge_exceeds_source_limit', 'manual_review', null],
    ['deadline', 'do_not_honor', 'request_card_update', null],
    ['deadline', null, 'request_card_update', null],
    ['hard_decline', 'expired_card', 'request_card_update', null],
    ['never_charge', 'stolen_card', 'request_card_update', null],
    ['never_charge', 'fraudulent', 'manual_review', null],
    ['never_charge', 'stop_payment_order', 'manual_review', null],
    ['configuration', 'invalid_amount', 'manual_review', null],
    ['possibly_paid', 'duplicate_transaction', 'manual_review', 'possibly_paid'],
    ['amount_changed', null, 'manual_review', 'amount_changed'],
    ['token_not_reusable', 'do_not_honor', 'request_card_update', 'token_not_reusable'],
    ['not_authenticated', 'authentication_required', 'request_card_update', 'authenticate'],
    ['original_transaction_open', null, 'manual_review', 'original_transaction_open'],
    ['disputed', null, 'manual_review', null],
    ['refunded', null, 'manual_review', null],
    ['paid_elsewhere', 'do_not_honor', 'monitor', null],
    ['holdout', null, 'monitor', null],
  ] as const)('at the end %s after %s is %s, %s', (endReason, code, recommendedAction, recommendedActionDetail) => {
    const advice = adviceFor(ended(endReason, code));
    expect(advice).toMatchObject({ recommendedAction, recommendedActionDetail, willRetry: false, final: true });
    expect(advice.recommendedActionReason).not.toBe('');
  });

  it.each([
    ['possibly_paid', 'A payment of this amount may have been made already.'],
    ['amount_changed', 'The invoice no longer has the amount that was asked for.'],
    ['original_transaction_open', 'The original payment is still open; cancel it, or send what it has.'],
    ['token_not_reusable', 'The payment method can be charged once only.'],
    ['not_authenticated', 'The bank wants the customer to authenticate this payment.'],
    ['configuration', 'The payment can not be made, for a reason that no retry or new card mends.'],
    ['disputed', 'The original charge is disputed.'],
    ['refunded', 'The original charge was refunded.'],
    ['never_charge', 'The payment method must not be charged again. Ask the customer for another payment method.'],
    ['voided', 'The recovery was cancelled; nothing more is tried.'],
    ['holdout', 'Control group: nothing was attempted.'],
  ] as const)('gives the reason of the end %s: %s', (endReason, reason) => {
    expect(adviceFor(ended(endReason, 'stolen_card')).recommendedActionReason).toBe(reason);
  });

  it.each([
    ['queued', 'A retry is scheduled; nothing needs to be done.'],
    ['in_progress', 'The payment is with the bank; its outcome follows by webhook.'],
    ['reconciling', 'The outcome of the last charge is being looked up; it follows by webhook.'],
    ['action_required', 'The bank wants the customer to authenticate this payment.'],
    ['succeeded', 'The payment was collected; nothing needs to be done.'],
  ] as const)('gives the reason in state %s: %s', (state, reason) => {
    expect(adviceFor(open(state)).recommendedActionReason).toBe(reason);
  });

  it('asks the merchant’s own team where the row wants a review, and says so', () => {
    const { recommendedActionReason } = adviceFor(ended('never_charge', 'fraudulent'));
    expect(recommendedActionReason).toBe(
      'The payment method must not be charged again. The decline asks for a look by your team.',
    );
    const twice = adviceFor({ ...open('succeeded'), paidTwice: true });
    expect(twice.recommendedActionReason).toBe('The customer paid twice: refund one of the payments.');
    expect(adviceFor({ ...open('failed'), route: null }).declineCategory).toBeNull();
  });

  it('carries the detail of what was found after acceptance', () => {
    const advice = adviceFor(ended('configuration', null, 'amount_mismatch'));
    expect(advice).toMatchObject({ recommendedAction: 'manual_review', recommendedActionDetail: 'amount_mismatch' });
  });

  it('asks for a review after Mastercard 04 and 21', () => {
    for (const code of ['04', '21']) {
      const facts = { ...ended('hard_decline', null), route: routeOf('insufficient_funds', code) };
      expect(adviceFor(facts).recommendedAction).toBe('manual_review');
    }
  });

  it('names a payment made twice', () => {
    const twice = adviceFor({ ...open('succeeded'), paidTwice: true });
    expect(twice).toMatchObject({ recommendedAction: 'manual_review', recommendedActionDetail: 'refund_duplicate' });
  });

  it('says retry_later exactly while a retry is set, for every code, state and end', () => {
    for (const row of TABLES.declines.values()) {
      const route = routeOf(row.code);
      for (const state of STATES) {
        const endReason = END_REASONS.find((one) => stateOfEnd(one) === state) ?? null;
        const advice = adviceFor({ state, endReason, route, detail: null, charges: 2 });
        expect(advice.recommendedAction === 'retry_later').toBe(advice.willRetry);
      }
    }
  });
});

describe('holding a recovery.failed back', () => {
  const spent = {
    endReason: 'exhausted',
    route: routeOf('do_not_honor'),
    recommendedAction: 'request_card_update',
    simulated: false,
  } as const;

  it.each([
    [spent, true],
    [{ ...spent, endReason: 'deadline' }, true],
    [{ ...spent, route: routeOf('processing_error') }, true],
    [{ ...spent, route: routeOf('zz_9') }, true],
    [{ ...spent, endReason: 'hard_decline', route: routeOf('expired_card') }, false],
    [{ ...spent, route: routeOf('expired_card') }, false],
    [{ ...spent, endReason: 'not_authenticated' }, false],
    [{ ...spent, endReason: 'token_not_reusable' }, false],
    [{ ...spent, recommendedAction: 'manual_review' }, false],
    [{ ...spent, simulated: true }, false],
    [{ ...spent, route: null }, false],
  ] as const)('%j: %s', (facts, held) => expect(isHeld(facts)).toBe(held));
});

describe('wording', () => {
  it.each([
    ['exhausted', 0, 'No charge was possible in time; nothing was charged.'],
    ['exhausted', 1, 'The charge was declined, and no retry is left.'],
    ['exhausted', 2, 'Every retry was declined.'],
    ['deadline', 0, 'The deadline passed before a charge could be made.'],
    ['deadline', 1, 'The deadline passed before the payment could be collected.'],
    ['hard_decline', 0, 'The payment method can not be charged again; nothing was charged.'],
    ['hard_decline', 1, 'The payment method can not be charged again.'],
    ['never_charge', 0, 'This payment method must not be charged.'],
    ['never_charge', 1, 'This payment method must not be charged.'],
    ['configuration', 0, 'The payment can not be made as it was asked for; nothing was charged.'],
    ['configuration', 1, 'The payment was refused for a reason that no retry mends.'],
    ['possibly_paid', 0, 'A payment of this amount may have been made already; nothing was charged.'],
    ['possibly_paid', 1, 'A payment of this amount may have been made already; nothing more is charged.'],
    ['amount_changed', 0, 'The invoice no longer has the amount that was asked for; nothing was charged.'],
    ['amount_changed', 2, 'The invoice no longer has the amount that was asked for; nothing more is charged.'],
    ['token_not_reusable', 1, 'The payment method has no customer and can not be charged again.'],
    ['not_authenticated', 0, 'The customer did not authenticate the payment in time.'],
    ['original_transaction_open', 0, 'The original payment is still open and can not be taken over.'],
    ['paid_elsewhere', 1, 'The debt was paid elsewhere.'],
    ['abandoned', 0, 'The recovery was abandoned.'],
    ['customer_request', 0, 'The recovery was cancelled at the customer’s request.'],
    ['voided', 0, 'The invoice or payment was voided.'],
    ['uncollectible', 1, 'The invoice was marked uncollectible.'],
    ['subscription_deleted', 1, 'The subscription was deleted.'],
    ['disputed', 0, 'The original charge is disputed; nothing was charged.'],
    ['disputed', 1, 'The original charge is disputed; nothing more is charged.'],
    ['refunded', 0, 'The original charge was refunded; nothing was charged.'],
    ['refunded', 1, 'The original charge was refunded; nothing more is charged.'],
    ['deauthorised', 1, 'Access to the gateway account was withdrawn.'],
    ['superseded', 0, 'A newer recovery of the same debt took over.'],
    ['holdout', 0, 'Control group: nothing was attempted.'],
  ] as const)('at the end %s after %i charges: %s', (endReason, charges, text) => {
    expect(messageFor(stateOfEnd(endReason), endReason, charges)).toBe(text);
  });

  it('says that something was declined only after a charge, and that nothing was charged only before', () => {
    for (const endReason of END_REASONS) {
      const before = messageFor(stateOfEnd(endReason), endReason, 0);
      expect(before).not.toMatch(/declined|nothing more|retry is left/);
      for (const charges of [1, 2, 8]) {
        expect(messageFor(stateOfEnd(endReason), endReason, charges)).not.toContain('nothing was charged');
      }
    }
  });

  it.each([
    ['queued', 'A retry is scheduled.'],
    ['in_progress', 'The payment is processing at the bank.'],
    [
      'reconciling',
      "The gateway's answer was lost; the outcome is being looked up and nothing else is charged meanwhile.",
    ],
    ['action_required', 'The customer must authenticate this payment.'],
    ['succeeded', 'Payment recovered.'],
  ] as const)('in state %s: %s', (state, text) => {
    expect(messageFor(state, null, 1)).toBe(text);
  });

  it.each([
    ['exhausted', 0, 'No charge was possible in time. Ask the customer for another payment method.'],
    ['exhausted', 1, 'No retry is left. Ask the customer for another payment method.'],
    ['deadline', 0, 'The deadline has passed. Ask the customer for another payment method.'],
    ['hard_decline', 0, 'This payment method can not be charged again. Ask the customer for another payment method.'],
  ] as const)('gives the reason of the advice after %s with %i charges: %s', (endReason, charges, reason) => {
    const advice = adviceFor({ ...ended(endReason, 'do_not_honor'), charges });
    expect(advice.recommendedActionReason).toBe(reason);
  });

  it('has an error exactly where the recovery ended, or stopped, without money', () => {
    const withError = STATES.filter((state) => errorFor(state, 'told') !== null);
    expect(withError).toEqual(['action_required', 'failed', 'blocked', 'cancelled']);
    expect(errorFor('failed', 'told')).toBe('told');
    expect(errorFor('blocked', 'told')).toBe(blockedError('blocked'));
    expect(errorFor('action_required', 'told')).toBe(blockedError('action_required'));
    expect(blockedError('blocked')).toBe('Recovery blocked: this payment method must not be charged.');
    expect(blockedError('action_required')).toBe('Recovery blocked: customer authentication is required.');
  });

  it('never promises the customer another try at the end', () => {
    const route = routeOf('insufficient_funds');
    expect(customerText(route, false)).toMatch(/We will try again/);
    expect(customerText(route, true)).toBe(PLAIN_DECLINE_TEXT);
    expect(customerText(null, true)).toBe(PLAIN_DECLINE_TEXT);
    expect(customerText(routeOf('stolen_card'), true)).toBe(customerText(routeOf('fraudulent'), true));
  });
});

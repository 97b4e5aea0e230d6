import { describe, expect, it } from '@jest/globals';
import Stripe from 'stripe';

import { findDeclineRow } from '../../recovery/tables.js';
import {
  classifyError,
  DeadlinePassed,
  readRetryAfter,
  safeMessage,
  type ScopeOf,
  UnreadableReply,
} from './classify.js';

const scopeOf: ScopeOf = ({ declineCode, errorCode }) =>
  (findDeclineRow(declineCode ?? '') ?? findDeclineRow(errorCode ?? '', 'error_code'))?.scope ?? null;

/** An error of a class that does not fit its status: only status and code may count. */
function stripeError(statusCode: number | undefined, code?: string, more: object = {}): Stripe.errors.StripeError {
  const raw = { type: 'api_error', message: 'Said.', statusCode, code, requestId: 'req_1', ...more };
  return new Stripe.errors.StripeAPIError(raw as ConstructorParameters<typeof Stripe.errors.StripeAPIError>[0]);
}

const classify = (statusCode: number | undefined, code?: string, more: object = {}) =>
  classifyError(stripeError(statusCode, code, more), scopeOf);

describe('an error of the gateway', () => {
  it.each([
    [401, undefined],
    [403, undefined],
    [403, 'request_blocked'],
    [400, 'testmode_charges_only'],
    [402, 'testmode_charges_only'],
    [400, 'livemode_mismatch'],
    [401, 'api_key_expired'],
  ])('%s %s refuses the account', (status, code) => {
    const message = 'Said.';
    expect(classify(status, code)).toEqual({
      kind: 'account_refused',
      status,
      code: code ?? null,
      message,
      requestId: 'req_1',
    });
  });

  it.each([
    [429, undefined],
    [429, 'rate_limit'],
    [429, 'lock_timeout'],
    [400, 'lock_timeout'],
    [400, 'rate_limit'],
  ])('%s %s backs off', (status, code) => {
    expect(classify(status, code, { headers: { 'retry-after': '7' } })).toMatchObject({
      kind: 'back_off',
      retryAfterMs: 7_000,
      keyInUse: false,
    });
  });

  it('409 for our own key backs off and says whose key it is', () => {
    expect(classify(409, 'idempotency_key_in_use')).toMatchObject({
      kind: 'back_off',
      retryAfterMs: 2_000,
      keyInUse: true,
    });
  });

  it.each([
    [400, 'payment_intent_unexpected_state', true],
    [400, 'payment_method_unexpected_state', true],
    [400, 'code_of_tomorrow', false],
    [400, undefined, false],
    [404, 'resource_missing', true],
    [409, 'code_of_tomorrow', false],
    [409, undefined, false],
    [422, undefined, false],
  ])('%s %s is settled by reading first, with or without a row', (status, code, known) => {
    expect(classify(status, code, { param: 'amount' })).toEqual({
      kind: 'rejected',
      known,
      status,
      code: code ?? null,
      param: 'amount',
      message: 'Said.',
      requestId: 'req_1',
    });
  });

  it('402 is a decline, whatever its code', () => {
    expect(classify(402, 'card_declined', { decline_code: 'code_of_tomorrow' }).kind).toBe('declined');
    expect(classify(402, 'expired_card', { decline_code: '' }).kind).toBe('declined');
    expect(classify(402, 'authentication_required').kind).toBe('declined');
    expect(classify(402).kind).toBe('declined');
  });

  it('402 that says "duplicate" is read first, since a payment may stand behind it', () => {
    expect(classify(402, 'card_declined', { decline_code: 'duplicate_transaction' })).toMatchObject({
      kind: 'rejected',
      known: true,
      code: 'duplicate_transaction',
    });
  });

  it.each([400, 402])('%s that asks for the customer is no decline', (status) => {
    expect(classify(status, 'invoice_payment_intent_requires_action').kind).toBe('requires_action');
  });

  it.each([500, 502, 503, 504])('%s leaves the outcome unknown, as an answer that would be replayed', (status) => {
    expect(classify(status)).toEqual({ kind: 'received_5xx', message: `HTTP ${String(status)}: Said.` });
  });

  it.each([
    ['no status', stripeError(undefined)],
    ['an error under 200', stripeError(200)],
    ['a lost connection', new Stripe.errors.StripeConnectionError({ type: 'api_error', message: 'gone' })],
    ['an answer that can not be read', new UnreadableReply('the answer is no charge')],
    ['a deadline that passed before the call', new DeadlinePassed('late')],
    ['a shape nobody foretold', new TypeError('x is undefined')],
    ['anything else thrown', 'text'],
  ])('%s leaves the outcome unknown, as a lost reply', (_name, error) => {
    expect(classifyError(error, scopeOf).kind).toBe('lost_reply');
  });
});

describe('Retry-After', () => {
  const date = 'Sat, 21 Nov 2026 12:00:00 GMT';
  it.each([
    ['3', 3_000],
    ['0.25', 500],
    ['0', 500],
    ['1000000000', 60_000],
    ['-5', 2_000],
    ['soon', 2_000],
    ['', 2_000],
    [undefined, 2_000],
    ['Sat, 21 Nov 2026 12:00:09 GMT', 9_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 2_000],
  ])('%s waits %s ms', (value, ms) => {
    expect(readRetryAfter(value, date)).toBe(ms);
  });

  it('as a date without the answer’s own date waits the default', () => {
    expect(readRetryAfter(date, undefined)).toBe(2_000);
  });
});

describe('a message for an operator', () => {
  it('holds no key and no card number, and ends', () => {
    const told = safeMessage(`Invalid API Key provided: sk_live_abc123 for 4242 4242 4242 4242. ${'x'.repeat(999)}`);
    expect(told).toContain('Invalid API Key provided: [key] for [number].');
    expect(told).toHaveLength(300);
  });
});

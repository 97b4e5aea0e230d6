import { describe, expect, it } from '@jest/globals';
import type Stripe from 'stripe';

import { cardError, charge, failedCharge } from '../../../test/support/stripe-objects.js';
import { brandName, declineSignals, type ErrorFields } from './signals.js';

const errorOf = (fields: object = {}): ErrorFields => cardError({ ...fields });
/** Fixtures are JSON as Stripe sends it; the cast is the one the SDK makes. */
const chargeOf = (fields: ReturnType<typeof charge>): Stripe.Charge =>
  JSON.parse(JSON.stringify(fields)) as Stripe.Charge;

describe('the signals of a decline', () => {
  it('come from the error alone when no charge was read', () => {
    const error = errorOf({ advice_code: 'try_again_later', network_decline_code: '51', network_advice_code: '02' });
    expect(declineSignals(error, null)).toEqual({
      declineCode: 'insufficient_funds',
      errorCode: 'card_declined',
      adviceCode: 'try_again_later',
      networkDeclineCode: '51',
      networkAdviceCode: '02',
      brand: 'visa',
    });
  });

  it('are completed by the outcome of the same charge', () => {
    const signals = declineSignals(errorOf({ decline_code: '' }), chargeOf(failedCharge({ reason: 'do_not_honor' })));
    expect(signals).toMatchObject({ declineCode: 'do_not_honor', networkDeclineCode: '51', networkAdviceCode: '02' });
  });

  it('leave out the charge of another attempt', () => {
    const signals = declineSignals(errorOf({ decline_code: '', charge: 'ch_2' }), chargeOf(failedCharge()));
    expect(signals).toMatchObject({ declineCode: null, errorCode: 'card_declined', networkDeclineCode: null });
  });

  it('read an empty decline_code as none, so that `code` speaks', () => {
    const error = errorOf({ code: 'expired_card', decline_code: '' });
    const outcome = chargeOf(failedCharge({ reason: 'expired_card' }, { failure_code: 'expired_card' }));
    expect(declineSignals(error, outcome)).toMatchObject({ declineCode: null, errorCode: 'expired_card' });
  });

  it('take the reason of a charge that the gateway itself blocked, and say so', () => {
    const blocked = chargeOf(
      failedCharge({ type: 'blocked', reason: 'highest_risk_level', network_decline_code: null }),
    );
    expect(declineSignals(errorOf({ decline_code: 'generic_decline' }), blocked)).toMatchObject({
      declineCode: 'highest_risk_level',
      networkDeclineCode: null,
      blockedByGateway: true,
    });
    expect(declineSignals(errorOf({ decline_code: 'fraudulent' }), blocked).declineCode).toBe('fraudulent');
  });

  it('come from a bare charge when there is no error', () => {
    expect(declineSignals(null, chargeOf(failedCharge()))).toEqual({
      declineCode: 'insufficient_funds',
      errorCode: 'card_declined',
      adviceCode: 'try_again_later',
      networkDeclineCode: '51',
      networkAdviceCode: '02',
      brand: 'visa',
    });
  });

  it('are all null when nothing was said, never empty texts', () => {
    const silent = { code: '', decline_code: '', advice_code: '', payment_method: null };
    expect(declineSignals(silent, null)).toEqual({
      declineCode: null,
      errorCode: null,
      adviceCode: null,
      networkDeclineCode: null,
      networkAdviceCode: null,
      brand: null,
    });
  });

  it.each([
    ['Visa', 'visa'],
    ['unknown', null],
    ['', null],
    [undefined, null],
  ])('name the brand "%s" as %s', (brand, name) => {
    expect(brandName(brand)).toBe(name);
  });
});

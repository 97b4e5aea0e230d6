import { describe, expect, it } from '@jest/globals';

import { isCurrency, minorDigitsOf, validateAmount } from './money.js';

describe('amounts', () => {
  it.each([
    [50, 'USD'],
    [99_999_999, 'USD'],
    [1050, 'JPY'],
    [1051, 'KRW'],
    [1050, 'KWD'],
    [1500, 'ISK'],
    [1500, 'UGX'],
    [1551, 'HUF'],
  ])('%i %s is fine', (amount, currency) => expect(validateAmount(amount, currency)).toEqual({ kind: 'ok' }));

  it.each([
    [49, 'USD', 'from 50 to 99999999'],
    [0, 'USD', 'from 50'],
    [-100, 'USD', 'from 50'],
    [100_000_000, 'USD', 'from 50 to 99999999'],
    [10.5, 'USD', 'an integer'],
    [Number.NaN, 'USD', 'an integer'],
    [1e300, 'USD', 'an integer'],
    [1055, 'KWD', 'divisible by 10'],
    [1550, 'ISK', 'divisible by 100'],
    [1550, 'UGX', 'divisible by 100'],
  ])('%d %s is refused', (amount, currency, accepted) => {
    const check = validateAmount(amount, currency);
    expect(check).toMatchObject({ kind: 'refused', field: 'amount', code: 'invalid_amount' });
    expect(check).toHaveProperty('accepted', expect.stringContaining(accepted));
  });

  it.each([
    [49, 'USD', 'must be a whole number in range', 'units of which 100 make one USD'],
    [49, 'JPY', 'must be a whole number in range', 'whole JPY'],
    [1055, 'KWD', 'must be divisible by 10', 'units of which 1000 make one KWD, divisible by 10'],
  ])('tells what is wrong with %d %s, and what is right', (amount, currency, message, unit) => {
    const accepted = `an integer from 50 to 99999999 in ${unit}`;
    expect(validateAmount(amount, currency)).toMatchObject({ message, accepted });
  });

  it('tells what a currency is', () => {
    expect(validateAmount(1000, 'usd')).toEqual({
      kind: 'refused',
      field: 'currency',
      code: 'invalid_field',
      message: 'is no known currency',
      accepted: 'an ISO 4217 code in capitals, such as USD',
    });
  });

  it.each(['usd', 'XXX', '', '__proto__', 'EURO'])('knows no currency %s', (currency) => {
    expect(validateAmount(1000, currency)).toMatchObject({ field: 'currency', code: 'invalid_field' });
    expect(isCurrency(currency)).toBe(false);
    expect(minorDigitsOf(currency)).toBeNull();
  });

  it('knows the digits of the gateway’s smallest unit', () => {
    const digits = ['JPY', 'USD', 'KWD', 'ISK', 'UGX'].map((currency) => minorDigitsOf(currency));
    expect(digits).toEqual([0, 2, 3, 2, 2]);
  });
});

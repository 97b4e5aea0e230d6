import { describe, expect, it } from '@jest/globals';

import { NO_SIGNALS } from './payment-looks.js';
import { adviceStep, isBankDebit, isDebitType, networkOf, strictness } from './signals.js';
import { TABLES } from './tables.js';

describe('the step that advice asks for', () => {
  it.each([...TABLES.advice.values()])('$network $code: $effect', (row) => {
    const stops = ['never', 'fix_data', 'update_credentials', 'single_use'].includes(row.effect);
    expect(adviceStep(row)).toBe(stops ? 'fail' : null);
  });
});

describe('the network of a raw code', () => {
  it('is the brand that the gateway tells, before any hint', () => {
    const hints = { binPrefix: '411111', paymentMethodType: 'sepa_debit' };
    expect(networkOf({ ...NO_SIGNALS, brand: ' MasterCard ' }, hints)).toBe('mastercard');
    expect(networkOf(NO_SIGNALS, hints)).toBe('sepa_debit');
    expect(networkOf(NO_SIGNALS, { binPrefix: '411111', paymentMethodType: 'card' })).toBe('visa');
    expect(networkOf(NO_SIGNALS, {})).toBeNull();
  });
});

describe('bank debits', () => {
  it('are known by the type, or by the network that answered', () => {
    expect(['sepa_debit', 'us_bank_account', 'card', ''].map(isDebitType)).toEqual([true, true, false, false]);
    expect(isBankDebit(NO_SIGNALS, { paymentMethodType: 'au_becs_debit' })).toBe(true);
    expect(isBankDebit({ ...NO_SIGNALS, brand: 'bacs_debit' }, {})).toBe(true);
    expect(isBankDebit({ ...NO_SIGNALS, brand: 'visa' }, { paymentMethodType: 'card' })).toBe(false);
  });
});

it('ranks block over authenticate over fail over look over queue over charge', () => {
  const ranked = ['charge', 'queue', 'look_then_charge', 'look_then_fail', 'fail', 'authenticate', 'block'] as const;
  expect(ranked.map(strictness)).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

import { describe, expect, it } from '@jest/globals';

import type { ChargeReading, DeclineSignals, InvoiceReading, PaymentReading, PaymentWitness } from './facts.js';
import { HOUR_MS } from './local-time.js';
import { decideLook, NO_SIGNALS, readSettlement } from './payment-looks.js';

const NOW = new Date('2026-06-03T09:00:00Z');
const ago = (hours: number) => new Date(NOW.getTime() - hours * HOUR_MS);
const STATUSES = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
  'canceled',
  'unmapped',
] as const;

function paymentWith(parts: Partial<PaymentReading> = {}): PaymentReading {
  return {
    kind: 'payment',
    id: 'pi_1',
    status: 'requires_payment_method',
    amountMinor: 2500,
    currency: 'USD',
    customerId: 'cus_1',
    invoiceId: null,
    captureMethod: 'automatic',
    confirmationMethod: 'automatic',
    setupFutureUsage: null,
    cancellationReason: null,
    createdAt: ago(1),
    latestCharge: null,
    lastError: null,
    ...parts,
  };
}

describe('the look for a payment that may have been made', () => {
  const facts = {
    amountMinor: 2500,
    currency: 'USD',
    customerKnown: true,
    otherDebtsPaymentIds: new Set(['pi_other']),
    now: NOW,
  };

  it.each(STATUSES)('judges a payment that reads %s', (status) => {
    const money = ['succeeded', 'processing', 'requires_capture', 'unmapped'].includes(status);
    expect(decideLook([paymentWith({ status })], facts)).toBe(money ? 'possibly_paid' : 'none');
  });

  it.each([
    ['another amount', { amountMinor: 2501 }],
    ['another currency', { currency: 'EUR' }],
    ['an invoice of its own', { invoiceId: 'in_1' }],
    ['another debt of ours', { id: 'pi_other' }],
    ['more than 72 hours', { createdAt: ago(72.01) }],
  ])('leaves out one with %s', (_, parts) => {
    expect(decideLook([paymentWith({ status: 'succeeded', ...parts })], facts)).toBe('none');
  });

  it('finds one among others, up to 72 hours old', () => {
    const payments = [paymentWith(), paymentWith({ status: 'succeeded', createdAt: ago(72) })];
    expect(decideLook(payments, facts)).toBe('possibly_paid');
  });

  it('charges nothing where no customer is known', () => {
    expect(decideLook([], { ...facts, customerKnown: false })).toBe('possibly_paid');
    expect(decideLook([], facts)).toBe('none');
  });
});

describe('settling a lost answer', () => {
  const BEFORE: PaymentWitness = { paymentId: 'pi_1', latestChargeId: 'ch_1', lastErrorLogUrl: 'log_1' };
  const FUNDS: DeclineSignals = { ...NO_SIGNALS, declineCode: 'insufficient_funds' };
  const STOLEN: DeclineSignals = { ...NO_SIGNALS, declineCode: 'stolen_card' };

  function chargeWith(parts: Partial<ChargeReading>): ChargeReading {
    const none = { refunded: false, disputed: false, paymentId: 'pi_1', signals: FUNDS };
    return { id: 'ch_1', status: 'failed', ...none, ...parts };
  }
  const error = (requestLogUrl: string | null) => ({ signals: STOLEN, requestLogUrl, chargeId: null });

  it.each([
    ['succeeded', { kind: 'succeeded' }],
    ['processing', { kind: 'pending' }],
    ['requires_action', { kind: 'requires_action' }],
    ['requires_capture', { kind: 'requires_capture' }],
    ['canceled', { kind: 'canceled', by: 'other' }],
    ['unmapped', { kind: 'unclear' }],
    ['requires_payment_method', { kind: 'not_executed' }],
    ['requires_confirmation', { kind: 'not_executed' }],
  ] as const)('reads %s', (status, expected) => {
    expect(readSettlement(BEFORE, paymentWith({ status }))).toEqual(expected);
  });

  it.each([
    [
      'the same charge and error as before',
      { latestCharge: chargeWith({}), lastError: error('log_1') },
      { kind: 'not_executed' },
    ],
    ['another charge that failed', { latestCharge: chargeWith({ id: 'ch_2' }) }, { kind: 'declined', signals: FUNDS }],
    [
      'another charge that went through',
      { latestCharge: chargeWith({ id: 'ch_2', status: 'succeeded' }) },
      { kind: 'succeeded' },
    ],
    [
      'another charge at the bank',
      { latestCharge: chargeWith({ id: 'ch_2', status: 'pending' }) },
      { kind: 'pending' },
    ],
    [
      'another charge that says nothing itself',
      { latestCharge: chargeWith({ id: 'ch_2', signals: null }), lastError: error('log_2') },
      { kind: 'declined', signals: STOLEN },
    ],
    [
      'another charge without any reason',
      { latestCharge: chargeWith({ id: 'ch_2', signals: null }) },
      { kind: 'declined', signals: NO_SIGNALS },
    ],
    [
      'another error',
      { latestCharge: chargeWith({}), lastError: error('log_2') },
      { kind: 'declined', signals: STOLEN },
    ],
    [
      'the old charge on another payment',
      { id: 'pi_2', latestCharge: chargeWith({}) },
      { kind: 'declined', signals: FUNDS },
    ],
    [
      'the old error on another payment',
      { id: 'pi_2', lastError: error('log_1') },
      { kind: 'declined', signals: STOLEN },
    ],
    ['another payment that says nothing', { id: 'pi_2' }, { kind: 'not_executed' }],
  ])('compares: %s', (_, parts, expected) => {
    expect(readSettlement(BEFORE, paymentWith(parts))).toEqual(expected);
  });

  it.each([
    ['expired', false, 'gateway'],
    ['automatic', false, 'gateway'],
    ['requested_by_customer', false, 'other'],
    ['requested_by_customer', true, 'us'],
  ])('says who canceled: %s, by our call %s: %s', (cancellationReason, byUs, by) => {
    const reading = paymentWith({ status: 'canceled', cancellationReason });
    expect(readSettlement(BEFORE, reading, byUs)).toEqual({ kind: 'canceled', by });
  });

  it.each([
    ['expired', false, { kind: 'declined', signals: FUNDS }],
    ['requested_by_customer', true, { kind: 'declined', signals: FUNDS }],
    ['requested_by_customer', false, { kind: 'canceled', by: 'other' }],
  ])('a decline before the cancel counts, but for somebody else’s word: %s, by us %s', (reason, byUs, expected) => {
    const latestCharge = chargeWith({ id: 'ch_2' });
    const reading = paymentWith({ status: 'canceled', cancellationReason: reason, latestCharge });
    expect(readSettlement(BEFORE, reading, byUs)).toEqual(expected);
  });

  it.each([
    [{ status: 'paid' }, { kind: 'succeeded' }],
    [{ status: 'void' }, { kind: 'canceled', by: 'other' }],
    [{ status: 'void', payment: paymentWith({ status: 'processing' }) }, { kind: 'pending' }],
    [{ status: 'void', payment: paymentWith({ status: 'succeeded' }) }, { kind: 'succeeded' }],
    [{ status: 'open' }, { kind: 'not_executed' }],
    [
      { status: 'open', payment: paymentWith({ latestCharge: chargeWith({ id: 'ch_2' }) }) },
      { kind: 'declined', signals: FUNDS },
    ],
    [{ status: 'open', payment: paymentWith({ status: 'processing' }) }, { kind: 'pending' }],
  ] as [Partial<InvoiceReading>, object][])('reads an invoice before its payment: %j', (parts, expected) => {
    const owed = { amountRemainingMinor: 2500, currency: 'USD', payment: null };
    const invoice: InvoiceReading = { kind: 'invoice', id: 'in_1', status: 'open', ...owed, ...parts };
    expect(readSettlement(BEFORE, invoice)).toEqual(expected);
  });
});

import { describe, expect, it } from '@jest/globals';

import type { ChargeReading, InvoiceReading, PaymentReading } from './facts.js';
import { type DebtFacts, decideInvoice, decideOriginal, type ReadingTime } from './original.js';

const DEBT: DebtFacts = {
  amountMinor: 2500,
  currency: 'USD',
  customerId: 'cus_1',
  madeByUs: false,
  canceledByUs: false,
  paymentReplaced: false,
  uncollectibleAtFirst: false,
  checkoutOwned: false,
};

function chargeWith(parts: Partial<ChargeReading> = {}): ChargeReading {
  const none = { refunded: false, disputed: false, paymentId: null, signals: null };
  return { id: 'ch_1', status: 'failed', ...none, ...parts };
}

function paymentWith(parts: Partial<PaymentReading> = {}): PaymentReading {
  return {
    kind: 'payment',
    id: 'pi_1',
    status: 'requires_payment_method',
    amountMinor: 2500,
    currency: 'USD',
    customerId: 'cus_1',
    invoiceId: null,
    captureMethod: 'automatic_async',
    confirmationMethod: 'automatic',
    setupFutureUsage: null,
    cancellationReason: null,
    createdAt: new Date('2026-06-01T00:00:00Z'),
    latestCharge: null,
    lastError: null,
    ...parts,
  };
}

function invoiceWith(parts: Partial<InvoiceReading> = {}): InvoiceReading {
  const owed = { amountRemainingMinor: 2500, currency: 'USD', payment: null };
  return { kind: 'invoice', id: 'in_1', status: 'open', ...owed, ...parts };
}

const WHEN: ReadingTime[] = ['acceptance', 'first_reading', 'later'];
const ended = (endReason: string, detail: string | null, state = 'failed') => ({
  kind: 'end',
  state,
  endReason,
  detail,
});

describe.each(WHEN)('an original payment, read at %s', (when) => {
  const read = (parts: Partial<PaymentReading>, debt: Partial<DebtFacts> = {}) =>
    decideOriginal(paymentWith(parts), { ...DEBT, ...debt }, when);

  it.each([
    [
      { invoiceId: 'in_7', status: 'succeeded' },
      { kind: 'read_invoice', invoiceId: 'in_7' },
    ],
    [{ status: 'succeeded' }, { kind: 'already_paid' }],
    [{ status: 'succeeded', latestCharge: chargeWith({ refunded: true }) }, ended('refunded', null)],
    [{ status: 'succeeded', latestCharge: chargeWith({ disputed: true }) }, ended('disputed', null)],
    [{ status: 'processing' }, { kind: 'wait' }],
    [{ status: 'unmapped' }, { kind: 'wait' }],
    [{ status: 'requires_action' }, { kind: 'action_required', paymentId: 'pi_1' }],
    [{ status: 'requires_capture' }, ended('possibly_paid', 'possibly_paid')],
    [{ status: 'requires_payment_method' }, { kind: 'adopt', paymentId: 'pi_1' }],
    [{ status: 'requires_confirmation' }, { kind: 'adopt', paymentId: 'pi_1' }],
  ] as [Partial<PaymentReading>, object][])('%j decides', (parts, expected) => expect(read(parts)).toEqual(expected));

  it.each([
    [{ amountMinor: 2400 }, {}, 'its amount is 2400'],
    [{ currency: 'EUR' }, {}, 'its currency is EUR'],
    [{ customerId: 'cus_2' }, {}, 'its customer is cus_2'],
    [{ customerId: null }, {}, 'its customer is none'],
    [{ captureMethod: 'manual' }, {}, 'capture_method is manual'],
    [{ confirmationMethod: 'manual' }, {}, 'confirmation_method is manual'],
    [{ setupFutureUsage: 'off_session' }, {}, 'setup_future_usage is off_session'],
    [{}, { checkoutOwned: true }, 'a Checkout Session owns it'],
  ])('that is open and differs (%j %j) is never charged beside', (parts, debt, difference) => {
    const decision = read(parts, debt);
    if (when !== 'acceptance') {
      expect(decision).toEqual(ended('original_transaction_open', 'original_transaction_open'));
      return;
    }
    expect(decision).toMatchObject({ kind: 'refuse', code: 'original_transaction_open' });
    expect(decision).toHaveProperty('message', expect.stringContaining(difference));
    expect(decision).toHaveProperty('message', expect.stringContaining('Cancel pi_1'));
  });

  it('that we made for the debt and that no longer fits is canceled first', () => {
    const decision = read({ amountMinor: 2400 }, { madeByUs: true });
    expect(decision).toEqual({ kind: 'cancel_then_create', paymentId: 'pi_1' });
  });

  it('that is canceled ends the recovery only when that happened during it', () => {
    const voided = ended('voided', null, 'cancelled');
    const asked = { status: 'canceled', cancellationReason: 'requested_by_customer' } as const;
    const expired = { status: 'canceled', cancellationReason: 'expired' } as const;
    expect(read(asked)).toEqual(when === 'later' ? voided : { kind: 'create_new' });
    expect(read(asked, { canceledByUs: true })).toEqual({ kind: 'create_new' });
    expect(read(expired)).toEqual({ kind: 'create_new' });
    expect(read({ ...expired, cancellationReason: 'automatic' })).toEqual({ kind: 'create_new' });
    expect(read(expired, { paymentReplaced: true })).toEqual(when === 'later' ? voided : { kind: 'create_new' });
  });

  it('that nobody knows is refused, or ends it', () => {
    const decision = decideOriginal({ kind: 'not_found' }, DEBT, when);
    if (when === 'acceptance')
      expect(decision).toMatchObject({ kind: 'refuse', code: 'original_transaction_not_found' });
    else expect(decision).toEqual(ended('configuration', 'original_transaction_not_found'));
  });

  it('that can not be read now is waited for', () => {
    expect(decideOriginal({ kind: 'unreadable' }, DEBT, when)).toEqual({ kind: 'wait' });
  });

  it.each([
    [{ status: 'succeeded' }, { kind: 'already_paid' }],
    [{ status: 'succeeded', refunded: true }, ended('refunded', null)],
    [{ status: 'succeeded', disputed: true }, ended('disputed', null)],
    [{ status: 'pending' }, { kind: 'wait' }],
    [{ status: 'failed' }, { kind: 'create_new' }],
    [{ status: 'failed', paymentId: 'pi_1' }, { kind: 'wait' }],
  ] as [Partial<ChargeReading>, object][])('a bare charge %j decides', (parts, expected) => {
    expect(decideOriginal({ kind: 'charge', charge: chargeWith(parts) }, DEBT, when)).toEqual(expected);
  });
});

describe.each(WHEN)('an invoice, read at %s', (when) => {
  const read = (parts: Partial<InvoiceReading>, debt: Partial<DebtFacts> = {}) =>
    decideInvoice(invoiceWith(parts), { ...DEBT, ...debt }, when);
  const pay = (amountMinor: number) => ({ kind: 'charge_invoice', invoiceId: 'in_1', amountMinor });

  it.each([
    [{ status: 'paid', amountRemainingMinor: 0 }, { kind: 'already_paid' }],
    [{ status: 'void', amountRemainingMinor: 1 }, ended('voided', null, 'cancelled')],
    [{ status: 'unmapped' }, { kind: 'wait' }],
    [{ status: 'open' }, pay(2500)],
    [{ payment: paymentWith({ status: 'processing' }) }, { kind: 'wait' }],
    [{ payment: paymentWith({ status: 'requires_capture' }) }, ended('possibly_paid', 'possibly_paid')],
    [{ payment: paymentWith({ status: 'requires_action' }) }, { kind: 'action_required', paymentId: 'pi_1' }],
    [{ payment: paymentWith() }, pay(2500)],
  ] as [Partial<InvoiceReading>, object][])('%j decides', (parts, expected) => expect(read(parts)).toEqual(expected));

  it('that is a draft is not open', () => {
    if (when === 'acceptance')
      expect(read({ status: 'draft' })).toMatchObject({ kind: 'refuse', code: 'invoice_not_open' });
    else expect(read({ status: 'draft' })).toEqual(ended('configuration', 'invoice_not_open'));
  });

  it('that is uncollectible is payable, unless it was marked since the first reading', () => {
    const marked = ended('uncollectible', null, 'cancelled');
    expect(read({ status: 'uncollectible' })).toEqual(when === 'later' ? marked : pay(2500));
    expect(read({ status: 'uncollectible' }, { uncollectibleAtFirst: true })).toEqual(pay(2500));
  });

  it.each([
    [{ amountRemainingMinor: 2000 }, pay(2000)],
    [{ amountRemainingMinor: 0 }, { kind: 'wait' }],
    [{ amountRemainingMinor: 3000 }, ended('amount_changed', 'amount_changed')],
    [{ currency: 'EUR' }, ended('amount_changed', 'amount_changed')],
    [{ amountRemainingMinor: 2000, currency: 'EUR' }, ended('amount_changed', 'amount_changed')],
  ] as [Partial<InvoiceReading>, object][])(
    'with another amount %j is refused at first, and judged later',
    (parts, later) => {
      const decision = read(parts);
      if (when === 'later') expect(decision).toEqual(later);
      else if (when === 'first_reading') expect(decision).toEqual(ended('configuration', 'amount_mismatch'));
      else {
        const named = `${parts.amountRemainingMinor ?? 2500} ${parts.currency ?? 'USD'}`;
        expect(decision).toMatchObject({ kind: 'refuse', code: 'amount_mismatch' });
        expect(decision).toHaveProperty('message', expect.stringContaining(named));
      }
    },
  );

  it('is decided the same when it is the original', () => {
    expect(decideOriginal(invoiceWith(), DEBT, when)).toEqual(pay(2500));
  });
});

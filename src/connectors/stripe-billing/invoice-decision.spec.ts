import { describe, expect, it } from '@jest/globals';

import type { BilledInvoice } from '../../gateways/stripe/billing.js';
import { decideInvoiceEvent } from './invoice-decision.js';

const failed: BilledInvoice = {
  ...{ id: 'in_1', status: 'open', amountRemainingMinor: 2_500, currency: 'USD', customerId: 'cus_1' },
  ...{ collectionMethod: 'charge_automatically', billingReason: 'subscription_cycle', attempted: true },
  ...{ nextAttemptAt: null, subscription: { id: 'sub_1', status: 'past_due' } },
  ...{ paymentId: 'pi_1', paymentStatus: 'requires_payment_method', failure: null, methodId: 'pm_1' },
};

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]),
  );
}

/** Works a story's events in turns of so many, as a claim may cut them; tells what was opened. */
function play(types: readonly string[], invoice: BilledInvoice, turnOf: number): string[] {
  const opened: string[] = [];
  for (let at = 0; at < types.length; at += turnOf) {
    const isFailure = types.slice(at, at + turnOf).includes('invoice.payment_failed');
    const step = decideInvoiceEvent(invoice, opened.length > 0, isFailure);
    if (step.kind === 'open') opened.push(step.token ?? 'none');
  }
  return opened;
}

const SIX = [
  'invoice.payment_failed',
  'invoice.payment_action_required',
  'invoice.updated',
  'invoice.paid',
  'invoice.payment_succeeded',
  'invoice.payment_failed',
];

describe('all orders of six events', () => {
  it.each([1, 2, 3, 6])('worked %d at a time, open one recovery of a failed invoice', (turnOf) => {
    const ends = permutations(SIX).map((types) => play(types, failed, turnOf));
    expect(ends).toHaveLength(720);
    expect(new Set(ends.map(String))).toEqual(new Set(['pm_1']));
  });

  it.each(['paid', 'void', 'uncollectible', 'draft'] as const)('open none of one that reads %s by now', (status) => {
    const ends = permutations(SIX).map((types) => play(types, { ...failed, status }, 1));
    expect(new Set(ends.map(String))).toEqual(new Set(['']));
  });
});

describe('what opens no recovery', () => {
  it.each<[string, Partial<BilledInvoice>]>([
    ['sent_to_the_customer', { collectionMethod: 'send_invoice' }],
    ['first_payment', { billingReason: 'subscription_create' }],
    ['subscription_over', { subscription: { id: 'sub_1', status: 'canceled' } }],
    ['subscription_over', { subscription: { id: 'sub_1', status: 'incomplete_expired' } }],
    ['not_attempted', { attempted: false }],
    ['nothing_owed', { amountRemainingMinor: 0 }],
    ['invoice_paid', { status: 'paid' }],
  ])('%s', (why, changed) => {
    expect(decideInvoiceEvent({ ...failed, ...changed }, false, true)).toEqual({ kind: 'nothing', why });
  });

  it('nothing but a failure does', () => {
    expect(decideInvoiceEvent(failed, false, false)).toEqual({ kind: 'nothing', why: 'no_failure' });
  });
});

describe('which card', () => {
  const declined = { signals: {} as never, chargeId: 'ch_1', paymentMethodId: 'pm_declined' };

  it('the one that Stripe would charge, before the one that failed', () => {
    expect(decideInvoiceEvent({ ...failed, failure: declined }, false, true)).toEqual({ kind: 'open', token: 'pm_1' });
  });

  it('the one that failed, where Stripe has none', () => {
    const step = decideInvoiceEvent({ ...failed, methodId: null, failure: declined }, false, true);
    expect(step).toEqual({ kind: 'open', token: 'pm_declined' });
  });

  it('none at all is told apart', () => {
    expect(decideInvoiceEvent({ ...failed, methodId: null }, false, true)).toEqual({ kind: 'open', token: null });
  });
});

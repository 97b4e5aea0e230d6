import type { DeclineSignals, InvoiceReading, Outcome, PaymentReading, PaymentWitness } from './facts.js';
import { HOUR_MS } from './local-time.js';
import { isGatewaysOwnCancel } from './original.js';

/** How far back a look for a payment that may have been made goes. */
export const LOOK_BACK_MS = 72 * HOUR_MS;

export interface LookFacts {
  amountMinor: number;
  /** ISO 4217, upper case. */
  currency: string;
  /** False when the token has no customer: then nothing can be listed, and nothing is known. */
  customerKnown: boolean;
  /** Payments of other debts of ours: they say nothing about this one. */
  otherDebtsPaymentIds: ReadonlySet<string>;
  now: Date;
}

/** Whether one of the customer's payments may be this debt's, so that charging could take the money twice. */
export function decideLook(payments: readonly PaymentReading[], facts: LookFacts): 'possibly_paid' | 'none' {
  if (!facts.customerKnown) return 'possibly_paid';
  const sinceMs = facts.now.getTime() - LOOK_BACK_MS;
  const found = payments.some(
    (payment) =>
      payment.createdAt.getTime() >= sinceMs &&
      payment.amountMinor === facts.amountMinor &&
      payment.currency === facts.currency &&
      payment.invoiceId === null &&
      !facts.otherDebtsPaymentIds.has(payment.id) &&
      mayHavePaid(payment),
  );
  return found ? 'possibly_paid' : 'none';
}

function mayHavePaid(payment: PaymentReading): boolean {
  switch (payment.status) {
    case 'succeeded':
    case 'processing':
    case 'requires_capture': // Authorised and held.
    case 'unmapped': // Nobody knows: no charge.
      return true;
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'requires_action':
    case 'canceled':
      return false;
  }
}

export type Settlement =
  | Outcome
  /** No sign of the charge so far: `whatNotExecutedAllows` says what may follow. */
  | { kind: 'not_executed' }
  /** A status that we do not know yet: look again, alert, charge nothing. */
  | { kind: 'unclear' };

/**
 * Settles a charge whose answer was lost, by comparing a reading with what was stored before the charge: the first of
 * these holds. Never by search, which lags, nor by metadata, which a confirm does not take.
 * @param canceledByUs that the payment was canceled by our own call, where it reads as canceled.
 */
export function readSettlement(
  before: PaymentWitness,
  reading: PaymentReading | InvoiceReading,
  canceledByUs = false,
): Settlement {
  if (reading.kind === 'invoice') {
    if (reading.status === 'paid') return { kind: 'succeeded' };
    // A debit that is at the bank may still bring its money, whatever became of the invoice meanwhile.
    const isUnderWay = reading.payment?.status === 'succeeded' || reading.payment?.status === 'processing';
    if (reading.status === 'void' && !isUnderWay) return { kind: 'canceled', by: 'other' };
    return reading.payment ? settlePayment(before, reading.payment, canceledByUs) : { kind: 'not_executed' };
  }
  return settlePayment(before, reading, canceledByUs);
}

function settlePayment(before: PaymentWitness, payment: PaymentReading, canceledByUs: boolean): Settlement {
  switch (payment.status) {
    case 'succeeded':
      return { kind: 'succeeded' };
    case 'processing':
      return { kind: 'pending' };
    case 'requires_action':
      return { kind: 'requires_action' };
    case 'requires_capture':
      return { kind: 'requires_capture' };
    case 'canceled':
      return settleCanceled(before, payment, canceledBy(payment, canceledByUs));
    case 'unmapped':
      return { kind: 'unclear' };
    case 'requires_payment_method':
    case 'requires_confirmation':
      return settleByWitness(before, payment);
  }
}

/**
 * What was declined before its payment was taken away was declined all the same: it counts, and the next charge waits for
 * its time. Somebody else's word ends the debt, whatever came before it.
 */
function settleCanceled(before: PaymentWitness, payment: PaymentReading, by: 'us' | 'gateway' | 'other'): Settlement {
  const charged = settleByWitness(before, payment);
  return charged.kind === 'declined' && by !== 'other' ? charged : { kind: 'canceled', by };
}

function canceledBy(payment: PaymentReading, canceledByUs: boolean): 'us' | 'gateway' | 'other' {
  if (canceledByUs) return 'us';
  return isGatewaysOwnCancel(payment) ? 'gateway' : 'other';
}

/** The payment is open again or still: what differs from before the charge is what the charge did. */
function settleByWitness(before: PaymentWitness, payment: PaymentReading): Settlement {
  const charge = payment.latestCharge;
  const otherPayment = before.paymentId !== payment.id;
  if (charge && (otherPayment || charge.id !== before.latestChargeId)) {
    if (charge.status === 'succeeded') return { kind: 'succeeded' };
    if (charge.status === 'pending') return { kind: 'pending' };
    return { kind: 'declined', signals: charge.signals ?? payment.lastError?.signals ?? NO_SIGNALS };
  }
  const error = payment.lastError;
  const otherError = error && (otherPayment || error.requestLogUrl !== before.lastErrorLogUrl);
  return otherError ? { kind: 'declined', signals: error.signals } : { kind: 'not_executed' };
}

/** A decline that says nothing. */
export const NO_SIGNALS: DeclineSignals = {
  declineCode: null,
  errorCode: null,
  adviceCode: null,
  networkDeclineCode: null,
  networkAdviceCode: null,
  brand: null,
};

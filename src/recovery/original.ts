import type { ChargeReading, EndReason, InvoiceReading, PaymentReading } from './facts.js';

/**
 * When a reading is made. `first_reading` is one that failed at acceptance and was made up for later: what would have
 * been a refusal then ends the recovery now.
 */
export type ReadingTime = 'acceptance' | 'first_reading' | 'later';

/** What is to be collected, as far as it is compared with what the gateway holds. */
export interface DebtFacts {
  amountMinor: number;
  /** ISO 4217, upper case. */
  currency: string;
  /** The gateway customer of the token that will be charged; null when it has none. */
  customerId: string | null;
  /** The payment was made by us for this debt, by this recovery or an earlier one. */
  madeByUs: boolean;
  /** We canceled that payment ourselves, to make another. */
  canceledByUs: boolean;
  /** This recovery has replaced a canceled payment before. */
  paymentReplaced: boolean;
  /** The invoice was uncollectible already when it was first read: still payable. */
  uncollectibleAtFirst: boolean;
  /** A Checkout Session owns the payment, so that its page could still collect. */
  checkoutOwned: boolean;
}

export type OriginalFound =
  | PaymentReading
  | InvoiceReading
  | { kind: 'charge'; charge: ChargeReading }
  | { kind: 'not_found' }
  /** The gateway could not answer now. */
  | { kind: 'unreadable' };

export type RefusalCode =
  'original_transaction_open' | 'original_transaction_not_found' | 'amount_mismatch' | 'invoice_not_open';

export type OriginalDecision =
  /** Read that invoice, then `decideInvoice`. */
  | { kind: 'read_invoice'; invoiceId: string }
  | { kind: 'charge_invoice'; invoiceId: string; amountMinor: number }
  | { kind: 'adopt'; paymentId: string }
  | { kind: 'create_new' }
  /** Ours, but no longer fitting: cancel it, read it as canceled, then make a new one. */
  | { kind: 'cancel_then_create'; paymentId: string }
  | { kind: 'already_paid' }
  /** Charge nothing now; look again in 10 s, 60 s, 5 m … */
  | { kind: 'wait' }
  | { kind: 'action_required'; paymentId: string }
  | { kind: 'end'; state: 'failed' | 'cancelled'; endReason: EndReason; detail: string | null }
  | { kind: 'refuse'; code: RefusalCode; message: string };

/** What the original charge, payment or invoice reads decides, at acceptance and before every charge. */
export function decideOriginal(original: OriginalFound, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  switch (original.kind) {
    case 'payment':
      return decidePayment(original, debt, when);
    case 'invoice':
      return decideInvoice(original, debt, when);
    case 'charge':
      return decideBareCharge(original.charge);
    case 'not_found':
      return refuseOrEnd('original_transaction_not_found', 'no such transaction at the gateway', when);
    case 'unreadable':
      return { kind: 'wait' };
  }
}

function decidePayment(payment: PaymentReading, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  // A fresh payment beside an open invoice would let the platform collect again.
  if (payment.invoiceId !== null) return { kind: 'read_invoice', invoiceId: payment.invoiceId };
  const reversed = payment.latestCharge && reversal(payment.latestCharge);
  if (reversed) return reversed;
  switch (payment.status) {
    case 'succeeded':
      return { kind: 'already_paid' };
    case 'processing':
    case 'unmapped':
      return { kind: 'wait' };
    case 'requires_action':
      return { kind: 'action_required', paymentId: payment.id };
    case 'requires_capture':
      return held();
    case 'canceled':
      return decideCanceled(payment, debt, when);
    case 'requires_payment_method':
    case 'requires_confirmation':
      return decideOpenPayment(payment, debt, when);
  }
}

/** The money is authorised and held: whoever holds it decides, no second charge. */
function held(): OriginalDecision {
  return { kind: 'end', state: 'failed', endReason: 'possibly_paid', detail: 'possibly_paid' };
}

function reversal(charge: ChargeReading): OriginalDecision | null {
  if (charge.disputed) return { kind: 'end', state: 'failed', endReason: 'disputed', detail: null };
  if (charge.refunded) return { kind: 'end', state: 'failed', endReason: 'refunded', detail: null };
  return null;
}

/** Before the recovery began a cancel says nothing about the debt; during it, it is somebody's word, unless it was ours or the gateway's own expiry. */
function decideCanceled(payment: PaymentReading, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  if (when !== 'later' || debt.canceledByUs) return { kind: 'create_new' };
  if (isGatewaysOwnCancel(payment) && !debt.paymentReplaced) return { kind: 'create_new' };
  return { kind: 'end', state: 'cancelled', endReason: 'voided', detail: null };
}

/** True for the two reasons that the gateway sets by itself, without anybody's word. */
export function isGatewaysOwnCancel(payment: Pick<PaymentReading, 'cancellationReason'>): boolean {
  return payment.cancellationReason === 'automatic' || payment.cancellationReason === 'expired';
}

function decideOpenPayment(payment: PaymentReading, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  const differences = differencesOf(payment, debt);
  if (differences.length === 0) return { kind: 'adopt', paymentId: payment.id };
  if (debt.madeByUs) return { kind: 'cancel_then_create', paymentId: payment.id };
  const message = `${payment.id} is still open and differs: ${differences.join('; ')}. Cancel ${payment.id}, or send its amount, currency and customer.`;
  return refuseOrEnd('original_transaction_open', message, when);
}

/** Why a payment can not be adopted, as a merchant reads it; empty when it can. */
function differencesOf(payment: PaymentReading, debt: DebtFacts): string[] {
  const differences: string[] = [];
  if (payment.amountMinor !== debt.amountMinor) differences.push(`its amount is ${payment.amountMinor}`);
  if (payment.currency !== debt.currency) differences.push(`its currency is ${payment.currency}`);
  if (payment.customerId !== debt.customerId) differences.push(`its customer is ${payment.customerId ?? 'none'}`);
  if (payment.captureMethod === 'manual') differences.push('its capture_method is manual');
  if (payment.confirmationMethod !== 'automatic') {
    differences.push(`its confirmation_method is ${payment.confirmationMethod}`);
  }
  // The gateway refuses an off-session charge of such a payment.
  if (payment.setupFutureUsage !== null) differences.push(`its setup_future_usage is ${payment.setupFutureUsage}`);
  if (debt.checkoutOwned) differences.push('a Checkout Session owns it');
  return differences;
}

/** A charge without a payment object: it can not be tried again, so that a failed one is followed by a new payment. */
function decideBareCharge(charge: ChargeReading): OriginalDecision {
  const reversed = reversal(charge);
  if (reversed) return reversed;
  // The payment it belongs to decides, and was not read: look again.
  if (charge.paymentId !== null) return { kind: 'wait' };
  switch (charge.status) {
    case 'succeeded':
      return { kind: 'already_paid' };
    case 'pending':
      return { kind: 'wait' };
    case 'failed':
      return { kind: 'create_new' };
  }
}

/** What the invoice reads decides. Its status speaks before its amount. */
export function decideInvoice(invoice: InvoiceReading, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  switch (invoice.status) {
    case 'paid':
      return { kind: 'already_paid' };
    case 'void':
      return { kind: 'end', state: 'cancelled', endReason: 'voided', detail: null };
    case 'draft':
      return refuseOrEnd('invoice_not_open', `${invoice.id} is a draft; finalize it first`, when);
    case 'unmapped':
      return { kind: 'wait' };
    case 'uncollectible': {
      const markedSince = when === 'later' && !debt.uncollectibleAtFirst;
      if (markedSince) return { kind: 'end', state: 'cancelled', endReason: 'uncollectible', detail: null };
      return decideOpenInvoice(invoice, debt, when);
    }
    case 'open':
      return decideOpenInvoice(invoice, debt, when);
  }
}

function decideOpenInvoice(invoice: InvoiceReading, debt: DebtFacts, when: ReadingTime): OriginalDecision {
  const running = decideInvoicePayment(invoice.payment);
  if (running) return running;
  const owed = invoice.amountRemainingMinor;
  const pay: OriginalDecision = { kind: 'charge_invoice', invoiceId: invoice.id, amountMinor: owed };
  if (invoice.currency === debt.currency && owed === debt.amountMinor) return pay;
  if (when !== 'later') {
    const message = `${invoice.id} has ${owed} ${invoice.currency} left to pay, the request says ${debt.amountMinor} ${debt.currency}`;
    return refuseOrEnd('amount_mismatch', message, when);
  }
  const lower = invoice.currency === debt.currency && owed < debt.amountMinor;
  if (!lower) return { kind: 'end', state: 'failed', endReason: 'amount_changed', detail: 'amount_changed' };
  // Nothing left and not yet paid: it is about to read as paid.
  return owed > 0 ? pay : { kind: 'wait' };
}

/** An invoice whose own payment still runs, is held or waits for the customer is not paid beside it. */
function decideInvoicePayment(payment: PaymentReading | null): OriginalDecision | null {
  switch (payment?.status) {
    case 'processing':
    case 'unmapped':
    case 'succeeded': // The invoice will read as paid in a moment.
      return { kind: 'wait' };
    case 'requires_capture':
      return held();
    case 'requires_action':
      return { kind: 'action_required', paymentId: payment?.id ?? '' };
    case 'requires_payment_method':
    case 'requires_confirmation':
    case 'canceled':
    case undefined:
      return null;
  }
}

function refuseOrEnd(code: RefusalCode, message: string, when: ReadingTime): OriginalDecision {
  if (when === 'acceptance') return { kind: 'refuse', code, message };
  const endReason = code === 'original_transaction_open' ? code : 'configuration';
  return { kind: 'end', state: 'failed', endReason, detail: code };
}

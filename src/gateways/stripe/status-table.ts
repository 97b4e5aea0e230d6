import type { ChargeFacts, InvoiceFacts, PaymentStatus } from '../gateway.js';

/** What a charging call's 200 says, by the status of the payment in it. */
export type ChargeReading =
  | 'succeeded'
  | 'pending'
  | 'requires_action'
  | 'requires_capture'
  | 'canceled'
  /** `last_payment_error` tells why; without one nothing was executed as far as this answer says. */
  | 'declined_if_error'
  /** The answer does not tell whether money moved: the payment has to be read. */
  | 'look';

export interface PaymentRow {
  status: PaymentStatus;
  charge: ChargeReading;
  /** A later recovery may confirm it; only then is it asked whether a Checkout Session owns it. */
  adoptable: boolean;
}

/**
 * Every PaymentIntent status of the SDK's types.
 * @see https://docs.stripe.com/payments/paymentintents/lifecycle
 */
export const PAYMENT_ROWS: Readonly<Record<string, PaymentRow>> = {
  requires_payment_method: { status: 'requires_payment_method', charge: 'declined_if_error', adoptable: true },
  requires_confirmation: { status: 'requires_confirmation', charge: 'look', adoptable: true },
  requires_action: { status: 'requires_action', charge: 'requires_action', adoptable: false },
  processing: { status: 'processing', charge: 'pending', adoptable: false },
  requires_capture: { status: 'requires_capture', charge: 'requires_capture', adoptable: false },
  succeeded: { status: 'succeeded', charge: 'succeeded', adoptable: false },
  canceled: { status: 'canceled', charge: 'canceled', adoptable: false },
};

/** A status that came with a later API: never charged, looked at again, and told to an operator. */
const UNMAPPED_PAYMENT: PaymentRow = { status: 'unmapped', charge: 'look', adoptable: false };

export interface InvoiceRow {
  status: InvoiceFacts['status'];
  /** What a 200 of `pay` says with this status; `by_payment` leaves it to the invoice's payment. */
  charge: 'succeeded' | 'by_payment' | 'look';
}

/**
 * Every Invoice status of the SDK's types.
 * @see https://docs.stripe.com/invoicing/overview#invoice-statuses
 */
export const INVOICE_ROWS: Readonly<Record<string, InvoiceRow>> = {
  draft: { status: 'draft', charge: 'look' },
  open: { status: 'open', charge: 'by_payment' },
  paid: { status: 'paid', charge: 'succeeded' },
  uncollectible: { status: 'uncollectible', charge: 'by_payment' },
  void: { status: 'void', charge: 'look' },
};

const UNMAPPED_INVOICE: InvoiceRow = { status: 'unmapped', charge: 'look' };

/** Every Charge status of the SDK's types. A later one counts as not final. */
export const CHARGE_ROWS: Readonly<Record<string, ChargeFacts['status']>> = {
  succeeded: 'succeeded',
  pending: 'pending',
  failed: 'failed',
};

/**
 * Error codes that speak of the payment's own state and outrank the HTTP status they come with: the customer has to
 * act on the payment as it stands. All other codes are rows of `recovery/policy/decline-codes.csv`, by their `scope`.
 */
export const REQUIRES_ACTION_CODES: ReadonlySet<string> = new Set([
  'payment_intent_action_required',
  'invoice_payment_intent_requires_action',
]);

/** The row of a PaymentIntent status; never throws, a strange one reads as `unmapped`. */
export function paymentRow(status: string): PaymentRow {
  return ownRow(PAYMENT_ROWS, status) ?? UNMAPPED_PAYMENT;
}

/** The row of an Invoice status; never throws, a strange one reads as `unmapped`. */
export function invoiceRow(status: string | null): InvoiceRow {
  return ownRow(INVOICE_ROWS, status ?? '') ?? UNMAPPED_INVOICE;
}

/** The status of a charge; a strange one reads as `pending`, which nobody takes for an end. */
export function chargeStatus(status: string): ChargeFacts['status'] {
  return ownRow(CHARGE_ROWS, status) ?? 'pending';
}

function ownRow<Row>(rows: Readonly<Record<string, Row>>, name: string): Row | undefined {
  return Object.hasOwn(rows, name) ? rows[name] : undefined;
}

import type {
  CardFacts,
  ChargeFacts,
  InvoiceFacts,
  PaymentFacts,
  PaymentStatus,
} from '../../../src/gateways/gateway.js';
import type { DeclineSignals } from '../../../src/recovery/facts.js';

/** How a card answers one charge. */
export type Answer =
  | { kind: 'ok' }
  | { kind: 'decline'; signals: DeclineSignals; leavesNoCharge?: true }
  | { kind: 'bank'; endsWell: boolean; afterMs: number }
  | { kind: 'action' }
  | { kind: 'hold' };

/** A payment method, and what it answers: to each payment from the first on, the last one for ever. */
export interface Method {
  token: string;
  type: string;
  customerId: string | null;
  card: CardFacts | null;
  answers: readonly Answer[];
}

export interface Charge {
  id: string;
  status: ChargeFacts['status'];
  atMs: number;
  signals: DeclineSignals | null;
  refunded: boolean;
  method: Method | null;
}

export interface Payment {
  id: string;
  status: PaymentStatus;
  amountMinor: number;
  currency: string;
  customerId: string | null;
  invoiceId: string | null;
  captureMethod: string;
  allowsRedirects: boolean;
  cancellationReason: string | null;
  createdAtMs: number;
  metadata: Readonly<Record<string, string>>;
  charge: Charge | null;
  lastError: { signals: DeclineSignals; requestLogUrl: string; chargeId: string | null } | null;
  /** Charges that each method has answered so far. */
  answered: Map<string, number>;
}

export interface Invoice {
  id: string;
  status: InvoiceFacts['status'];
  remainingMinor: number;
  currency: string;
  customerId: string;
  createdAtMs: number;
  /** When the merchant last asked for more. */
  raisedAtMs: number | null;
  payment: Payment;
}

/** Money that moved, or was refused: what the invariants believe before any row of ours. */
export interface LedgerEntry {
  atMs: number;
  outcome: 'succeeded' | 'declined' | 'pending' | 'action' | 'held';
  /** Null for the customer's own payment, on-session. */
  key: string | null;
  paymentId: string;
  invoiceId: string | null;
  amountMinor: number;
  currency: string;
  method: Method | null;
  signals: DeclineSignals | null;
}

export function paymentFacts(payment: Payment, withInvoice: boolean): PaymentFacts {
  return {
    kind: 'payment',
    id: payment.id,
    status: payment.status,
    amountMinor: payment.amountMinor,
    currency: payment.currency,
    customerId: payment.customerId,
    invoiceId: withInvoice ? payment.invoiceId : null,
    captureMethod: payment.captureMethod,
    confirmationMethod: 'automatic',
    setupFutureUsage: null,
    allowsRedirects: payment.allowsRedirects,
    cancellationReason: payment.cancellationReason,
    createdAt: new Date(payment.createdAtMs),
    metadata: payment.metadata,
    latestCharge: payment.charge && chargeFacts(payment, payment.charge),
    lastError: payment.lastError,
  };
}

function chargeFacts(payment: Payment, charge: Charge): ChargeFacts {
  return {
    id: charge.id,
    status: charge.status,
    amountMinor: payment.amountMinor,
    currency: payment.currency,
    refunded: charge.refunded,
    disputed: false,
    createdAt: new Date(charge.atMs),
    customerId: payment.customerId,
    card: charge.method?.card ?? null,
    paymentId: payment.id,
    signals: charge.signals,
  };
}

export function invoiceFacts(invoice: Invoice): InvoiceFacts {
  return {
    kind: 'invoice',
    id: invoice.id,
    status: invoice.status,
    amountRemainingMinor: invoice.remainingMinor,
    currency: invoice.currency,
    customerId: invoice.customerId,
    createdAt: new Date(invoice.createdAtMs),
    nextAttemptAt: null,
    subscription: null,
    payment: paymentFacts(invoice.payment, true),
  };
}

/** The customer, or a new charge, may still pay it. */
export function isPayable({ status }: Payment): boolean {
  return status === 'requires_payment_method' || status === 'requires_confirmation' || status === 'requires_action';
}

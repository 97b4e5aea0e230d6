import type { DeclineSignals, Loss } from '../recovery/facts.js';

/** Whose money moves: one client's account at one gateway. The key is clear text, held only for the call. */
export interface GatewayAccount {
  clientId: string;
  provider: 'test' | 'stripe';
  /** A key of the account's own; or the id of one that is connected to our platform; or that access was withdrawn. */
  secretKey: string;
}

/** In place of a key: the merchant has not given us access, or has taken it back. Every call is then refused unsent. */
export const NO_ACCESS = 'no_access';

/** The connected account (`acct_…`) that is called with our platform's key; null for one with a key of its own. */
export function connectedAccountOf({ secretKey }: Pick<GatewayAccount, 'secretKey'>): string | null {
  return secretKey.startsWith('acct_') ? secretKey : null;
}

export interface CardFacts {
  /** Lower case: `visa`, `mastercard`, `amex` … */
  brand: string | null;
  last4: string | null;
  fingerprint: string | null;
  /** ISO 3166 alpha-2 of the issuer. */
  country: string | null;
  expMonth: number | null;
  expYear: number | null;
}

export interface PaymentMethodFacts {
  token: string;
  type: string;
  customerId: string | null;
  card: CardFacts | null;
}

export const PAYMENT_STATUSES = [
  'requires_payment_method',
  'requires_confirmation',
  'requires_action',
  'processing',
  'requires_capture',
  'succeeded',
  'canceled',
] as const;
/** A status that the gateway brings later than this list reads as `unmapped`: never charged, looked at again, alerted. */
export type PaymentStatus = (typeof PAYMENT_STATUSES)[number] | 'unmapped';

export interface ChargeFacts {
  id: string;
  status: 'succeeded' | 'pending' | 'failed';
  /** Minor units. */
  amountMinor: number;
  currency: string;
  refunded: boolean;
  disputed: boolean;
  createdAt: Date;
  customerId: string | null;
  card: CardFacts | null;
  /** The PaymentIntent it belongs to; null for a bare charge. */
  paymentId: string | null;
  signals: DeclineSignals | null;
}

/** A payment object (Stripe: a PaymentIntent) as it reads now, with the witnesses of its newest charge. */
export interface PaymentFacts {
  kind: 'payment';
  id: string;
  status: PaymentStatus;
  /** Minor units. */
  amountMinor: number;
  /** ISO 4217, upper case. */
  currency: string;
  customerId: string | null;
  /** The invoice it pays; such a payment is never confirmed by itself. */
  invoiceId: string | null;
  captureMethod: string;
  confirmationMethod: string;
  setupFutureUsage: string | null;
  /** A confirm must then carry `return_url`. */
  allowsRedirects: boolean;
  /** `automatic` and `expired` are the gateway's own; null while not canceled. */
  cancellationReason: string | null;
  createdAt: Date;
  metadata: Readonly<Record<string, string>>;
  latestCharge: ChargeFacts | null;
  lastError: { signals: DeclineSignals; requestLogUrl: string | null; chargeId: string | null } | null;
}

export interface InvoiceFacts {
  kind: 'invoice';
  id: string;
  status: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void' | 'unmapped';
  /** Minor units still owed. */
  amountRemainingMinor: number;
  currency: string;
  customerId: string | null;
  createdAt: Date;
  /** When the billing platform itself tries to collect it next. */
  nextAttemptAt: Date | null;
  /** The subscription that it bills, as it reads now; null for an invoice made by hand. */
  subscription: SubscriptionFacts | null;
  /** The invoice's default payment; null where it has none. */
  payment: PaymentFacts | null;
}

export interface SubscriptionFacts {
  id: string;
  /** In the platform's words, such as `active` or `past_due`. */
  status: string;
}

/** What the engine compares before and after a charge to tell whether that charge happened (docs/behaviour.md 4). */
export interface Witness {
  paymentId: string | null;
  latestChargeId: string | null;
  lastErrorLogUrl: string | null;
}

/** The gateway could not answer now: no reading, nothing known. */
export interface Unavailable {
  kind: 'unavailable';
  cause: 'lost_reply' | 'received_5xx' | 'rate_limited';
  /** Safe to log and to show an operator; holds no secret and no payload. */
  message: string;
  retryAfterMs: number | null;
}

/** The gateway refuses the merchant's credentials (HTTP 401 or 403, or an `account` row): not about the debt. */
export interface AccountRefused {
  kind: 'account_refused';
  status: number;
  code: string | null;
  message: string;
  requestId: string | null;
}

/** The gateway refuses the request itself (a 4xx that is no decline). */
export interface Rejected {
  kind: 'rejected';
  status: number;
  code: string | null;
  param: string | null;
  message: string;
  requestId: string | null;
}

export type Reading<T> = { kind: 'found'; value: T } | { kind: 'not_found' } | Rejected | Unavailable | AccountRefused;

/** A reading that found nothing, for whatever reason. */
export type ReadFailure = Exclude<Reading<never>, { kind: 'found' }>;

export type OriginalFacts = PaymentFacts | InvoiceFacts | { kind: 'charge'; charge: ChargeFacts };

/** `checkoutOwned` is asked for only where the answer matters: it costs a further call. */
export interface OriginalReading {
  original: OriginalFacts;
  /** A Checkout Session owns the PaymentIntent, so that its page could still collect. */
  checkoutOwned: boolean;
  /** When the failed charge failed, as the gateway tells it; null when there was none. */
  failedAt: Date | null;
  /** Why the newest charge of it failed; null when it did not. */
  signals: DeclineSignals | null;
}

export interface CreatePaymentRequest {
  amountMinor: number;
  currency: string;
  customerId: string | null;
  metadata: Readonly<Record<string, string>>;
  idempotencyKey: string;
}

export type ChargeTarget =
  { kind: 'payment'; paymentId: string; returnUrl: string | null } | { kind: 'invoice'; invoiceId: string };

export interface ChargeRequest {
  target: ChargeTarget;
  paymentMethodToken: string;
  /** `<revtainTransactionId>:<attemptId>`, stored before the call. */
  idempotencyKey: string;
}

/** What one charging call answered. Only `declined` is routed by the decline table. */
export type ChargeResult =
  | {
      kind: 'succeeded';
      paymentId: string | null;
      chargeId: string | null;
      /** Of an invoice: what became of its subscription with the payment. */
      subscription?: SubscriptionFacts | null;
    }
  | {
      kind: 'declined';
      signals: DeclineSignals;
      paymentId: string | null;
      chargeId: string | null;
      message: string | null;
    }
  | { kind: 'pending'; paymentId: string | null }
  | { kind: 'requires_action'; paymentId: string | null }
  | { kind: 'requires_capture'; paymentId: string | null }
  | { kind: 'canceled'; paymentId: string | null }
  /** `unmapped` is a status that this version does not know: an operator is told. */
  | { kind: 'unknown'; loss: Loss; message: string; unmapped?: string }
  /** The limiter spoke before execution, or the same key still runs: the same call again after `retryAfterMs`. */
  | { kind: 'back_off'; retryAfterMs: number; code: string | null; keyInUse: boolean }
  /**
   * Any 4xx that is no decline, and a decline of a `read_first` row (a duplicate): settled by reading the payment.
   * `known` says that `code` has a row in the table, which counts if nothing succeeded or runs.
   */
  | ({ known: boolean } & Omit<Rejected, 'kind'> & { kind: 'read_first' })
  | AccountRefused;

/** Which payments of a customer to list. Amount and currency, where given, must be equal. */
export interface PaymentQuery {
  customerId: string;
  since: Date;
  /** Minor units. */
  amountMinor?: number;
  /** ISO 4217, either case. */
  currency?: string;
}

export interface CallOptions {
  /** Deadline of this one operation, connect included; the calls of a reading that takes several share it. */
  timeoutMs: number;
}

/**
 * One gateway, driven through its official SDK. Every method sends at most one HTTP request per object read and never
 * repeats a mutating one: the engine owns all retries. No method throws for anything the gateway or the network does.
 */
export abstract class Gateway {
  abstract readPaymentMethod(
    account: GatewayAccount,
    token: string,
    options: CallOptions,
  ): Promise<Reading<PaymentMethodFacts>>;

  /** Resolves charge → PaymentIntent → invoice, and returns the outermost. */
  abstract readOriginal(account: GatewayAccount, id: string, options: CallOptions): Promise<Reading<OriginalReading>>;

  abstract readInvoice(
    account: GatewayAccount,
    invoiceId: string,
    options: CallOptions,
  ): Promise<Reading<InvoiceFacts>>;

  /** With `latest_charge` expanded. `invoiceId` stays null: only `readOriginal` and `listPayments` look it up. */
  abstract readPayment(
    account: GatewayAccount,
    paymentId: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>>;

  /** Creates unconfirmed, so that a lost reply can not leave a charge whose id nobody knows. */
  abstract createPayment(
    account: GatewayAccount,
    request: CreatePaymentRequest,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>>;

  abstract charge(account: GatewayAccount, request: ChargeRequest, options: CallOptions): Promise<ChargeResult>;

  /** Only ever called for a PaymentIntent that we made, or for a debt's own that another amount replaces. */
  abstract cancelPayment(
    account: GatewayAccount,
    paymentId: string,
    idempotencyKey: string,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts>>;

  /** All pages of the customer's payments that answer the query, those of an invoice included (with `invoiceId` set). */
  abstract listPayments(
    account: GatewayAccount,
    query: PaymentQuery,
    options: CallOptions,
  ): Promise<Reading<PaymentFacts[]>>;

  /** For `/readyz`: does the gateway's address answer at all? */
  abstract isReachable(options: CallOptions): Promise<boolean>;
}

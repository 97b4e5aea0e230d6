import type { CallOptions, GatewayAccount, Reading } from './gateway.js';

/** A page of the gateway's own on which a customer saves a card. */
export interface SetupRequest {
  customerId: string;
  /** ISO 4217, either case. */
  currency: string;
  /** `{CHECKOUT_SESSION_ID}` in it is replaced by the gateway. */
  successUrl: string;
  cancelUrl: string;
  /** Ours: it comes back with the session. */
  reference: string;
  idempotencyKey: string;
}

/** What became of such a page. */
export interface SetupFacts {
  sessionId: string;
  status: 'open' | 'complete' | 'expired' | 'unmapped';
  customerId: string | null;
  reference: string | null;
  /** The card that was saved; null before. */
  paymentMethodToken: string | null;
}

export interface DefaultRequest {
  customerId: string;
  /** The invoice that failed, whose subscription may have a card of its own; null for any other debt. */
  invoiceId: string | null;
  paymentMethodToken: string;
  idempotencyKey: string;
}

/** Whose card is replaced: the subscription's own where it has one, else the customer's for all invoices. */
export type DefaultPlace = 'subscription' | 'customer';

/**
 * Cards saved by customers themselves: a page for it, what came of it, and the card put where the next charge will look.
 * No method charges, and none throws for anything the gateway or the network does.
 */
export abstract class CardSetups {
  abstract open(
    account: GatewayAccount,
    request: SetupRequest,
    options: CallOptions,
  ): Promise<Reading<{ sessionId: string; url: string }>>;

  abstract read(account: GatewayAccount, sessionId: string, options: CallOptions): Promise<Reading<SetupFacts>>;

  /** Closes a page that nobody should use any more. One that is no longer open is left as it is. */
  abstract close(account: GatewayAccount, sessionId: string, options: CallOptions): Promise<Reading<null>>;

  abstract makeDefault(
    account: GatewayAccount,
    request: DefaultRequest,
    options: CallOptions,
  ): Promise<Reading<DefaultPlace>>;

  /** The gateway's own page of an invoice, on which a customer can authenticate and pay; null where it has none. */
  abstract readInvoicePage(
    account: GatewayAccount,
    invoiceId: string,
    options: CallOptions,
  ): Promise<Reading<string | null>>;
}

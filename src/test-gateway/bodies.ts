import type Stripe from 'stripe';

/** A list inside or around an object, as Stripe shows it. */
export interface ListBody<Item> {
  object: 'list';
  data: Item[];
  has_more: boolean;
  url: string;
}

// The SDK's own types, with ids where an answer may hold an expanded object: what is stored is never expanded.
type WithIds<Body, Field extends keyof Body> = Omit<Body, Field> & { [Name in Field]: string | null };

export type CustomerBody = Stripe.Customer;
export type PaymentMethodBody = WithIds<Stripe.PaymentMethod, 'customer'>;
export type PaymentIntentBody = WithIds<Stripe.PaymentIntent, 'customer' | 'latest_charge' | 'payment_method'>;
export type ChargeBody = WithIds<Stripe.Charge, 'customer' | 'payment_intent'>;
export type RefundBody = WithIds<Stripe.Refund, 'charge' | 'payment_intent'>;
export type DisputeBody = Omit<Stripe.Dispute, 'charge' | 'payment_intent'> & {
  charge: string;
  payment_intent: string | null;
};
export type WebhookEndpointBody = Stripe.WebhookEndpoint;
export type PaymentError = Stripe.PaymentIntent.LastPaymentError;

/** An invoice's line. The SDK's type holds decimals of its own class, which no JSON text does. */
export interface LineBody {
  id: string;
  object: 'line_item';
  amount: number;
  currency: string;
  description: string | null;
  discount_amounts: [];
  discountable: boolean;
  discounts: [];
  invoice: string;
  livemode: false;
  metadata: Record<string, string>;
  parent: null;
  period: { start: number; end: number };
  pretax_credit_amounts: [];
  pricing: null;
  quantity: number;
  subscription: null;
  subtotal: number;
  taxes: [];
}

/** An item that waits for the customer's next invoice, or went into one. */
export interface InvoiceItemBody {
  id: string;
  object: 'invoiceitem';
  amount: number;
  currency: string;
  customer: string;
  date: number;
  description: string | null;
  invoice: string | null;
  livemode: false;
  metadata: Record<string, string>;
  period: { start: number; end: number };
  proration: false;
  quantity: number;
}

/** The subscription that an invoice bills; null for one that was made by hand. */
export interface InvoiceParent {
  type: 'subscription_details';
  quote_details: null;
  subscription_details: { metadata: Record<string, string>; subscription: string };
}

export type InvoiceBody = Omit<
  WithIds<Stripe.Invoice, 'customer' | 'default_payment_method'>,
  'lines' | 'payments' | 'confirmation_secret' | 'parent'
> & { lines: ListBody<LineBody>; parent: InvoiceParent | null };

/** As much of a subscription as its invoices and its card need. */
export interface SubscriptionBody {
  id: string;
  object: 'subscription';
  cancel_at_period_end: false;
  canceled_at: number | null;
  cancellation_details: { comment: null; feedback: null; reason: string | null };
  collection_method: 'charge_automatically';
  created: number;
  currency: string;
  customer: string;
  default_payment_method: string | null;
  default_source: null;
  ended_at: number | null;
  latest_invoice: string | null;
  livemode: false;
  metadata: Record<string, string>;
  pause_collection: null;
  status: 'active' | 'past_due' | 'unpaid' | 'canceled' | 'incomplete' | 'incomplete_expired';
}

/** A customer's consent that a payment method may be debited. */
export interface MandateBody {
  id: string;
  object: 'mandate';
  livemode: false;
  payment_method: string;
  status: 'active' | 'inactive' | 'pending';
  type: 'multi_use';
}

export type InvoicePaymentBody = Omit<Stripe.InvoicePayment, 'invoice' | 'payment'> & {
  invoice: string;
  payment: { type: 'payment_intent'; payment_intent: string };
};

interface AnyCheckoutSession {
  id: string;
  object: 'checkout.session';
  created: number;
  customer: string | null;
  livemode: false;
}

/** Only as much of a Checkout Session as tells that one owns a payment. */
export interface PaymentSessionBody extends AnyCheckoutSession {
  mode: 'payment';
  payment_intent: string;
  status: 'open';
}

/** A Checkout Session that saves a card and charges nothing. */
export interface SetupSessionBody extends AnyCheckoutSession {
  mode: 'setup';
  payment_intent: null;
  setup_intent: string;
  status: 'open' | 'complete' | 'expired';
  payment_status: 'no_payment_required';
  client_reference_id: string | null;
  currency: string | null;
  success_url: string;
  cancel_url: string | null;
  expires_at: number;
  metadata: Record<string, string>;
  /** Null when it is no longer open. */
  url: string | null;
}
export type CheckoutSessionBody = PaymentSessionBody | SetupSessionBody;

/** As much of a SetupIntent as a saved card shows. */
export interface SetupIntentBody {
  id: string;
  object: 'setup_intent';
  created: number;
  customer: string;
  description: string | null;
  last_setup_error: null;
  livemode: false;
  mandate: null;
  metadata: Record<string, string>;
  payment_method: string | null;
  status: 'requires_payment_method' | 'succeeded' | 'canceled';
  usage: 'off_session';
}

/** The objects that live in the table `objects`, by what Stripe calls them in `object`. */
export interface Bodies {
  customer: CustomerBody;
  payment_method: PaymentMethodBody;
  payment_intent: PaymentIntentBody;
  charge: ChargeBody;
  invoice: InvoiceBody;
  invoiceitem: InvoiceItemBody;
  invoice_payment: InvoicePaymentBody;
  subscription: SubscriptionBody;
  mandate: MandateBody;
  refund: RefundBody;
  dispute: DisputeBody;
  webhook_endpoint: WebhookEndpointBody;
  'checkout.session': CheckoutSessionBody;
  setup_intent: SetupIntentBody;
}
export type Kind = keyof Bodies;

/** What Stripe knows about an object and does not show. */
export interface Hidden {
  /** Payment object: how many charges each token's script has played here. */
  plays?: Record<string, number>;
  /** Payment object: how many faults each token has spent here. */
  faults?: Record<string, number>;
  /** Subscription: what each invoice asks for, in minor units, and whether Stripe itself tries a failed one again. */
  price?: number;
  retries?: boolean;
  /** Payment method: the raw token whose script it plays. */
  script?: string;
  /** Payment method without customer: it was charged once and can not be charged again. */
  consumed?: boolean;
  /** Webhook endpoint. */
  url?: string;
  secret?: string;
  enabledEvents?: string[];
}

/** An object as it is kept: its public body, what is hidden, and the ids it is found by. */
export interface Stored<K extends Kind = Kind> {
  kind: K;
  body: Bodies[K];
  hidden: Hidden;
  /** Invoice: its subscription. Payment intent: its invoice. Charge: its payment intent. Invoice payment: its invoice. Refund, dispute: the charge. */
  parentId: string | null;
  /** Invoice payment, refund, dispute, checkout session: the payment or setup intent. */
  relatedId: string | null;
}

/** How an object is called in "No such …". */
export const NOUNS: Record<Kind, string> = {
  customer: 'customer',
  payment_method: 'PaymentMethod',
  payment_intent: 'payment_intent',
  charge: 'charge',
  invoice: 'invoice',
  invoiceitem: 'invoiceitem',
  invoice_payment: 'invoice_payment',
  subscription: 'subscription',
  mandate: 'mandate',
  refund: 'refund',
  dispute: 'dispute',
  webhook_endpoint: 'webhook endpoint',
  'checkout.session': 'checkout session',
  setup_intent: 'setupintent',
};

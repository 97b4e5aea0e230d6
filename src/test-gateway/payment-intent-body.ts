import type Stripe from 'stripe';

import type { PaymentIntentBody } from './bodies.js';

/** What differs from one new payment to another. */
export interface NewPayment {
  id: string;
  clientSecret: string;
  amountMinor: number;
  currency: string;
  created: number;
  customer: string | null;
  paymentMethod: string | null;
  automaticPaymentMethods: Stripe.PaymentIntent.AutomaticPaymentMethods | null;
  captureMethod: 'automatic' | 'automatic_async' | 'manual';
  confirmationMethod: 'automatic' | 'manual';
  setupFutureUsage: 'off_session' | 'on_session' | null;
  description: string | null;
  metadata: Record<string, string>;
  transferGroup: string | null;
}

/** A payment as it is before its first charge. */
export function paymentIntentBody(made: NewPayment): PaymentIntentBody {
  return {
    id: made.id,
    object: 'payment_intent',
    allowed_payment_method_types: null,
    amount: made.amountMinor,
    amount_capturable: 0,
    amount_received: 0,
    application: null,
    application_fee_amount: null,
    automatic_payment_methods: made.automaticPaymentMethods,
    canceled_at: null,
    cancellation_reason: null,
    capture_method: made.captureMethod,
    client_secret: made.clientSecret,
    confirmation_method: made.confirmationMethod,
    created: made.created,
    currency: made.currency,
    customer: made.customer,
    customer_account: null,
    description: made.description,
    excluded_payment_method_types: null,
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    managed_payments: null,
    metadata: made.metadata,
    next_action: null,
    on_behalf_of: null,
    payment_method: made.paymentMethod,
    payment_method_configuration_details: null,
    payment_method_options: null,
    payment_method_types: ['card', 'us_bank_account', 'bacs_debit', 'sepa_debit'],
    payment_record: null,
    processing: null,
    receipt_email: null,
    review: null,
    setup_future_usage: made.setupFutureUsage,
    shipping: null,
    source: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: made.paymentMethod === null ? 'requires_payment_method' : 'requires_confirmation',
    transfer_data: null,
    transfer_group: made.transferGroup,
  };
}

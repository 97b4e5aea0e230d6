import type Stripe from 'stripe';

import type { ChargeBody, PaymentIntentBody, PaymentMethodBody } from './bodies.js';
import { effectiveCode, type Decline } from './decline.js';

const CARD_CHARGE_REST = {
  authorization_code: null,
  electronic_commerce_indicator: null,
  installments: null,
  mandate: null,
  network_transaction_id: null,
  regulated_status: 'unregulated',
  three_d_secure: null,
  transaction_link_id: null,
} as const;

/** A charge that the bank approved, or one that waits there (`pending`), or was only authorised (`captured` false). */
export function goodChargeBody(
  id: string,
  payment: PaymentIntentBody,
  method: PaymentMethodBody,
  created: number,
  state: 'captured' | 'authorised' | 'pending',
): ChargeBody {
  const captured = state !== 'authorised';
  return {
    ...chargeBody(id, payment, method, created),
    amount_captured: state === 'captured' ? payment.amount : 0,
    captured,
    outcome: { ...APPROVED, ...(state === 'pending' ? { seller_message: 'Payment pending.' } : {}) },
    paid: state !== 'pending',
    status: state === 'pending' ? 'pending' : 'succeeded',
  };
}

/** A charge that was declined. */
export function failedChargeBody(
  id: string,
  payment: PaymentIntentBody,
  method: PaymentMethodBody,
  created: number,
  decline: Decline,
): ChargeBody {
  return {
    ...chargeBody(id, payment, method, created),
    failure_code: decline.code,
    failure_message: decline.message,
    outcome: declinedOutcome(decline),
    status: 'failed',
  };
}

const APPROVED: Stripe.Charge.Outcome = {
  advice_code: null,
  network_advice_code: null,
  network_decline_code: null,
  network_status: 'approved_by_network',
  reason: null,
  risk_level: 'normal',
  risk_score: 12,
  seller_message: 'Payment complete.',
  type: 'authorized',
};

/** `outcome.reason` holds the fine code; `failure_code` does not. */
export function declinedOutcome(decline: Decline): Stripe.Charge.Outcome {
  const blocked = decline.by === 'radar';
  return {
    ...APPROVED,
    advice_code: decline.adviceCode,
    network_advice_code: decline.networkAdviceCode,
    network_decline_code: decline.networkDeclineCode,
    network_status: blocked ? 'not_sent_to_network' : 'declined_by_network',
    reason: blocked ? 'highest_risk_level' : effectiveCode(decline),
    risk_level: blocked ? 'highest' : 'normal',
    seller_message: blocked ? 'Stripe blocked this payment.' : 'The bank declined the payment.',
    type: blocked ? 'blocked' : 'issuer_declined',
  };
}

function chargeBody(id: string, payment: PaymentIntentBody, method: PaymentMethodBody, created: number): ChargeBody {
  return {
    id,
    object: 'charge',
    amount: payment.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application: null,
    application_fee: null,
    application_fee_amount: null,
    balance_transaction: null,
    billing_details: method.billing_details,
    calculated_statement_descriptor: 'TEST GATEWAY',
    captured: false,
    created,
    currency: payment.currency,
    customer: payment.customer,
    description: payment.description,
    disputed: false,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    fraud_details: {},
    livemode: false,
    metadata: payment.metadata,
    on_behalf_of: null,
    outcome: null,
    paid: false,
    payment_intent: payment.id,
    payment_method: method.id,
    payment_method_details: methodDetails(method, payment.amount),
    receipt_email: null,
    receipt_number: null,
    receipt_url: null,
    refunded: false,
    review: null,
    shipping: null,
    source: null,
    source_transfer: null,
    statement_descriptor: null,
    statement_descriptor_suffix: null,
    status: 'failed',
    transfer_data: null,
    transfer_group: null,
  };
}

function methodDetails(method: PaymentMethodBody, amountMinor: number): Stripe.Charge.PaymentMethodDetails {
  if (!method.card) return { type: method.type };
  const { brand, checks, country, exp_month, exp_year, fingerprint, funding, last4, wallet } = method.card;
  return {
    type: 'card',
    card: {
      ...CARD_CHARGE_REST,
      amount_authorized: amountMinor,
      brand,
      checks,
      country,
      exp_month,
      exp_year,
      fingerprint: fingerprint ?? null,
      funding,
      last4,
      network: brand,
      wallet: wallet === null ? null : { dynamic_last4: wallet.dynamic_last4, type: wallet.type },
    },
  };
}

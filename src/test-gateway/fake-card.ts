import type Stripe from 'stripe';

import type { PaymentMethodBody } from './bodies.js';
import type { CardFeatures } from './card-script.js';
import { derivedText } from './stripe-ids.js';

type CardBody = Stripe.PaymentMethod.Card;

const LAST4 = new Map([
  ['visa', '4242'],
  ['mastercard', '4444'],
  ['amex', '0005'],
  ['discover', '1117'],
  ['diners', '3222'],
  ['jcb', '0505'],
  ['unionpay', '0126'],
]);

const NO_BILLING_DETAILS = { address: null, email: null, name: null, phone: null, tax_id: null };

/** Far enough that no test walks past it. */
const EXPIRES = { month: 12, year: 2044 };

/**
 * The payment method behind a token: always the same for the same account and token.
 * @param cardholder the customer to whom it belongs, or null for one that was never attached.
 */
export function paymentMethodBody(
  id: string,
  features: CardFeatures,
  fingerprintOf: string,
  created: number,
  cardholder: string | null,
): PaymentMethodBody {
  const fingerprint = derivedText(16, 'fingerprint', fingerprintOf);
  return {
    id,
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: NO_BILLING_DETAILS,
    created,
    customer: cardholder,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: features.method,
    ...instrumentPart(features, fingerprint),
  };
}

function instrumentPart(features: CardFeatures, fingerprint: string): Partial<PaymentMethodBody> {
  switch (features.method) {
    case 'card':
      return { card: cardBody(features, fingerprint) };
    case 'us_bank_account':
      return {
        us_bank_account: {
          account_holder_type: 'individual',
          account_type: 'checking',
          bank_name: 'STRIPE TEST BANK',
          financial_connections_account: null,
          fingerprint,
          last4: '6789',
          networks: null,
          routing_number: '110000000',
          status_details: null,
        },
      };
    case 'bacs_debit':
      return { bacs_debit: { fingerprint, last4: '2345', sort_code: '108800' } };
    case 'sepa_debit':
      return {
        sepa_debit: {
          bank_code: '37040044',
          branch_code: '',
          country: features.country,
          fingerprint,
          generated_from: null,
          last4: '3000',
        },
      };
  }
}

function cardBody(features: CardFeatures, fingerprint: string): CardBody {
  return {
    brand: features.brand,
    checks: { address_line1_check: null, address_postal_code_check: null, cvc_check: 'pass' },
    country: features.country,
    display_brand: features.brand,
    exp_month: EXPIRES.month,
    exp_year: EXPIRES.year,
    fingerprint,
    funding: features.funding,
    generated_from: null,
    last4: LAST4.get(features.brand) ?? '4242',
    networks: { available: [features.brand], preferred: null },
    regulated_status: 'unregulated',
    three_d_secure_usage: { supported: true },
    wallet: null,
  };
}

/** Stripe's objects as the pinned API version renders them, with defaults: a test names only what matters to it. */

type Fields = Record<string, unknown>;

export function paymentIntent(fields: Fields = {}): Fields {
  return {
    id: 'pi_1',
    object: 'payment_intent',
    amount: 1050,
    amount_received: 0,
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    cancellation_reason: null,
    capture_method: 'automatic_async',
    confirmation_method: 'automatic',
    created: 1_795_000_000,
    currency: 'usd',
    customer: 'cus_1',
    last_payment_error: null,
    latest_charge: null,
    livemode: false,
    metadata: {},
    payment_method: null,
    payment_method_options: { card: { request_three_d_secure: 'automatic' } },
    payment_method_types: ['card'],
    setup_future_usage: null,
    status: 'requires_payment_method',
    ...fields,
  };
}

export function charge(fields: Fields = {}): Fields {
  return {
    id: 'ch_1',
    object: 'charge',
    amount: 1050,
    amount_refunded: 0,
    created: 1_795_000_100,
    currency: 'usd',
    customer: 'cus_1',
    disputed: false,
    failure_code: null,
    outcome: { type: 'authorized', network_status: 'approved_by_network', reason: null, advice_code: null },
    paid: true,
    payment_intent: 'pi_1',
    payment_method_details: {
      type: 'card',
      card: { brand: 'visa', last4: '4242', fingerprint: 'fp_1', country: 'US', exp_month: 8, exp_year: 2030 },
    },
    refunded: false,
    status: 'succeeded',
    ...fields,
  };
}

export function failedCharge(outcome: Fields = {}, fields: Fields = {}): Fields {
  return charge({
    status: 'failed',
    paid: false,
    failure_code: 'card_declined',
    outcome: {
      type: 'issuer_declined',
      network_status: 'declined_by_network',
      reason: 'insufficient_funds',
      advice_code: 'try_again_later',
      network_decline_code: '51',
      network_advice_code: '02',
      ...outcome,
    },
    ...fields,
  });
}

export function cardError(fields: Fields = {}): Fields {
  return {
    type: 'card_error',
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    message: 'Your card has insufficient funds.',
    charge: 'ch_1',
    doc_url: 'https://stripe.com/docs/error-codes/card-declined',
    request_log_url: 'https://dashboard.stripe.com/test/logs/req_1',
    payment_method: { id: 'pm_1', object: 'payment_method', type: 'card', card: { brand: 'visa' } },
    ...fields,
  };
}

export function invoice(fields: Fields = {}): Fields {
  return {
    id: 'in_1',
    object: 'invoice',
    amount_remaining: 1050,
    created: 1_794_900_000,
    currency: 'usd',
    customer: 'cus_1',
    payments: list([invoicePayment()]),
    status: 'open',
    ...fields,
  };
}

export function invoicePayment(fields: Fields = {}): Fields {
  return {
    id: 'inpay_1',
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: 1050,
    created: 1_794_900_100,
    currency: 'usd',
    invoice: 'in_1',
    is_default: true,
    payment: { type: 'payment_intent', payment_intent: 'pi_1' },
    status: 'open',
    ...fields,
  };
}

export function paymentMethod(fields: Fields = {}): Fields {
  return {
    id: 'pm_1',
    object: 'payment_method',
    type: 'card',
    customer: 'cus_1',
    card: { brand: 'mastercard', last4: '4444', fingerprint: 'fp_2', country: 'IN', exp_month: 1, exp_year: 2031 },
    ...fields,
  };
}

export function list(data: Fields[], hasMore = false): Fields {
  return { object: 'list', data, has_more: hasMore, url: '/v1/stub' };
}

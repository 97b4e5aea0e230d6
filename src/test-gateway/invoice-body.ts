import type { InvoiceBody, InvoicePaymentBody, LineBody } from './bodies.js';

/** What differs from one new invoice to another. */
export interface NewInvoice {
  id: string;
  created: number;
  customer: string;
  customerEmail: string | null;
  currency: string;
  collectionMethod: 'charge_automatically' | 'send_invoice';
  autoAdvance: boolean;
  defaultPaymentMethod: string | null;
  description: string | null;
  metadata: Record<string, string>;
}

/** A draft without lines. */
export function draftInvoiceBody(made: NewInvoice): InvoiceBody {
  return {
    id: made.id,
    object: 'invoice',
    account_country: 'US',
    account_name: 'Test gateway',
    account_tax_ids: null,
    amount_due: 0,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: made.autoAdvance,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: 'manual',
    collection_method: made.collectionMethod,
    created: made.created,
    currency: made.currency,
    custom_fields: null,
    customer: made.customer,
    customer_account: null,
    customer_address: null,
    customer_email: made.customerEmail,
    customer_name: null,
    customer_phone: null,
    customer_shipping: null,
    customer_tax_exempt: 'none',
    default_payment_method: made.defaultPaymentMethod,
    default_source: null,
    default_tax_rates: [],
    description: made.description,
    discounts: [],
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: null,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    lines: { object: 'list', data: [], has_more: false, url: `/v1/invoices/${made.id}/lines` },
    livemode: false,
    metadata: made.metadata,
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: made.created,
    period_start: made.created,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: null,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
  };
}

/** Puts a line on a draft and adds it up. */
export function addLine(invoice: InvoiceBody, id: string, amountMinor: number, description: string | null): LineBody {
  const line: LineBody = {
    id,
    object: 'line_item',
    amount: amountMinor,
    currency: invoice.currency,
    description,
    discount_amounts: [],
    discountable: true,
    discounts: [],
    invoice: invoice.id,
    livemode: false,
    metadata: {},
    parent: null,
    period: { start: invoice.period_start, end: invoice.period_end },
    pretax_credit_amounts: [],
    pricing: null,
    quantity: 1,
    subscription: null,
    subtotal: amountMinor,
    taxes: [],
  };
  invoice.lines.data.push(line);
  setTotal(invoice, invoice.total + amountMinor);
  return line;
}

/** Sets what an unpaid invoice asks for. */
export function setTotal(invoice: InvoiceBody, totalMinor: number): void {
  const dueMinor = Math.max(0, totalMinor);
  invoice.subtotal = totalMinor;
  invoice.subtotal_excluding_tax = totalMinor;
  invoice.total = totalMinor;
  invoice.total_excluding_tax = totalMinor;
  invoice.amount_due = dueMinor;
  invoice.amount_remaining = dueMinor - invoice.amount_paid;
}

/** The default payment of an invoice, which comes into being when it is finalised. */
export function invoicePaymentBody(
  id: string,
  invoice: InvoiceBody,
  paymentIntentId: string,
  created: number,
): InvoicePaymentBody {
  return {
    id,
    object: 'invoice_payment',
    amount_paid: null,
    amount_requested: invoice.amount_remaining,
    created,
    currency: invoice.currency,
    invoice: invoice.id,
    is_default: true,
    livemode: false,
    payment: { type: 'payment_intent', payment_intent: paymentIntentId },
    status: 'open',
    status_transitions: { canceled_at: null, paid_at: null },
  };
}

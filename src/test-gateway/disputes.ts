import type Stripe from 'stripe';

import type { DisputeBody, Stored } from './bodies.js';
import type { UnitOfWork } from './unit-of-work.js';

const NO_EVIDENCE: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};

/** The customer's bank takes a charge back: the charge stays, marked as disputed. */
export function openDispute(uow: UnitOfWork, charge: Stored<'charge'>): Stored<'dispute'> {
  const { id, amount, currency, payment_intent } = charge.body;
  charge.body.disputed = true;
  uow.save(charge);
  const body: DisputeBody = {
    id: uow.newId('dp'),
    object: 'dispute',
    amount,
    balance_transactions: [],
    charge: id,
    created: uow.nowSeconds,
    currency,
    enhanced_eligibility_types: [],
    evidence: NO_EVIDENCE,
    evidence_details: {
      due_by: null,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'manual',
    },
    intended_submission_method: null,
    is_charge_refundable: false,
    livemode: false,
    metadata: {},
    payment_intent,
    reason: 'fraudulent',
    status: 'needs_response',
  };
  const dispute = uow.create('dispute', body, { parentId: id, relatedId: payment_intent });
  uow.emit('charge.dispute.created', body);
  return dispute;
}

import type { RefundBody, Stored } from './bodies.js';
import type { Call } from './call.js';
import { ok, type Reply } from './reply.js';
import { invalidRequest, wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

/** POST /v1/refunds: of a charge, or of a payment's latest charge; the whole rest unless an amount is given. */
export async function createRefund({ uow, params }: Call): Promise<Reply> {
  const given = { charge: params.filled('charge'), payment: params.filled('payment_intent') };
  const wantedMinor = params.integer('amount');
  const reason = params.oneOf('reason', ['duplicate', 'fraudulent', 'requested_by_customer']) ?? null;
  const metadata = params.metadata({});
  params.refuseUnknown();
  const charge = await chargeToRefund(uow, given);
  const { body } = charge;
  const leftMinor = body.amount_captured - body.amount_refunded;
  if (body.status !== 'succeeded' || leftMinor === 0) {
    throw wrongState(`Charge ${body.id} has already been refunded, or never took money.`, {
      code: 'charge_already_refunded',
    });
  }
  const amountMinor = wantedMinor ?? leftMinor;
  if (amountMinor < 1 || amountMinor > leftMinor) {
    throw invalidRequest(`Refund amount must be between 1 and ${leftMinor}.`, { param: 'amount' });
  }
  body.amount_refunded += amountMinor;
  body.refunded = body.amount_refunded === body.amount_captured;
  uow.save(charge);
  const refund: RefundBody = {
    id: uow.newId('re'),
    object: 'refund',
    amount: amountMinor,
    balance_transaction: null,
    charge: body.id,
    created: uow.nowSeconds,
    currency: body.currency,
    customer: body.customer,
    customer_account: null,
    metadata,
    payment_intent: body.payment_intent,
    payment_method: body.payment_method,
    reason,
    receipt_number: null,
    source_transfer_reversal: null,
    status: 'succeeded',
    transfer_reversal: null,
  };
  uow.create('refund', refund, { parentId: body.id, relatedId: body.payment_intent });
  uow.emit('refund.created', refund);
  uow.emit('charge.refunded', body);
  return ok(refund);
}

async function chargeToRefund(
  uow: UnitOfWork,
  given: { charge: string | undefined; payment: string | undefined },
): Promise<Stored<'charge'>> {
  if (given.charge !== undefined) return uow.lock('charge', given.charge, 'charge');
  if (given.payment === undefined) {
    throw invalidRequest('One of the following params should be provided: charge, payment_intent.', {
      code: 'parameter_missing',
    });
  }
  const payment = await uow.get('payment_intent', given.payment, 'payment_intent');
  if (payment.body.latest_charge !== null) return uow.lock('charge', payment.body.latest_charge);
  throw wrongState(`This PaymentIntent (${given.payment}) does not have a successful charge to refund.`);
}

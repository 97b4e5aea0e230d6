import type { Stored } from './bodies.js';
import { book, collected, playAfterAuthentication, turnedDown, type Outcome } from './charging.js';
import { declinedOutcome } from './charge-body.js';
import { bankFailureOf, declineOf } from './decline.js';
import { loadInstrument } from './instruments.js';
import { wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Payment = Stored<'payment_intent'>;

/** The bank's word on a debit that was `processing`: null is money, a code a failure. */
export async function settlePayment(uow: UnitOfWork, payment: Payment, failureCode: string | null): Promise<void> {
  const { status, latest_charge: chargeId, payment_method: methodId } = payment.body;
  if (status !== 'processing' || chargeId === null || methodId === null) {
    throw wrongState(`Only a payment that is processing can be settled; this one is ${status}.`);
  }
  const charge = await uow.lock('charge', chargeId);
  uow.settleLater(payment.body.id, null);
  uow.save(charge);
  if (failureCode === null) {
    charge.body.status = 'succeeded';
    charge.body.paid = true;
    charge.body.amount_captured = charge.body.amount;
    await collected(uow, payment, charge.body);
    return;
  }
  const reason = bankFailureOf(failureCode);
  charge.body.status = 'failed';
  charge.body.captured = false;
  charge.body.amount_captured = 0;
  charge.body.failure_code = reason.code;
  charge.body.failure_message = reason.message;
  charge.body.outcome = declinedOutcome(reason);
  book(uow, payment, chargeId, 'failed', reason);
  uow.emit('charge.failed', charge.body);
  await turnedDown(uow, payment, await loadInstrument(uow, methodId), reason, chargeId);
}

/** The customer's answer to a payment that asked them to authenticate: the charge goes on, or is turned down. */
export async function authenticatePayment(
  uow: UnitOfWork,
  payment: Payment,
  answer: 'authenticated' | 'refused',
): Promise<Outcome> {
  const { status, payment_method: methodId } = payment.body;
  if (status !== 'requires_action' || methodId === null) {
    throw wrongState(`Only a payment that requires action can be authenticated; this one is ${status}.`);
  }
  const instrument = await loadInstrument(uow, methodId);
  if (answer === 'refused') {
    const reason = {
      ...declineOf('payment_intent_authentication_failure'),
      message:
        'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
    };
    return { kind: 'declined', error: await turnedDown(uow, payment, instrument, reason, null) };
  }
  const present = { instrument, offSession: false, errorOnRequiresAction: false, returnUrl: null };
  return playAfterAuthentication(uow, payment, present);
}

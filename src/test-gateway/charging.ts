import type { ChargeBody, PaymentError, Stored } from './bodies.js';
import { stepAt, type Fault, type Step } from './card-script.js';
import { failedChargeBody, goodChargeBody } from './charge-body.js';
import { ALWAYS_DECLINED_AMOUNT } from './currencies.js';
import { declineOf, effectiveCode, type Decline } from './decline.js';
import { openDispute } from './disputes.js';
import type { Instrument } from './instruments.js';
import { invoiceCollected, invoiceNotCollected } from './invoice-payment-outcome.js';
import { spoiltBefore, type Reply } from './reply.js';
import type { UnitOfWork } from './unit-of-work.js';

type Payment = Stored<'payment_intent'>;

/** One confirm or pay, after every check has passed. */
export interface Confirmation {
  instrument: Instrument;
  offSession: boolean;
  errorOnRequiresAction: boolean;
  returnUrl: string | null;
}

/** What came of it. `declined` holds what the answer and the payment say about it. */
export type Outcome =
  | { kind: 'succeeded' | 'requires_capture' | 'processing' | 'requires_action' }
  | { kind: 'declined'; error: PaymentError };

/** `not_reached`: a fault struck before anything was charged. */
export type Played = { kind: 'not_reached'; reply: Reply } | { kind: 'played'; outcome: Outcome; fault: Fault | null };

/** Plays the next charge of the instrument's script on this payment. Counts it, whatever comes of it. */
export async function playCharge(uow: UnitOfWork, payment: Payment, wanted: Confirmation): Promise<Played> {
  const { instrument } = wanted;
  const fault = spendFault(payment, instrument);
  uow.save(payment);
  const spoilt = fault && spoiltBefore(fault);
  if (spoilt) return { kind: 'not_reached', reply: spoilt };

  const plays = (payment.hidden.plays ??= {});
  const played = plays[instrument.token] ?? 0;
  plays[instrument.token] = played + 1;
  if (instrument.stored && instrument.body.customer === null) {
    instrument.stored.hidden.consumed = true;
    uow.save(instrument.stored);
  }
  const outcome = await takeStep(uow, payment, stepAt(instrument.script, played), wanted);
  return { kind: 'played', outcome, fault };
}

/** Goes on where a payment waited for its customer: with what the card does once they have authenticated. */
export async function playAfterAuthentication(
  uow: UnitOfWork,
  payment: Payment,
  wanted: Confirmation,
): Promise<Outcome> {
  const played = payment.hidden.plays?.[wanted.instrument.token] ?? 1;
  const step = stepAt(wanted.instrument.script, played - 1);
  return takeStep(uow, payment, step.kind === 'authenticate' ? step.then : step, wanted);
}

function spendFault(payment: Payment, { script, token }: Instrument): Fault | null {
  if (!script.fault) return null;
  const faults = (payment.hidden.faults ??= {});
  const spent = faults[token] ?? 0;
  if (spent >= script.fault.times) return null;
  faults[token] = spent + 1;
  return script.fault.fault;
}

async function takeStep(uow: UnitOfWork, payment: Payment, step: Step, wanted: Confirmation): Promise<Outcome> {
  const { instrument } = wanted;
  if (payment.body.amount === ALWAYS_DECLINED_AMOUNT) {
    return decline(uow, payment, instrument, declineOf('generic_decline'));
  }
  switch (step.kind) {
    case 'approve':
      return approve(uow, payment, instrument, step.thenDisputed);
    case 'decline':
      return decline(uow, payment, instrument, step.decline);
    case 'process':
      return process(uow, payment, instrument, step.settlesAfterMs, step.failure);
    case 'authenticate':
      return authenticate(uow, payment, step, wanted);
  }
}

async function approve(uow: UnitOfWork, payment: Payment, by: Instrument, disputed: boolean): Promise<Outcome> {
  const authorisedOnly = payment.body.capture_method === 'manual';
  const id = uow.newId('ch');
  const body = goodChargeBody(id, payment.body, by.body, uow.nowSeconds, authorisedOnly ? 'authorised' : 'captured');
  const charge = chargeMade(uow, payment, by, body);
  payment.body.last_payment_error = null;
  payment.body.next_action = null;
  if (authorisedOnly) {
    payment.body.status = 'requires_capture';
    payment.body.amount_capturable = payment.body.amount;
    book(uow, payment, id, 'pending', null);
    uow.emit('charge.succeeded', body);
    uow.emit('payment_intent.amount_capturable_updated', payment.body);
    return { kind: 'requires_capture' };
  }
  await collected(uow, payment, body);
  if (disputed) openDispute(uow, charge);
  return { kind: 'succeeded' };
}

/** Books the money of a charge that is through, and tells everybody. */
export async function collected(uow: UnitOfWork, payment: Payment, charge: ChargeBody): Promise<void> {
  payment.body.status = 'succeeded';
  payment.body.amount_received = charge.amount_captured;
  payment.body.amount_capturable = 0;
  uow.save(payment);
  book(uow, payment, charge.id, 'succeeded', null);
  uow.emit('charge.succeeded', charge);
  uow.emit('payment_intent.succeeded', payment.body);
  await invoiceCollected(uow, payment);
}

async function decline(uow: UnitOfWork, payment: Payment, by: Instrument, reason: Decline): Promise<Outcome> {
  const id = uow.newId('ch');
  const body = failedChargeBody(id, payment.body, by.body, uow.nowSeconds, reason);
  chargeMade(uow, payment, by, body);
  book(uow, payment, id, 'failed', reason);
  uow.emit('charge.failed', body);
  return { kind: 'declined', error: await turnedDown(uow, payment, by, reason, id) };
}

/** Sets a payment back to wait for another method, with the error that says why. */
export async function turnedDown(
  uow: UnitOfWork,
  payment: Payment,
  by: Instrument,
  reason: Decline,
  chargeId: string | null,
): Promise<PaymentError> {
  const error: PaymentError = {
    type: 'card_error',
    ...(chargeId === null ? {} : { charge: chargeId }),
    code: reason.code,
    ...(reason.declineCode === null ? {} : { decline_code: reason.declineCode }),
    ...(reason.adviceCode === null ? {} : { advice_code: reason.adviceCode }),
    ...(reason.networkAdviceCode === null ? {} : { network_advice_code: reason.networkAdviceCode }),
    ...(reason.networkDeclineCode === null ? {} : { network_decline_code: reason.networkDeclineCode }),
    doc_url: `https://stripe.com/docs/error-codes/${reason.code.replaceAll('_', '-')}`,
    message: reason.message,
    payment_method: by.body,
    // One per error: it is how a reader tells two declines with the same code apart.
    request_log_url: `${uow.scope.publicUrl}/logs/${uow.scope.requestId}`,
  };
  payment.body.status = 'requires_payment_method';
  payment.body.payment_method = null;
  payment.body.next_action = null;
  payment.body.last_payment_error = error;
  uow.save(payment);
  uow.emit('payment_intent.payment_failed', payment.body);
  await invoiceNotCollected(uow, payment, 'declined');
  return error;
}

function process(
  uow: UnitOfWork,
  payment: Payment,
  by: Instrument,
  settlesAfterMs: number,
  failure: Decline | null,
): Outcome {
  const id = uow.newId('ch');
  const body = goodChargeBody(id, payment.body, by.body, uow.nowSeconds, 'pending');
  chargeMade(uow, payment, by, body);
  payment.body.status = 'processing';
  payment.body.last_payment_error = null;
  payment.body.next_action = null;
  book(uow, payment, id, 'pending', null);
  const dueAt = new Date(uow.scope.now.getTime() + settlesAfterMs);
  uow.settleLater(payment.body.id, { dueAt, failureCode: failure && effectiveCode(failure) });
  uow.emit('charge.pending', body);
  uow.emit('payment_intent.processing', payment.body);
  return { kind: 'processing' };
}

async function authenticate(
  uow: UnitOfWork,
  payment: Payment,
  step: Extract<Step, { kind: 'authenticate' }>,
  wanted: Confirmation,
): Promise<Outcome> {
  const { instrument, offSession, errorOnRequiresAction, returnUrl } = wanted;
  if (offSession && step.when === 'on_session') return takeStep(uow, payment, step.then, wanted);
  const isInvoice = payment.parentId !== null;
  if (offSession && !isInvoice) return decline(uow, payment, instrument, declineOf('authentication_required'));
  if (errorOnRequiresAction) {
    const reason = { ...declineOf('payment_intent_action_required'), message: 'This payment requires authentication.' };
    return { kind: 'declined', error: await turnedDown(uow, payment, instrument, reason, null) };
  }
  payment.body.status = 'requires_action';
  payment.body.payment_method = instrument.body.id;
  payment.body.last_payment_error = null;
  payment.body.next_action =
    returnUrl === null
      ? { type: 'use_stripe_sdk', use_stripe_sdk: { type: 'three_d_secure_redirect' } }
      : {
          type: 'redirect_to_url',
          redirect_to_url: { return_url: returnUrl, url: `${uow.scope.publicUrl}/authenticate/${payment.body.id}` },
        };
  uow.save(payment);
  uow.emit('payment_intent.requires_action', payment.body);
  await invoiceNotCollected(uow, payment, 'requires_action');
  return { kind: 'requires_action' };
}

function chargeMade(uow: UnitOfWork, payment: Payment, by: Instrument, body: ChargeBody): Stored<'charge'> {
  payment.body.latest_charge = body.id;
  payment.body.payment_method = by.body.id;
  uow.save(payment);
  return uow.create('charge', body, { parentId: payment.body.id });
}

/** Writes a charge, or the end of a pending one, into the money ledger. */
export function book(
  uow: UnitOfWork,
  payment: Payment,
  chargeId: string,
  status: 'succeeded' | 'failed' | 'pending',
  reason: Decline | null,
): void {
  uow.book({
    chargeId,
    paymentIntentId: payment.body.id,
    invoiceId: payment.parentId,
    amountMinor: payment.body.amount,
    currency: payment.body.currency,
    status,
    declineCode: reason && effectiveCode(reason),
    idempotencyKey: uow.scope.idempotencyKey,
  });
}

import type { Stored } from './bodies.js';
import { playCharge, type Outcome } from './charging.js';
import { loadInstrument, type Instrument } from './instruments.js';
import type { Params } from './params.js';
import { failed, ok, spoiltAfter, type Reply } from './reply.js';
import { invalidRequest, wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Payment = Stored<'payment_intent'>;

/** What a confirm asks for. */
export interface ConfirmRequest {
  paymentMethod: string | null;
  offSession: boolean;
  errorOnRequiresAction: boolean;
  returnUrl: string | null;
  setupFutureUsage: 'off_session' | 'on_session' | null;
}

/** Reads the parameters that a confirm and a create with `confirm` share. */
export function confirmRequest(params: Params): ConfirmRequest {
  // Taken by Stripe, and without meaning for a card that is made up.
  params.ignore('mandate', 'mandate_data', 'payment_method_options', 'radar_options', 'use_stripe_sdk', 'hooks');
  params.ignore('shipping', 'receipt_email', 'payment_details', 'amount_details');
  params.ignore('allowed_payment_method_types', 'excluded_payment_method_types');
  const offSession = params.oneOf('off_session', ['true', 'false', 'one_off', 'recurring']);
  return {
    paymentMethod: params.filled('payment_method') ?? null,
    offSession: offSession !== undefined && offSession !== 'false',
    errorOnRequiresAction: params.flag('error_on_requires_action') ?? false,
    returnUrl: params.filled('return_url') ?? null,
    setupFutureUsage: params.oneOf('setup_future_usage', ['off_session', 'on_session']) ?? null,
  };
}

const CONFIRMABLE = new Set<string>(['requires_payment_method', 'requires_confirmation', 'requires_action']);

/**
 * Confirms a payment: one charge with the given or the attached method.
 * @throws {StripeRefusal} whatever Stripe refuses; then nothing was charged and no script was played.
 */
export async function confirmPayment(uow: UnitOfWork, payment: Payment, wanted: ConfirmRequest): Promise<Reply> {
  refuseByState(payment, wanted);
  const method = wanted.paymentMethod ?? payment.body.payment_method;
  if (method === null) {
    throw unexpectedState(payment, 'You cannot confirm this PaymentIntent because it is missing a payment method.');
  }
  refuseByRules(payment, wanted);
  const instrument = await loadInstrument(uow, method, 'payment_method');
  refuseStranger(payment, instrument);
  if (wanted.setupFutureUsage !== null) payment.body.setup_future_usage = wanted.setupFutureUsage;

  const { offSession, errorOnRequiresAction, returnUrl } = wanted;
  const played = await playCharge(uow, payment, { instrument, offSession, errorOnRequiresAction, returnUrl });
  if (played.kind === 'not_reached') return played.reply;
  const reply = confirmReply(payment, played.outcome);
  return played.fault === null ? reply : spoiltAfter(reply, played.fault);
}

function confirmReply(payment: Payment, outcome: Outcome): Reply {
  if (outcome.kind !== 'declined') return ok(payment.body);
  const { error } = outcome;
  return failed(402, { ...error, type: 'card_error', message: error.message ?? '', payment_intent: payment.body });
}

function refuseByState(payment: Payment, wanted: ConfirmRequest): void {
  const { status } = payment.body;
  if (!CONFIRMABLE.has(status)) {
    const why =
      status === 'succeeded'
        ? 'it has already succeeded after being previously confirmed'
        : `it has a status of ${status}`;
    throw unexpectedState(payment, `You cannot confirm this PaymentIntent because ${why}.`);
  }
  if (payment.parentId !== null && wanted.offSession) {
    throw wrongState(`This PaymentIntent belongs to the invoice ${payment.parentId}. Pay the invoice instead.`, {
      code: 'payment_intent_invalid_parameter',
      payment_intent: payment.body,
    });
  }
}

function refuseByRules(payment: Payment, wanted: ConfirmRequest): void {
  const { automatic_payment_methods: automatic, setup_future_usage: kept } = payment.body;
  if (automatic?.enabled && automatic.allow_redirects !== 'never' && wanted.returnUrl === null) {
    throw invalidRequest(
      'This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of these ' +
        'payment methods might redirect your customer off of your page, you must provide a `return_url`. If you ' +
        "don't want to accept redirect-based payment methods, set `automatic_payment_methods[enabled]` to `true` and " +
        '`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and Payment Intents.',
      { param: 'return_url', payment_intent: payment.body },
    );
  }
  if (wanted.offSession && (kept !== null || wanted.setupFutureUsage !== null)) {
    throw invalidRequest('You cannot set `off_session` on a PaymentIntent with `setup_future_usage`.', {
      code: 'payment_intent_invalid_parameter',
      param: 'off_session',
      payment_intent: payment.body,
    });
  }
}

/** @throws {StripeRefusal} when the method is somebody else's, or was used up by an earlier charge. */
export function refuseStranger(payment: Payment, { body, stored, isRawToken }: Instrument): void {
  if (isRawToken) return;
  const { customer } = payment.body;
  if (body.customer === null && stored?.hidden.consumed) {
    throw invalidRequest(
      'The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment. It may not ' +
        'be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first.',
      { code: 'payment_method_unexpected_state', param: 'payment_method' },
    );
  }
  if (body.customer === null || body.customer === customer) return;
  throw invalidRequest(
    customer === null
      ? `The payment method ${body.id} belongs to the Customer ${body.customer}. Please include the Customer in the ` +
          '`customer` parameter on the PaymentIntent.'
      : `The customer does not have a payment method with the ID ${body.id}. The payment method must be attached to the customer.`,
    { code: 'resource_missing', param: 'payment_method' },
  );
}

/** 400 `payment_intent_unexpected_state`, with the payment as it is. */
export function unexpectedState(payment: Payment, message: string) {
  return wrongState(message, { code: 'payment_intent_unexpected_state', payment_intent: payment.body });
}

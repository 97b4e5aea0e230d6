import type { SetupIntentBody, SetupSessionBody, Stored } from './bodies.js';
import type { Call } from './call.js';
import type { Params } from './params.js';
import { attachTo } from './payment-methods.js';
import { ok, type Reply } from './reply.js';
import { invalidRequest, noSuch, wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

/** @see https://docs.stripe.com/api/checkout/sessions/create (expires_at: 30 minutes to 24 hours, by default 24 hours) */
const EXPIRES_AFTER_SECONDS_MIN = 30 * 60;
const EXPIRES_AFTER_SECONDS_MAX = 24 * 60 * 60;

/** POST /v1/checkout/sessions: in setup mode only, which saves a card and charges nothing. */
export async function createCheckoutSession({ uow, params }: Call): Promise<Reply> {
  if (params.required('mode') !== 'setup') {
    throw invalidRequest('This test gateway makes Checkout Sessions of the mode setup only.', { param: 'mode' });
  }
  const customer = params.required('customer');
  await uow.get('customer', customer, 'customer');
  const given = sessionParams(uow, params);
  const setup = setupIntent(uow, customer, params.child('setup_intent_data'));
  params.ignore('locale', 'ui_mode', 'allowed_payment_method_types', 'consent_collection');
  params.refuseUnknown();
  const id = uow.newId('cs_test');
  const body: SetupSessionBody = {
    id,
    object: 'checkout.session',
    created: uow.nowSeconds,
    customer,
    livemode: false,
    mode: 'setup',
    payment_intent: null,
    payment_status: 'no_payment_required',
    setup_intent: setup.id,
    status: 'open',
    url: `${uow.scope.publicUrl}/c/pay/${uow.accountId}/${id}`,
    ...given,
  };
  uow.create('setup_intent', setup);
  uow.create('checkout.session', body, { relatedId: setup.id });
  uow.emit('setup_intent.created', setup);
  return ok(body);
}

/** POST /v1/checkout/sessions/{id}/expire */
export async function expireCheckoutSession({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  const { stored, body } = await lockSetupSession(uow, id);
  if (body.status !== 'open') {
    throw wrongState(`Only Checkout Sessions with a status in ["open"] can be expired. This one is ${body.status}.`);
  }
  Object.assign(body, { status: 'expired', url: null });
  uow.save(stored);
  uow.emit('checkout.session.expired', body);
  return ok(body);
}

/**
 * The customer enters a card on the session's page: the card is attached, the SetupIntent succeeds, the session is
 * complete. Nothing becomes anybody's default, as at Stripe.
 * @throws {StripeRefusal} when the session is not open any more, or the card is declined when it is attached.
 */
export async function enterCard(uow: UnitOfWork, sessionId: string, token: string): Promise<SetupSessionBody> {
  const { stored, body } = await lockSetupSession(uow, sessionId);
  if (body.status !== 'open' || body.expires_at <= uow.nowSeconds) {
    throw wrongState('This Checkout Session is no longer open.');
  }
  const setup = await uow.lock('setup_intent', body.setup_intent);
  const method = await attachTo(uow, token, setup.body.customer);
  Object.assign(setup.body, { status: 'succeeded', payment_method: method.body.id });
  Object.assign(body, { status: 'complete', url: null });
  uow.save(setup);
  uow.save(stored);
  uow.emit('setup_intent.succeeded', setup.body);
  uow.emit('checkout.session.completed', body);
  return body;
}

/** A session as its page needs it. @throws {StripeRefusal} when there is none of that id, or none that saves a card. */
export async function readSetupSession(uow: UnitOfWork, id: string): Promise<SetupSessionBody> {
  const { body } = await uow.get('checkout.session', id);
  if (body.mode !== 'setup') throw noSuch('checkout session', id);
  return body;
}

async function lockSetupSession(
  uow: UnitOfWork,
  id: string,
): Promise<{ stored: Stored<'checkout.session'>; body: SetupSessionBody }> {
  const stored = await uow.lock('checkout.session', id);
  if (stored.body.mode !== 'setup') throw noSuch('checkout session', id);
  return { stored, body: stored.body };
}

function sessionParams(uow: UnitOfWork, params: Params) {
  const currency = params.filled('currency') ?? null;
  if (currency === null && params.texts('allowed_payment_method_types').length === 0) {
    throw invalidRequest('Missing required param: currency.', { code: 'parameter_missing', param: 'currency' });
  }
  return {
    currency,
    success_url: params.required('success_url'),
    cancel_url: params.filled('cancel_url') ?? null,
    client_reference_id: params.filled('client_reference_id') ?? null,
    metadata: params.metadata({}),
    expires_at: expiresAt(uow, params),
  };
}

function expiresAt(uow: UnitOfWork, params: Params): number {
  const given = params.integer('expires_at');
  if (given === undefined) return uow.nowSeconds + EXPIRES_AFTER_SECONDS_MAX;
  const afterSeconds = given - uow.nowSeconds;
  // A second for the rounding of both clocks.
  if (afterSeconds < EXPIRES_AFTER_SECONDS_MIN - 1 || afterSeconds > EXPIRES_AFTER_SECONDS_MAX + 1) {
    const message =
      'The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.';
    throw invalidRequest(message, { param: 'expires_at' });
  }
  return given;
}

function setupIntent(uow: UnitOfWork, customer: string, given: Params | undefined): SetupIntentBody {
  return {
    id: uow.newId('seti'),
    object: 'setup_intent',
    created: uow.nowSeconds,
    customer,
    description: given?.filled('description') ?? null,
    last_setup_error: null,
    livemode: false,
    mandate: null,
    metadata: given?.metadata({}) ?? {},
    payment_method: null,
    status: 'requires_payment_method',
    usage: 'off_session',
  };
}

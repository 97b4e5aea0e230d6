import type { PaymentMethodBody, Stored } from './bodies.js';
import type { Call } from './call.js';
import { declineOf } from './decline.js';
import { paymentMethodBody } from './fake-card.js';
import { loadInstrument, lockInstrument, type Instrument } from './instruments.js';
import type { Params } from './params.js';
import { ok, type Reply } from './reply.js';
import { derivedText } from './stripe-ids.js';
import { invalidRequest, noSuch, StripeRefusal, wrongState } from './stripe-refusal.js';
import { parseToken } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** GET /v1/payment_methods/{id}: any raw test token as well. */
export async function retrievePaymentMethod({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  return ok((await loadInstrument(uow, id)).body);
}

/** POST /v1/payment_methods: a card from a test token (`tok_visa`, `tok_test_do_not_honor`), not attached to anybody. */
export async function createPaymentMethod({ uow, params }: Call): Promise<Reply> {
  const type = params.required('type');
  const card = params.child('card');
  params.ignore('billing_details', 'allow_redisplay');
  const metadata = params.metadata({});
  if (type !== 'card' || !card) {
    throw invalidRequest('This test gateway creates payment methods of the type card, from a test token.', {
      param: 'type',
    });
  }
  if (card.has('number')) {
    throw new StripeRefusal(402, {
      type: 'invalid_request_error',
      message: 'Sending credit card numbers directly to the Stripe API is generally unsafe. Use a test token instead.',
      param: 'card[number]',
    });
  }
  const given = card.required('token');
  params.refuseUnknown();
  const token = given.replace(/^tok_test_/, 'pm_test_').replace(/^tok_/, 'pm_card_');
  if (parseToken(token) === null) throw noSuch('token', given, 'card[token]');
  const { body } = copyOf(uow, await loadInstrument(uow, token), null);
  body.metadata = metadata;
  return ok(body);
}

/** POST /v1/payment_methods/{id}/attach */
export async function attachPaymentMethod({ uow, params, id }: Call): Promise<Reply> {
  const customer = params.required('customer');
  params.refuseUnknown();
  await uow.get('customer', customer, 'customer');
  return ok((await attachTo(uow, id, customer)).body);
}

/** Gives a method to a customer. A raw token is copied, and the copy is what the customer then holds. */
export async function attachTo(uow: UnitOfWork, id: string, customer: string): Promise<Stored<'payment_method'>> {
  const instrument = await loadInstrument(uow, id);
  if (instrument.script.attach === 'declined') throw attachDeclined(instrument);
  const stored = instrument.isRawToken ? copyOf(uow, instrument, customer) : await uow.lock('payment_method', id);
  if (!instrument.isRawToken) attach(stored, customer);
  uow.save(stored);
  uow.emit('payment_method.attached', stored.body);
  return stored;
}

function attach(stored: Stored<'payment_method'>, customer: string): void {
  if (stored.hidden.consumed) {
    throw invalidRequest(
      'This PaymentMethod was previously used without being attached to a Customer or was detached from a Customer, ' +
        'and may not be used again.',
      { code: 'payment_method_unexpected_state' },
    );
  }
  if (stored.body.customer !== null && stored.body.customer !== customer) {
    throw wrongState('The payment method you provided has already been attached to a customer.', {
      code: 'payment_method_unexpected_state',
    });
  }
  stored.body.customer = customer;
}

/** Stripe tries a card when it is attached: its always-declining test cards never get that far. */
function attachDeclined({ script }: Instrument): StripeRefusal {
  const [step] = script.steps;
  const decline = step?.kind === 'decline' ? step.decline : declineOf('generic_decline');
  return new StripeRefusal(
    402,
    {
      type: 'card_error',
      code: decline.code,
      ...(decline.declineCode === null ? {} : { decline_code: decline.declineCode }),
      message: decline.message,
    },
    true,
  );
}

/** POST /v1/payment_methods/{id}/detach: never to be charged again. */
export async function detachPaymentMethod({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  const stored = await uow.lock('payment_method', id);
  if (stored.body.customer === null) throw wrongState('The payment method you provided is not attached to a customer.');
  stored.body.customer = null;
  stored.hidden.consumed = true;
  uow.save(stored);
  uow.emit('payment_method.detached', stored.body);
  return ok(stored.body);
}

/** POST /v1/payment_methods/{id}: a new expiry, as a customer gives it; a raw token keeps it as well. */
export async function updatePaymentMethod({ uow, params, id }: Call): Promise<Reply> {
  const stored = await lockInstrument(uow, id);
  setExpiry(stored.body, params.child('card'));
  stored.body.metadata = params.metadata(stored.body.metadata ?? {});
  params.ignore('billing_details', 'allow_redisplay');
  params.refuseUnknown();
  uow.save(stored);
  uow.emit('payment_method.updated', stored.body);
  return ok(stored.body);
}

function setExpiry(body: PaymentMethodBody, card: Params | undefined): void {
  if (!card) return;
  if (!body.card)
    throw invalidRequest('You can only update a card of a payment method that is one.', { param: 'card' });
  const month = card.integer('exp_month') ?? body.card.exp_month;
  if (month < 1 || month > 12) {
    throw invalidRequest("Your card's expiration month is invalid.", {
      code: 'invalid_expiry_month',
      param: 'card[exp_month]',
    });
  }
  body.card.exp_month = month;
  body.card.exp_year = card.integer('exp_year') ?? body.card.exp_year;
}

/**
 * The card network replaces the card behind a payment method, as an account updater does: new number, so a new
 * fingerprint, and a later expiry. `behavesAs` is the token whose script the new card plays; as before when absent.
 */
export async function replaceCard(
  uow: UnitOfWork,
  id: string,
  behavesAs: string | undefined,
): Promise<PaymentMethodBody> {
  const stored = await lockInstrument(uow, id);
  const { card } = stored.body;
  if (!card) throw invalidRequest(`Payment method ${id} is no card.`);
  if (behavesAs !== undefined && parseToken(behavesAs) === null) throw noSuch('PaymentMethod', behavesAs, 'behavesAs');
  card.fingerprint = derivedText(16, 'replaced', uow.newId('card'));
  card.exp_year += 3;
  if (behavesAs !== undefined) stored.hidden.script = behavesAs;
  uow.save(stored);
  uow.emit('payment_method.automatically_updated', stored.body);
  return stored.body;
}

/** The same card under an id of its own. */
function copyOf(uow: UnitOfWork, { script, token }: Instrument, customer: string | null): Stored<'payment_method'> {
  const fingerprintOf = `${uow.accountId} ${token}`;
  const body = paymentMethodBody(uow.newId('pm'), script.features, fingerprintOf, uow.nowSeconds, customer);
  return uow.create('payment_method', body, { hidden: { script: token } });
}

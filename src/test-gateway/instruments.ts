import type { PaymentMethodBody, Stored } from './bodies.js';
import { PLAIN_CARD, APPROVE, type CardScript } from './card-script.js';
import { paymentMethodBody } from './fake-card.js';
import { cardholderId } from './stripe-ids.js';
import { noSuch } from './stripe-refusal.js';
import { parseToken } from './token.js';
import type { UnitOfWork } from './unit-of-work.js';

/** Something that can be charged: a stored payment method, or a raw test token that nobody had to store. */
export interface Instrument {
  body: PaymentMethodBody;
  script: CardScript;
  /** The token whose script is played: plays and faults are counted under it. */
  token: string;
  /** A raw token is a template that every customer holds, as at Stripe: it pays for anybody. */
  isRawToken: boolean;
  stored: Stored<'payment_method'> | null;
}

/** A card without a script of its own, as after `detach` and the like: it simply pays. */
const PLAIN: CardScript = { features: PLAIN_CARD, steps: [APPROVE], fault: null, attach: 'allowed' };

/**
 * Finds what can be charged under an id.
 *
 * Every raw token belongs to one customer per account (its *cardholder*), so that `paymentMethods.retrieve` gives a
 * customer, and one debt can be paid by one token after another without changing customer.
 * @throws {StripeRefusal} `resource_missing`; 404, or 400 when `param` names the parameter that held the id.
 */
export async function loadInstrument(uow: UnitOfWork, id: string, param?: string): Promise<Instrument> {
  const stored = await uow.find('payment_method', id);
  if (stored) {
    const token = stored.hidden.script ?? id;
    return {
      body: stored.body,
      script: parseToken(token) ?? PLAIN,
      token,
      isRawToken: parseToken(id) !== null,
      stored,
    };
  }
  const script = parseToken(id);
  if (!script) throw noSuch('PaymentMethod', id, param);
  return { body: rawTokenBody(uow, id, script), script, token: id, isRawToken: true, stored: null };
}

/** The stored form of an instrument, made now if it is a raw token that was never changed before. */
export async function lockInstrument(uow: UnitOfWork, id: string): Promise<Stored<'payment_method'>> {
  const stored = await uow.find('payment_method', id, true);
  if (stored) return stored;
  const { body } = await loadInstrument(uow, id);
  return uow.create('payment_method', body);
}

function rawTokenBody(uow: UnitOfWork, token: string, script: CardScript): PaymentMethodBody {
  const holder = cardholderId(uow.accountId);
  return paymentMethodBody(token, script.features, `${uow.accountId} ${token}`, 0, holder);
}

import type Stripe from 'stripe';

import type { DeclineSignals } from '../../recovery/facts.js';

/** The decline fields that an API error and a `last_payment_error` have in common. */
export interface ErrorFields {
  code?: string;
  decline_code?: string;
  advice_code?: string;
  network_decline_code?: string;
  network_advice_code?: string;
  charge?: string;
  payment_method?: { card?: { brand?: string } } | null;
}

/** Codes that name no reason: for a charge that Stripe itself blocked, the outcome's reason says more. */
const NAMES_NO_REASON: ReadonlySet<string> = new Set(['', 'generic_decline', 'card_declined']);

/**
 * Everything that was said with one decline, from the error first and then from the outcome of the charge that the
 * error names. A charge of another attempt is left out: its reason is not this one's.
 * @see https://docs.stripe.com/declines (`decline_code` is '' and not missing on the SDK's card errors)
 */
export function declineSignals(error: ErrorFields | null, charge: Stripe.Charge | null): DeclineSignals {
  const own = charge !== null && (!error?.charge || error.charge === charge.id) ? charge : null;
  const outcome = own?.outcome ?? null;
  const blocked = outcome?.type === 'blocked';
  return {
    declineCode: declineCode(error, outcome, blocked),
    errorCode: error?.code || own?.failure_code || null,
    adviceCode: error?.advice_code || outcome?.advice_code || null,
    networkDeclineCode: error?.network_decline_code || outcome?.network_decline_code || null,
    networkAdviceCode: error?.network_advice_code || outcome?.network_advice_code || null,
    brand: brandName(error?.payment_method?.card?.brand ?? own?.payment_method_details?.card?.brand),
    ...(blocked ? { blockedByGateway: true } : {}),
  };
}

function declineCode(
  error: ErrorFields | null,
  outcome: Stripe.Charge.Outcome | null,
  blocked: boolean,
): string | null {
  const said = error?.decline_code || '';
  const reason = outcome?.reason || '';
  if (said === '' && error?.code && !NAMES_NO_REASON.has(error.code)) {
    return null; // `expired_card` and its like come as `code` alone; the outcome repeats them.
  }
  const takeReason = reason !== '' && (said === '' || (blocked && NAMES_NO_REASON.has(said)));
  return (takeReason ? reason : said) || null;
}

/** Lower case; null where the gateway does not know. */
export function brandName(brand: string | null | undefined): string | null {
  const name = brand?.toLowerCase() ?? '';
  return name === '' || name === 'unknown' ? null : name;
}

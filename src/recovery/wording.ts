import { finalMessage, PLAIN_DECLINE_TEXT } from './decline.js';
import type { EndReason, Route, State } from './facts.js';

/**
 * What the outcome was, for `message`; plain words for the merchant's own people.
 * @param charges charges of ours so far, those not executed left out.
 */
export function messageFor(state: State, endReason: EndReason | null, charges: number): string {
  switch (state) {
    case 'succeeded':
      return 'Payment recovered.';
    case 'queued':
      return 'A retry is scheduled.';
    case 'in_progress':
      return 'The payment is processing at the bank.';
    case 'reconciling':
      return "The gateway's answer was lost; the outcome is being looked up and nothing else is charged meanwhile.";
    case 'action_required':
      return 'The customer must authenticate this payment.';
    case 'blocked':
      return 'This payment method must not be charged.';
    case 'holdout':
      return 'Control group: nothing was attempted.';
    case 'failed':
    case 'cancelled':
      return endText(endReason ?? 'exhausted', charges);
  }
}

function endText(endReason: EndReason, charges: number): string {
  if (charges === 0) return UNCHARGED_TEXTS[endReason] ?? END_TEXTS[endReason];
  return charges === 1 && endReason === 'exhausted'
    ? 'The charge was declined, and no retry is left.'
    : END_TEXTS[endReason];
}

/** Where no charge of ours was made, other words are true. */
const UNCHARGED_TEXTS: Readonly<Partial<Record<EndReason, string>>> = {
  exhausted: 'No charge was possible in time; nothing was charged.',
  deadline: 'The deadline passed before a charge could be made.',
  hard_decline: 'The payment method can not be charged again; nothing was charged.',
  configuration: 'The payment can not be made as it was asked for; nothing was charged.',
  possibly_paid: 'A payment of this amount may have been made already; nothing was charged.',
  amount_changed: 'The invoice no longer has the amount that was asked for; nothing was charged.',
  disputed: 'The original charge is disputed; nothing was charged.',
  refunded: 'The original charge was refunded; nothing was charged.',
};

const END_TEXTS: Readonly<Record<EndReason, string>> = {
  exhausted: 'Every retry was declined.',
  deadline: 'The deadline passed before the payment could be collected.',
  hard_decline: 'The payment method can not be charged again.',
  never_charge: 'This payment method must not be charged.',
  configuration: 'The payment was refused for a reason that no retry mends.',
  possibly_paid: 'A payment of this amount may have been made already; nothing more is charged.',
  amount_changed: 'The invoice no longer has the amount that was asked for; nothing more is charged.',
  token_not_reusable: 'The payment method has no customer and can not be charged again.',
  not_authenticated: 'The customer did not authenticate the payment in time.',
  original_transaction_open: 'The original payment is still open and can not be taken over.',
  paid_elsewhere: 'The debt was paid elsewhere.',
  abandoned: 'The recovery was abandoned.',
  customer_request: 'The recovery was cancelled at the customer’s request.',
  voided: 'The invoice or payment was voided.',
  uncollectible: 'The invoice was marked uncollectible.',
  subscription_deleted: 'The subscription was deleted.',
  disputed: 'The original charge is disputed; nothing more is charged.',
  refunded: 'The original charge was refunded; nothing more is charged.',
  deauthorised: 'Access to the gateway account was withdrawn.',
  superseded: 'A newer recovery of the same debt took over.',
  holdout: 'Control group: nothing was attempted.',
};

/** The published contract's `error` text of a 403: one for authentication, one for everything that is never charged. */
export function blockedError(state: 'blocked' | 'action_required'): string {
  return state === 'action_required'
    ? 'Recovery blocked: customer authentication is required.'
    : 'Recovery blocked: this payment method must not be charged.';
}

/** `error` of an execute body: null unless the recovery ended, or stopped, without money; `message` is the body's own. */
export function errorFor(state: State, message: string): string | null {
  switch (state) {
    case 'blocked':
    case 'action_required':
      return blockedError(state);
    case 'failed':
    case 'cancelled':
      return message;
    case 'succeeded':
    case 'holdout':
    case 'queued':
    case 'in_progress':
    case 'reconciling':
      return null;
  }
}

/**
 * What the customer may be shown. Lost, stolen, picked-up, restricted and fraudulent cards all read the same plain
 * decline; on a final event no text promises another try. '' means: say nothing.
 */
export function customerText(route: Route | null, final: boolean): string {
  if (route === null) return PLAIN_DECLINE_TEXT;
  return final ? finalMessage(route.customerMessageSafe) : route.customerMessageSafe;
}

import type { Rule } from './facts.js';

/**
 * Every rule the core can name, with the place it is written down. A timeline shows the name; a payments person finds
 * the reason by the source. Names are stable: they are stored.
 */
const SOURCES = {
  no_code: 'docs/decisions.md#first-step: no decline code was given',
  listed_code: 'src/recovery/policy/decline-codes.csv',
  unlisted_code: 'docs/decisions.md#unlisted-codes',
  network_code: 'src/recovery/policy/network-decline-codes.csv',
  advice_code: 'src/recovery/policy/advice-codes.csv',
  blocked_by_gateway: 'https://docs.stripe.com/declines (blocked payments)',
  card_changed: 'docs/decisions.md#first-step: the card behind the token changed since',
  fallback_token: 'docs/decisions.md#first-step: a consented fallback token is charged instead',
  india_without_mandate: 'https://docs.stripe.com/billing/revenue-recovery/smart-retries (India)',
  first_charge_now: 'the request: policy.firstCharge now',
  first_charge_scheduled: 'the request: policy.firstCharge scheduled',
  first_slot_ahead: 'docs/decisions.md#first-step: a decline minutes old would only be repeated',
  not_before: 'the request: policy.notBefore',
  network_wait: 'src/recovery/policy/advice-codes.csv: Mastercard advice 24 to 30',
  network_limit: 'docs/decisions.md#network-limits',
  look_first: 'docs/decisions.md#first-step: the first charge may have gone through',
  token_not_reusable: 'docs/decisions.md#first-step: a token without a customer is charged once',
  scheduled: 'src/recovery/policy/schedules.csv',
  attempts_spent: 'policy.attemptsMax',
  no_slot_left: 'src/recovery/policy/schedules.csv: no slot left',
  nothing_fits: 'policy.deadlineAt: no further charge fits an hour before it',
  deadline_passed: 'policy.deadlineAt',
  outcome_succeeded: 'the gateway: succeeded',
  outcome_pending: 'docs/decisions.md#after-an-attempt: at the bank',
  outcome_unknown: 'docs/decisions.md#after-an-attempt: the answer was lost',
  outcome_requires_action: 'docs/decisions.md#after-an-attempt: the customer must authenticate',
  outcome_held: 'docs/decisions.md#after-an-attempt: authorised and held, not collected',
  payment_canceled: 'docs/decisions.md#after-an-attempt: the payment was canceled at the gateway',
  payment_replaced: 'docs/decisions.md#after-an-attempt: a canceled payment is replaced once',
  account_refused: 'docs/decisions.md#after-an-attempt: the account, not the debt',
  call_repeated: 'docs/decisions.md#after-an-attempt: a limiter is no decline',
  not_authenticated: 'docs/decisions.md#after-an-attempt: not authenticated by the deadline',
} as const;

export type RuleName = keyof typeof SOURCES;

/** Where every rule is written, for the check that each place exists. */
export const RULE_SOURCES: readonly string[] = Object.values(SOURCES);

/** The rule of that name. A `note` narrows the name to its row, as in `listed_code:do_not_honor`. */
export function rule(name: RuleName, note?: string): Rule {
  return { name: note === undefined ? name : `${name}:${note}`, source: SOURCES[name] };
}

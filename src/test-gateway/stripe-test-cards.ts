import { APPROVE, PLAIN_CARD, type CardFeatures, type CardScript, type Step } from './card-script.js';
import { bankFailureOf, declineOf, type Decline } from './decline.js';

const MINUTE_MS = 60_000;

/**
 * Stripe's own test PaymentMethods, without `pm_` in front.
 * @see https://docs.stripe.com/testing
 */
export function stripeTestCard(name: string): CardScript | null {
  return CARDS.get(name) ?? cardOfCountry(name);
}

function card(steps: readonly Step[], features: Partial<CardFeatures> = {}, attach: CardScript['attach'] = 'allowed') {
  return { features: { ...PLAIN_CARD, ...features }, steps, fault: null, attach } satisfies CardScript;
}

const good = (features: Partial<CardFeatures> = {}) => card([APPROVE], features);

const declines = (code: string, attach: CardScript['attach'] = 'declined') =>
  card([{ kind: 'decline', decline: declineOf(code) }], {}, attach);

const authenticates = (when: 'always' | 'on_session', then: Step = APPROVE, country = 'US') =>
  card([{ kind: 'authenticate', when, then }], { country });

const decline = (code: string): Step => ({ kind: 'decline', decline: declineOf(code) });

const radar: Decline = { ...declineOf('fraudulent'), by: 'radar' };

function bank(method: CardFeatures['method'], settlesAfterMs: number, failure: string | null): CardScript {
  const step: Step = { kind: 'process', settlesAfterMs, failure: failure === null ? null : bankFailureOf(failure) };
  return card([step], { method, country: method === 'us_bank_account' ? 'US' : 'GB' });
}

const BANKS: readonly [string, CardFeatures['method']][] = [
  ['usBankAccount', 'us_bank_account'],
  ['bacsDebit', 'bacs_debit'],
  ['sepaDebit', 'sepa_debit'],
];

const BANK_ANSWERS: readonly [string, string | null][] = [
  ['success', null],
  ['insufficientFunds', 'insufficient_funds'],
  ['debitNotAuthorized', 'debit_not_authorized'],
  ['noAccount', 'no_account'],
  ['accountClosed', 'account_closed'],
];

const CARDS = new Map<string, CardScript>([
  ['card_visa', good()],
  ['card_visa_debit', good({ funding: 'debit' })],
  ['card_mastercard', good({ brand: 'mastercard' })],
  ['card_mastercard_debit', good({ brand: 'mastercard', funding: 'debit' })],
  ['card_mastercard_prepaid', good({ brand: 'mastercard', funding: 'prepaid' })],
  ['card_amex', good({ brand: 'amex' })],
  ['card_discover', good({ brand: 'discover' })],
  ['card_diners', good({ brand: 'diners' })],
  ['card_jcb', good({ brand: 'jcb', country: 'JP' })],
  ['card_unionpay', good({ brand: 'unionpay', country: 'CN' })],

  ['card_chargeDeclined', declines('generic_decline')],
  ['card_visa_chargeDeclined', declines('generic_decline')],
  ['card_visa_chargeDeclinedInsufficientFunds', declines('insufficient_funds')],
  ['card_visa_chargeDeclinedLostCard', declines('lost_card')],
  ['card_visa_chargeDeclinedStolenCard', declines('stolen_card')],
  ['card_visa_chargeDeclinedFraudulent', declines('fraudulent')],
  ['card_visa_chargeDeclinedVelocityLimitExceeded', declines('card_velocity_exceeded')],
  ['card_chargeDeclinedInsufficientFunds', declines('insufficient_funds')],
  ['card_chargeDeclinedExpiredCard', declines('expired_card')],
  ['card_chargeDeclinedIncorrectCvc', declines('incorrect_cvc')],
  ['card_chargeDeclinedProcessingError', declines('processing_error')],
  ['card_chargeCustomerFail', declines('generic_decline', 'allowed')],
  ['card_visa_chargeCustomerFailLostCard', declines('lost_card', 'allowed')],
  ['card_visa_chargeCustomerFailStolenCard', declines('stolen_card', 'allowed')],
  ['card_radarBlock', card([{ kind: 'decline', decline: radar }])],
  ['card_riskLevelElevated', good()],
  ['card_riskLevelHighest', card([{ kind: 'decline', decline: radar }])],
  ['card_createDispute', card([{ kind: 'approve', thenDisputed: true }])],

  ['card_authenticationRequired', authenticates('always')],
  ['card_authenticationRequiredOnSetup', authenticates('always')],
  ['card_authenticationRequiredSetupForOffSession', authenticates('on_session')],
  [
    'card_authenticationRequiredChargeDeclinedInsufficientFunds',
    authenticates('always', decline('insufficient_funds')),
  ],
  ['card_threeDSecure2Required', authenticates('always')],
  ['card_threeDSecureRequired', authenticates('always')],
  ['card_threeDSecureRequiredChargeDeclined', authenticates('always', decline('generic_decline'))],
  ['card_threeDSecureRequiredProcessingError', authenticates('always', decline('processing_error'))],
  ['card_threeDSecureOptional', good()],

  ...BANKS.flatMap(([prefix, method]) =>
    BANK_ANSWERS.flatMap(([suffix, failure]): [string, CardScript][] => [
      [`${prefix}_${suffix}`, bank(method, 0, failure)],
      [`${prefix}_${suffix}Delayed`, bank(method, 3 * MINUTE_MS, failure)],
    ]),
  ),
]);

/** `card_us`, `card_de` …: a Visa of that country. Indian cards are always asked to authenticate. */
function cardOfCountry(name: string): CardScript | null {
  const found = /^card_([a-z]{2})$/.exec(name);
  const country = found?.[1]?.toUpperCase();
  if (country === undefined) return null;
  return country === 'IN' ? authenticates('always', APPROVE, country) : good({ country });
}

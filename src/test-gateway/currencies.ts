import { invalidRequest } from './stripe-refusal.js';

/** Stripe's presentment currencies. @see https://docs.stripe.com/currencies */
const CURRENCIES = new Set(
  `
  usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf
  clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils
  inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk
  mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp
  sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xcg xof xpf yer zar zmw
`
    .trim()
    .split(/\s+/),
);

/** The smallest charge, in minor units. @see https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts */
const MINIMUMS = new Map([
  ...['usd', 'aud', 'brl', 'cad', 'chf', 'eur', 'inr', 'jpy', 'nzd', 'sgd'].map((code) => [code, 50] as const),
  ['aed', 200],
  ['bgn', 100],
  ['czk', 1500],
  ['dkk', 250],
  ['gbp', 30],
  ['hkd', 400],
  ['huf', 17_500],
  ['mxn', 1000],
  ['myr', 200],
  ['nok', 300],
  ['pln', 200],
  ['ron', 200],
  ['sek', 300],
  ['thb', 1000],
]);

/** Given in hundredths although they have none: only whole units are accepted. */
const WHOLE_UNITS_ONLY = new Set(['isk', 'ugx']);
/** Given in thousandths, of which the last digit must be 0. */
const THOUSANDTHS = new Set(['bhd', 'jod', 'kwd', 'omr', 'tnd']);

const AMOUNT_MAX = 99_999_999;

/** The amount that always declines. It is below every minimum, and accepted all the same. */
export const ALWAYS_DECLINED_AMOUNT = 44;

/** @throws {StripeRefusal} 400 when Stripe has no such currency; the answer is in lower case. */
export function checkedCurrency(currency: string): string {
  const code = currency.toLowerCase();
  if (CURRENCIES.has(code)) return code;
  throw invalidRequest(
    `Invalid currency: ${currency}. Stripe currently supports these currencies: ${[...CURRENCIES].join(', ')}`,
    {
      param: 'currency',
    },
  );
}

/** @throws {StripeRefusal} 400 when Stripe would not charge this many minor units of the currency. */
export function checkAmount(amountMinor: number, currency: string): void {
  if (amountMinor === ALWAYS_DECLINED_AMOUNT) return;
  const param = 'amount';
  if (amountMinor < 1) {
    throw invalidRequest('This value must be greater than or equal to 1.', {
      code: 'parameter_invalid_integer',
      param,
    });
  }
  if (amountMinor > AMOUNT_MAX) {
    throw invalidRequest(`Amount must be no more than ${AMOUNT_MAX} in the smallest unit of ${currency}.`, {
      code: 'amount_too_large',
      param,
    });
  }
  const minimum = MINIMUMS.get(currency) ?? 1;
  if (amountMinor < minimum) {
    throw invalidRequest(`Amount must be at least ${minimum} in the smallest unit of ${currency}.`, {
      code: 'amount_too_small',
      param,
    });
  }
  if (WHOLE_UNITS_ONLY.has(currency) && amountMinor % 100 !== 0) {
    throw invalidRequest(`Invalid ${currency} amount: it must be a multiple of 100.`, {
      code: 'invalid_charge_amount',
      param,
    });
  }
  if (THOUSANDTHS.has(currency) && amountMinor % 10 !== 0) {
    throw invalidRequest(`Invalid ${currency} amount: its last digit must be 0.`, {
      code: 'invalid_charge_amount',
      param,
    });
  }
}

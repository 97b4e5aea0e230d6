import { readTable } from './table-file.js';

/** The gateway's own ceiling for one charge, in its smallest unit. @see https://docs.stripe.com/currencies */
export const AMOUNT_MINOR_MAX = 99_999_999;
/** The published contract's floor. */
export const AMOUNT_MINOR_MIN = 50;

interface CurrencyRow {
  currency: string;
  /** Digits of the gateway's smallest unit, which for ISK and UGX are more than the currency itself has. */
  minorDigits: number;
  multipleOf: number;
}

const CURRENCIES: ReadonlyMap<string, CurrencyRow> = new Map(
  readTable('currencies.csv').map((row) => {
    const currency = row.required('currency');
    if (!/^[A-Z]{3}$/.test(currency)) throw row.bad(`currency is "${currency}"`);
    const minorDigits = row.wholeNumber('minor_digits', 0, 3) ?? 2;
    return [currency, { currency, minorDigits, multipleOf: row.wholeNumber('multiple_of', 1, 1000) ?? 1 }];
  }),
);

export type AmountCheck =
  | { kind: 'ok' }
  | {
      kind: 'refused';
      field: 'amount' | 'currency';
      code: 'invalid_amount' | 'invalid_field';
      message: string;
      accepted: string;
    };

/** True for an active ISO 4217 code, upper case. */
export function isCurrency(currency: string): boolean {
  return CURRENCIES.has(currency);
}

/** Digits after the point that the gateway's smallest unit stands for; null for an unknown currency. */
export function minorDigitsOf(currency: string): number | null {
  return CURRENCIES.get(currency)?.minorDigits ?? null;
}

/**
 * Checks an amount in the gateway's smallest unit, from a table of our own: the runtime's currency data changes with
 * its version, and knows nothing of the gateway's special cases (ISK and UGX in hundredths, three decimals ending in 0).
 * @see https://docs.stripe.com/currencies#special-cases
 */
export function validateAmount(amountMinor: number, currency: string): AmountCheck {
  const row = CURRENCIES.get(currency);
  if (!row) {
    const accepted = 'an ISO 4217 code in capitals, such as USD';
    return { kind: 'refused', field: 'currency', code: 'invalid_field', message: 'is no known currency', accepted };
  }
  const inRange =
    Number.isSafeInteger(amountMinor) && amountMinor >= AMOUNT_MINOR_MIN && amountMinor <= AMOUNT_MINOR_MAX;
  if (!inRange) return refused('must be a whole number in range', row);
  return amountMinor % row.multipleOf === 0 ? { kind: 'ok' } : refused(`must be divisible by ${row.multipleOf}`, row);
}

function refused(message: string, { currency, minorDigits, multipleOf }: CurrencyRow): AmountCheck {
  const unit = minorDigits === 0 ? `whole ${currency}` : `units of which ${10 ** minorDigits} make one ${currency}`;
  const steps = multipleOf === 1 ? '' : `, divisible by ${multipleOf}`;
  const accepted = `an integer from ${AMOUNT_MINOR_MIN} to ${AMOUNT_MINOR_MAX} in ${unit}${steps}`;
  return { kind: 'refused', field: 'amount', code: 'invalid_amount', message, accepted };
}

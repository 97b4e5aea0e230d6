import { minorDigitsOf } from '../recovery/money.js';

/**
 * An amount as people of a locale write it, such as `$25.00`. The digits are those of our own table: the runtime's
 * currency data calls HUF and ISK whole units where the gateway counts hundredths.
 */
export function moneyText(amountMinor: number, currency: string, locale: string): string {
  const digits = minorDigitsOf(currency) ?? 0;
  const format = new Intl.NumberFormat(locale, {
    style: 'currency',
    currency,
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  // As text, which is exact for every amount; a number would have been divided.
  return format.format(decimalText(amountMinor, digits) as Intl.StringNumericLiteral);
}

/** The same in ASCII for a text message, such as `USD 25.00`. */
export function plainMoneyText(amountMinor: number, currency: string): string {
  return `${currency} ${decimalText(amountMinor, minorDigitsOf(currency) ?? 0)}`;
}

function decimalText(amountMinor: number, digits: number): string {
  const sign = amountMinor < 0 ? '-' : '';
  const figures = String(Math.abs(amountMinor)).padStart(digits + 1, '0');
  const point = figures.length - digits;
  return digits === 0 ? sign + figures : `${sign}${figures.slice(0, point)}.${figures.slice(point)}`;
}

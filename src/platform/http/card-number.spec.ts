import { describe, expect, it } from '@jest/globals';

import { fc } from '../../../test/support/properties.js';
import { holdsCardNumber, isCardNumber } from './card-number.js';

const CARDS = [
  '4242424242424242', // Visa
  '4222222222222', // Visa, 13
  '4000000000000000006', // Visa, 19
  '5555555555554444', // Mastercard
  '2223003122003222', // Mastercard, newer series
  '378282246310005', // American Express
  '6011111111111117', // Discover
  '6500000000000002', // Discover 65
  '3530111333300000', // JCB
  '30569309025904', // Diners
  '38520000023237',
  '36227206271667',
];

describe('holdsCardNumber', () => {
  it.each(CARDS)('finds %s alone, in a sentence, and with spaces or dashes', (card) => {
    const spaced = card.replace(/(.{4})/g, '$1 ').trim();
    for (const text of [
      card,
      `card: ${card}.`,
      spaced,
      spaced.replaceAll(' ', '-'),
      `2026-11-21 ${card}`,
      `(${card})`,
    ]) {
      expect({ text, found: holdsCardNumber(text) }).toEqual({ text, found: true });
    }
  });

  it.each([
    ['a wrong check digit', '4242424242424241'],
    ['no card prefix, though Luhn holds', '1234567812345670'],
    ['a Visa prefix with a length no Visa has', '42424242424242'],
    ['15 digits of a Mastercard prefix', '555555555555554'],
    ['digits inside a longer id of letters', 'ord4242424242424242x'],
    ['an id joined by an underscore', 'order_4242424242424242'],
    ['a PaymentIntent', 'pi_4242424242424242'],
    ['a Shopify id', 'gid://shopify/Order/4242424242424242'],
    ['a UUID of digits alone', '42424242-4242-4242-8242-123456789012'],
    ['more digits than any card has', '42424242424242424242424242'],
    ['an amount and a date', '2500 2026-11-21T10:00:00.000Z'],
    ['nothing', ''],
  ])('lets %s through', (_what, text) => {
    expect(holdsCardNumber(text)).toBe(false);
  });

  it('reads full-width digits and other dashes as what they look like', () => {
    expect(holdsCardNumber('４２４２４２４２４２４２４２４２')).toBe(true);
    expect(holdsCardNumber('4242–4242–4242–4242')).toBe(true);
    expect(holdsCardNumber('4242\u00a04242\u00a04242\u00a04242')).toBe(true);
  });

  it.each(['\u200b', '\u200d', '\u2060', '\u00ad', '\ufeff', ' \u200e'])(
    'sees through %j between digits',
    (invisible) => {
      expect(holdsCardNumber(['4242', '4242', '4242', '4242'].join(invisible))).toBe(true);
      expect(holdsCardNumber([...'4242424242424242'].join(invisible))).toBe(true);
    },
  );

  it('takes a time that grows with the length of the text only', () => {
    const started = performance.now();
    holdsCardNumber('1 '.repeat(500_000));
    holdsCardNumber('in_'.repeat(300_000));
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it('refuses far fewer than one in a hundred order numbers', () => {
    let refused = 0;
    for (let order = 1_000_000_000_000_000; order < 1_000_000_000_100_000; order += 1)
      refused += isCardNumber(String(order)) ? 1 : 0;
    expect(refused).toBe(0);
  });

  it('finds every number made of a prefix, its length and the right check digit', () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 14, maxLength: 14 });
    fc.assert(
      fc.property(digits, (rest) => {
        const body = `4${rest.join('')}`;
        const cards = Array.from({ length: 10 }, (_, check) => `${body}${check}`).filter(isCardNumber);
        expect(cards).toHaveLength(1);
        expect(holdsCardNumber(`ref ${cards[0] ?? ''}`)).toBe(true);
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { isPersonalData, REMOVED, withoutPersonalData } from './no-personal-data.js';

const digits = (min: number, max = min) => fc.stringMatching(new RegExp(`^[2-9]\\d{${min - 1},${max - 1}}$`));
const gap = fc.constantFrom(' ', '-');

/** Numbers as people of several countries write them at home. */
const nationalNumber = fc.oneof(
  fc.tuple(digits(3), digits(3), digits(4), gap).map(([area, one, two, mark]) => `(${area}) ${one}${mark}${two}`),
  fc.tuple(digits(2, 4), digits(7, 8)).map(([area, rest]) => `0${area} ${rest}`),
  fc.tuple(digits(2, 3), digits(6, 8)).map(([area, rest]) => `0${area}/${rest}`),
  fc.tuple(digits(2, 4), digits(3), digits(4)).map(([area, one, two]) => `0${area} ${one} ${two}`),
  fc.tuple(digits(2), digits(3), digits(7)).map(([country, area, rest]) => `00${country} ${area} ${rest}`),
  fc.array(fc.stringMatching(/^\d{2}$/), { minLength: 4, maxLength: 4 }).map((pairs) => `06 ${pairs.join(' ')}`),
);

/** What merchants and gateways call things, and what they cost. */
const ordinary = fc.oneof(
  fc.stringMatching(/^\d{1,12}$/).filter((run) => !/^0[1-9]\d{9,}$/.test(run)),
  fc.stringMatching(/^0{1,6}\d{3,7}$/),
  fc.stringMatching(/^(?:INV|ord|R|cus|sub)[-_]\d{4}-\d{3,8}$/),
  fc.stringMatching(/^20\d\d\/(?:0[1-9]|1[0-2])\/\d{3,6}$/),
  fc.stringMatching(/^0[1-9]\/20\d\d\/\d{3,6}$/),
  fc.stringMatching(/^(?:pi|in|ch|evt)_[A-Za-z0-9]{16,24}$/),
  fc.uuid(),
  fc.integer({ min: 0, max: 99_999_999 }).map((minor) => (minor / 100).toLocaleString('en-US')),
  fc.integer({ min: 0, max: 99_999_999 }).map((minor) => (minor / 100).toLocaleString('de-DE')),
  fc.integer({ min: 0, max: 999_999_999 }).map((amount) => amount.toLocaleString('en-US').replaceAll(',', ' ')),
  fc
    .date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2099-12-31') })
    .map((at) => at.toISOString()),
  fc
    .date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2099-12-31') })
    .map((at) => at.toISOString().slice(0, 19).replace('T', ' ')),
);

describe('what a person reads as an address, a number or a link', () => {
  it.each([
    'jane%40example.com',
    'jane＠example.com',
    '＋49 171 1234567',
    '０１７１ 1234567',
    'ｈｔｔｐｓ://pay.example/u/1',
    'checkout.stripe.com/c/pay/cs_test_a1',
    'buy.stripe.com/abc',
    'stripe.com/x',
  ])('%s is one, in a text and as an id', (word) => {
    expect(withoutPersonalData(`See ${word} today.`)).toBe(`See ${REMOVED} today.`);
    expect(isPersonalData(word)).toBe(true);
  });

  it.each(['40%4', 'stripe.com', 'notstripe.com/x', 'ﬁnal ｆｕｌｌ width', '№ 42 ½', 'shop.example/orders/42'])(
    '%s is none, and stays as it is written',
    (word) => {
      expect(withoutPersonalData(`It is ${word} now.`)).toBe(`It is ${word} now.`);
      expect(isPersonalData(word)).toBe(false);
    },
  );
});

describe('telephone numbers without a country', () => {
  it.each([
    '0171 1234567',
    '(415) 555-2671',
    '(0171) 1234567',
    '020 7946 0958',
    '01 23 45 67 89',
    '030/1234567',
    '0049 171 1234567',
  ])('%s is one, in a text and as an id', (number) => {
    expect(withoutPersonalData(`Call ${number}, please.`)).toBe(`Call ${REMOVED}, please.`);
    expect(isPersonalData(number)).toBe(true);
  });

  it.each(['415-555-2671', '415.555.2671', '1-415-555-2671'])('%s is one in a text, and may be an id', (number) => {
    expect(withoutPersonalData(`Call ${number}.`)).toBe(`Call ${REMOVED}.`);
    expect(isPersonalData(number)).toBe(false);
  });

  it('none that is written as people write it stays', () => {
    fc.assert(
      fc.property(nationalNumber, (number) => {
        expect(isPersonalData(number)).toBe(true);
        expect(withoutPersonalData(`The number is ${number}.`)).toBe(`The number is ${REMOVED}.`);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each([
    '4155552671',
    '0012345678',
    '0171-22',
    '2026-11-21 08:00:00',
    'INV-2026-000123',
    '01/2026/0001',
    '1 234 567',
    '10.000.000,00',
  ])('%s is none', (word) => {
    expect(withoutPersonalData(`It is ${word} now.`)).toBe(`It is ${word} now.`);
    expect(isPersonalData(word)).toBe(false);
  });

  it('no id, amount or date is taken for one', () => {
    fc.assert(
      fc.property(ordinary, ordinary, (one, other) => {
        expect([one, isPersonalData(one)]).toEqual([one, false]);
        const text = `Invoice ${one}: ${other} open.`;
        expect(withoutPersonalData(text)).toBe(text);
      }),
      { numRuns: 5_000 },
    );
  });
});

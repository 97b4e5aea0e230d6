import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { buildLimitTables, LIMIT_TABLES } from './limit-tables.js';
import { DAY_MS, HOUR_MS } from './local-time.js';
import { type LimitHold, limitOptionsOf, limitsFreeAt, type SeenAttempt, weighLimits } from './network-limits.js';
import { parseTable } from './table-file.js';

const NOW = new Date('2026-06-03T09:00:00Z');
const AMOUNT = { amountMinor: 2500, currency: 'USD' };
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const freeAt = (hold: LimitHold | null) => (hold === null ? 'free' : (hold.freeAt?.toISOString() ?? 'never'));

/** `count` declines, the newest `firstAgoMs` ago, one each `stepMs` before. */
function declines(count: number, firstAgoMs: number, stepMs: number, parts: Partial<SeenAttempt> = {}): SeenAttempt[] {
  return Array.from({ length: count }, (_, index) => ({
    at: ago(firstAgoMs + index * stepMs),
    declined: true,
    ...AMOUNT,
    ...parts,
  }));
}

describe('Visa', () => {
  it('allows 15 re-attempts of one amount in 30 days, the first decline not counted', () => {
    expect(limitsFreeAt(declines(15, 0, DAY_MS), 'visa', AMOUNT, NOW)).toBeNull();
    const hold = limitsFreeAt(declines(16, 0, DAY_MS), 'visa', AMOUNT, NOW);
    expect(hold).toMatchObject({
      freeAt: ago(-(30 - 14) * DAY_MS),
      rule: { name: 'network_limit:visa_reattempts_30d' },
    });
    expect(hold?.rule.source).toContain('Visa Core Rules');
  });

  it('frees a place exactly when the oldest re-attempt is 30 days old', () => {
    const full = declines(16, DAY_MS, 2 * DAY_MS);
    const free = limitsFreeAt(full, 'visa', AMOUNT, NOW)?.freeAt;
    expect(free).toEqual(ago(-DAY_MS)); // The oldest re-attempt is 29 days old.
    expect(limitsFreeAt(full, 'visa', AMOUNT, free ?? NOW)).toBeNull();
    expect(limitsFreeAt(full, 'visa', AMOUNT, new Date((free ?? NOW).getTime() - 1))).not.toBeNull();
  });

  it('can be set from 15 to 20, and to nothing else', () => {
    const set = (reattemptsMax: number, count: number) =>
      limitsFreeAt(declines(count, 0, DAY_MS), 'visa', AMOUNT, NOW, { reattemptsMax });
    expect(set(20, 20)).toBeNull();
    expect(set(20, 21)).not.toBeNull();
    expect(set(15, 15)).toBeNull();
    expect(set(15, 16)).not.toBeNull();
    for (const cap of [14, 21, 17.5, Number.NaN]) expect(() => set(cap, 1)).toThrow(RangeError);
    expect([limitOptionsOf({ visaReattemptsMax: 18 }), limitOptionsOf({})]).toEqual([{ reattemptsMax: 18 }, {}]);
    expect(() => set(14, 1)).toThrow('reattemptsMax must be a whole number from 15 to 20.');
  });

  it.each([
    ['another amount', { amountMinor: 2400 }],
    ['another currency', { currency: 'EUR' }],
    ['no decline', { declined: false }],
  ])('does not count %s', (_, parts) => {
    expect(limitsFreeAt(declines(30, 0, HOUR_MS, parts), 'visa', AMOUNT, NOW)).toBeNull();
  });

  it('never takes a card again that category 1 refused, at whatever amount and time', () => {
    const never = declines(1, 400 * DAY_MS, 0, { networkDeclineCode: '46', amountMinor: 1 });
    const hold = limitsFreeAt([...never, ...declines(16, 0, HOUR_MS)], 'visa', AMOUNT, NOW);
    expect(hold).toMatchObject({ freeAt: null, rule: { name: 'network_limit:visa_category_1' } });
    const category2 = declines(1, 0, 0, { networkDeclineCode: '51' });
    expect(limitsFreeAt(category2, 'visa', AMOUNT, NOW)).toBeNull();
    // Category 3 wants the data corrected: the router does not retry it, but no rule forbids the card for ever.
    expect(limitsFreeAt(declines(1, 0, 0, { networkDeclineCode: '54' }), 'visa', AMOUNT, NOW)).toBeNull();
  });

  it.each(['7', ' 07 ', 'r0', 'R0'])(
    'reads the code %p as the router does: this card is never charged again',
    (code) => {
      const hold = limitsFreeAt(declines(1, 0, 0, { networkDeclineCode: code }), 'visa', AMOUNT, NOW);
      expect(hold).toMatchObject({ freeAt: null, rule: { name: 'network_limit:visa_category_1' } });
    },
  );

  it('counts an attempt that another clock dates in the future', () => {
    const ahead = declines(16, -2 * HOUR_MS, 60_000);
    expect(freeAt(limitsFreeAt(ahead, 'visa', AMOUNT, NOW))).toBe(
      ago(-2 * HOUR_MS + 14 * 60_000 - 30 * DAY_MS).toISOString(),
    );
  });
});

describe('Mastercard', () => {
  it('leaves the tenth decline in 24 hours to the customer, whatever the amount', () => {
    const others = declines(8, HOUR_MS, HOUR_MS, { amountMinor: 100 });
    expect(limitsFreeAt(others, 'mastercard', AMOUNT, NOW)).toBeNull();
    const full = [...others, ...declines(1, 23 * HOUR_MS, 0)];
    expect(limitsFreeAt(full, 'mastercard', AMOUNT, NOW)).toMatchObject({
      freeAt: ago(-HOUR_MS),
      rule: { name: 'network_limit:mastercard_declines_24h' },
    });
  });

  it('leaves the 35th decline in 30 days to the customer, by amount', () => {
    const month = declines(34, DAY_MS, 20 * HOUR_MS);
    expect(limitsFreeAt(month.slice(1), 'mastercard', AMOUNT, NOW)).toBeNull();
    expect(limitsFreeAt(month, 'mastercard', AMOUNT, NOW)).toMatchObject({
      freeAt: ago(DAY_MS + 33 * 20 * HOUR_MS - 30 * DAY_MS),
      rule: { name: 'network_limit:mastercard_declines_30d' },
    });
    expect(limitsFreeAt(month, 'mastercard', { ...AMOUNT, amountMinor: 1 }, NOW)).toBeNull();
  });

  it('names the limit that frees last when two hold', () => {
    const both = [...declines(9, 0, HOUR_MS), ...declines(30, 2 * DAY_MS, 12 * HOUR_MS)];
    const weights = weighLimits(both, 'mastercard', AMOUNT, NOW);
    expect(weights.filter((one) => one.hold !== null).map((one) => one.limit.name)).toEqual([
      'mastercard_declines_24h',
      'mastercard_declines_30d',
    ]);
    expect(limitsFreeAt(both, 'mastercard', AMOUNT, NOW)?.rule.name).toBe('network_limit:mastercard_declines_30d');
    // Whichever comes first in the table: here the month frees in an hour, the day in almost 24.
    const leaving = [...declines(9, 0, 60_000), ...declines(25, 29 * DAY_MS, (23 * HOUR_MS) / 24)];
    expect(limitsFreeAt(leaving, 'mastercard', AMOUNT, NOW)?.rule.name).toBe('network_limit:mastercard_declines_24h');
  });

  it.each(['03', '21', '3', ' 21 '])(
    'stops the card 30 days after advice %p, whatever the amount',
    (networkAdviceCode) => {
      const stop = declines(1, 29 * DAY_MS, 0, { networkAdviceCode, amountMinor: 1 });
      expect(limitsFreeAt(stop, 'mastercard', AMOUNT, NOW)).toMatchObject({
        freeAt: ago(-DAY_MS),
        rule: { name: `network_limit:mastercard_advice_${networkAdviceCode.trim().padStart(2, '0')}` },
        fee: null, // No amount is public.
      });
      expect(limitsFreeAt(stop, 'mastercard', AMOUNT, ago(-DAY_MS))).toBeNull();
      expect(limitsFreeAt(stop, 'visa', AMOUNT, NOW)).toBeNull();
    },
  );
});

describe('bank debits', () => {
  const returned = (count: number, code: string | null, parts: Partial<SeenAttempt> = {}) =>
    declines(count, DAY_MS, 5 * DAY_MS, { networkDeclineCode: code, ...parts });

  it('may be presented again twice', () => {
    expect(limitsFreeAt(returned(2, 'R01'), 'us_bank_account', AMOUNT, NOW)).toBeNull();
    expect(limitsFreeAt(returned(3, 'R01'), 'us_bank_account', AMOUNT, NOW)).toMatchObject({
      freeAt: null,
      rule: { name: 'network_limit:debit_representments' },
    });
  });

  it.each([
    ['us_bank_account', 'R01', 'free'],
    ['us_bank_account', 'R09', 'free'],
    ['us_bank_account', 'R02', 'never'],
    ['us_bank_account', 'R08', 'never'], // Only with a new authorisation.
    ['us_bank_account', 'R10', 'never'],
    ['sepa_debit', 'AM04', 'free'],
    ['sepa_debit', 'MS03', 'free'],
    ['sepa_debit', 'MD01', 'never'],
    ['bacs_debit', 'ARUDD 0', 'free'],
    ['bacs_debit', 'ARUDD B', 'never'],
    ['au_becs_debit', null, 'free'], // No raw code: the router has judged.
    ['sepa_debit', 'ZZ99', 'free'],
  ])('%s returned as %s: %s', (type, code, expected) => {
    expect(freeAt(limitsFreeAt(returned(1, code), type, AMOUNT, NOW))).toBe(expected);
  });

  it('only within 180 days of the first debit', () => {
    const old = (days: number) => declines(1, days * DAY_MS, 0, { networkDeclineCode: 'R01' });
    expect(limitsFreeAt(old(180), 'us_bank_account', AMOUNT, NOW)).toBeNull();
    expect(limitsFreeAt(old(180.01), 'us_bank_account', AMOUNT, NOW)?.rule.name).toBe('network_limit:debit_180_days');
  });

  it('counts the debits of this debt only', () => {
    const others = returned(5, 'R02', { ofThisDebt: false });
    expect(limitsFreeAt([...others, ...returned(1, 'R01')], 'us_bank_account', AMOUNT, NOW)).toBeNull();
  });
});

it('takes Visa’s cap for other cards and no limit where the payment method has none', () => {
  const many = declines(16, 0, DAY_MS);
  expect(limitsFreeAt(many, 'amex', AMOUNT, NOW)?.rule.name).toBe('network_limit:other_reattempts_30d');
  expect(limitsFreeAt(many, null, AMOUNT, NOW)).toBeNull();
  expect(weighLimits(many, null, AMOUNT, NOW)).toEqual([]);
});

describe('the fee that a refusal avoids', () => {
  const visa = (count: number, now = NOW, crossBorder = false) => {
    const shift = now.getTime() - NOW.getTime();
    const moved = declines(count, 0, HOUR_MS).map((one) => ({ ...one, at: new Date(one.at.getTime() + shift) }));
    return limitsFreeAt(moved, 'visa', AMOUNT, now, { crossBorder })?.fee;
  };

  it('is none while the network itself would still allow the attempt', () => {
    expect(visa(16)).toBeNull();
    expect(visa(20)).toBeNull();
  });

  it('is the network’s from its own figure on, by region and date', () => {
    expect(visa(21)).toMatchObject({ amountMinor: 10, currency: 'USD' });
    expect(visa(21, NOW, true)).toMatchObject({ amountMinor: 25, currency: 'USD' });
    expect(visa(21, new Date('2026-04-24T23:59:59Z'), true)).toMatchObject({ amountMinor: 15 });
    expect(visa(21, new Date('2026-04-25T00:00:00Z'), true)).toMatchObject({ amountMinor: 25 });
  });

  it.each([
    ['2023-12-31T23:59:59Z', 15],
    ['2024-01-01T00:00:00Z', 30],
    ['2025-01-01T00:00:00Z', 50],
  ])('of Mastercard’s 36th decline at %s is %i cents', (at, amountMinor) => {
    const now = new Date(at);
    const month = Array.from({ length: 35 }, (_, index) => ({
      at: new Date(now.getTime() - index * 20 * HOUR_MS - DAY_MS),
      declined: true,
      ...AMOUNT,
    }));
    expect(limitsFreeAt(month, 'mastercard', AMOUNT, now)?.fee).toMatchObject({ amountMinor, currency: 'USD' });
    expect(limitsFreeAt(month, 'mastercard', AMOUNT, now, { crossBorder: true })?.fee).toMatchObject({ amountMinor });
    expect(limitsFreeAt(month.slice(1), 'mastercard', AMOUNT, now)?.fee).toBeNull();
  });
});

describe('loading the tables', () => {
  const LIMIT_HEAD = 'name,network,per,counts,window_hours,full_at,full_at_max,network_figure,meaning,source';
  const FEE_HEAD = 'limit,region,from,until,amount_minor,currency,source';
  const GOOD_LIMIT = 'a,visa,card,declines,24,9,9,10,m,s';
  const GOOD_FEE = 'a,any,2026-01-01,,50,USD,s';
  const build = (limit: string, fee = GOOD_FEE) =>
    buildLimitTables({
      limits: parseTable('limits.csv', `${LIMIT_HEAD}\n${limit}\n`),
      fees: parseTable('fees.csv', `${FEE_HEAD}\n${fee}\n`),
    });

  it('reads good rows', () => {
    expect(build(GOOD_LIMIT).limits[0]).toMatchObject({ fullAt: 9, windowHours: 24, networkFigure: 10 });
    expect(build(GOOD_LIMIT).fees[0]).toMatchObject({ fromMs: Date.UTC(2026, 0, 1), untilMs: null });
    expect(LIMIT_TABLES.limits).toHaveLength(17);
  });

  it.each([
    ['a name that stands twice', `${GOOD_LIMIT}\n${GOOD_LIMIT}`, GOOD_FEE, /row 3: this name stands twice/],
    ['a setting below the default', GOOD_LIMIT.replace('9,9', '9,8'), GOOD_FEE, /full_at_max/],
    ['a limit that is always full', GOOD_LIMIT.replace('9,9', '0,9'), GOOD_FEE, /full_at is "0"/],
    ['an empty limit', GOOD_LIMIT.replace('9,9', ',9'), GOOD_FEE, /full_at is empty/],
    ['a fee without limit', GOOD_LIMIT, GOOD_FEE.replace('a,', 'b,'), /limit "b" is not in/],
    ['a date that is none', GOOD_LIMIT, GOOD_FEE.replace('2026-01-01', '1 Jan 2026'), /from is "1 Jan 2026"/],
    ['a date of another form', GOOD_LIMIT, GOOD_FEE.replace('2026-01-01', '+002026-01-01'), /accepted: YYYY-MM-DD/],
    ['a month that is none', GOOD_LIMIT, GOOD_FEE.replace('2026-01-01', '2026-13-01'), /accepted: YYYY-MM-DD/],
  ])('refuses %s', (_, limit, fee, message) => expect(() => build(limit, fee)).toThrow(message));
});

it('never frees earlier for one more decline', () => {
  const minute = fc.integer({ min: -60 * 24 * 40, max: 120 });
  fc.assert(
    fc.property(
      fc.constantFrom('visa', 'mastercard', 'amex'),
      fc.array(minute, { minLength: 8, maxLength: 60 }),
      minute,
      (brand, minutes, added) => {
        const at = (one: number) => ({ at: ago(-one * 60_000), declined: true, ...AMOUNT });
        const before = limitsFreeAt(minutes.map(at), brand, AMOUNT, NOW);
        const after = limitsFreeAt([...minutes, added].map(at), brand, AMOUNT, NOW);
        const free = (hold: LimitHold | null) => hold?.freeAt?.getTime() ?? NOW.getTime();
        expect(free(after)).toBeGreaterThanOrEqual(free(before));
      },
    ),
    { numRuns: 500 },
  );
});

it('is never exceeded in any window by attempts that keep to it', () => {
  const brand = fc.constantFrom('visa', 'mastercard');
  const waits = fc.array(fc.integer({ min: 0, max: 30 * HOUR_MS }), { minLength: 40, maxLength: 60 });
  fc.assert(
    fc.property(brand, waits, (name, waitsMs) => {
      const made: SeenAttempt[] = [];
      let nowMs = NOW.getTime();
      for (const waitMs of waitsMs) {
        const asked = new Date(nowMs + waitMs);
        const at = limitsFreeAt(made, name, AMOUNT, asked)?.freeAt ?? asked;
        made.push({ at, declined: true, ...AMOUNT });
        nowMs = at.getTime();
      }
      const inWindow = (end: SeenAttempt, lengthMs: number) =>
        made.filter((one) => one.at <= end.at && one.at.getTime() > end.at.getTime() - lengthMs).length;
      for (const one of made) {
        if (name === 'mastercard') expect(inWindow(one, DAY_MS)).toBeLessThanOrEqual(9);
        expect(inWindow(one, 30 * DAY_MS)).toBeLessThanOrEqual(name === 'mastercard' ? 34 : 16);
      }
    }),
    { numRuns: 300 },
  );
});

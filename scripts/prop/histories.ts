import fc from 'fast-check';

import type { BlackoutHours } from '../../src/recovery/blackout.js';
import type { DeclineSignals, Policy } from '../../src/recovery/facts.js';
import { DAY_MS, HOUR_MS } from '../../src/recovery/local-time.js';
import type { SeenAttempt } from '../../src/recovery/network-limits.js';
import { readTable } from '../../src/recovery/table-file.js';
import { PRESETS, TABLES } from '../../src/recovery/tables.js';

/** One random debt: how it was declined, under which policy, and what else happens to its card. */
export interface History {
  signals: DeclineSignals[];
  paymentMethodType: string | null;
  policy: Policy;
  openedMs: number;
  /** The failed charge came so long before the request; null when its time is not known. */
  failedAgoMs: number | null;
  deadlineMs: number;
  chargedInRequest: boolean;
  /** Declines of the same card before the request, ours or not. */
  before: SeenAttempt[];
  /** Charges of others between ours: so long after our last. */
  foreign: { afterMs: number; attempt: SeenAttempt }[];
  /** How late each charge is made after it is due; a clock that goes back makes it early by nothing. */
  lateMs: number[];
  jitter: number[];
}

// The runtime's list has some zones under their former names only (Asia/Calcutta), and UTC not at all.
const MAIN_ZONES = readTable('country-zones.csv').map((row) => row.required('zone'));
export const ZONES: readonly string[] = [...new Set([...Intl.supportedValuesOf('timeZone'), ...MAIN_ZONES, 'UTC'])];
export const AMOUNT = { amountMinor: 2500, currency: 'USD' };

const DECLINE_CODES = [...TABLES.declines.values()].filter((row) => row.scope === 'debt').map((row) => row.code);
const RETRIED_CODES = [...TABLES.declines.values()]
  .filter((row) => row.scope === 'debt' && row.retryable === 'yes')
  .map((row) => row.code);
const COUNTRIES = ['US', 'DE', 'GB', 'JP', 'BR', 'SA', null];
const BLACKOUTS: readonly (readonly BlackoutHours[])[] = [
  [],
  [{ from: 22, to: 8 }],
  [{ from: 9, to: 12 }],
  [{ from: 0, to: 24, days: ['sat', 'sun'] }],
  [{ from: 1, to: 3 }],
];

/** One fixed schedule of a merchant's own: every hour that summer time can leave out is somewhere a local hour. */
const OWN_ROWS: Policy['rows'] = {
  ...TABLES.schedules.standard,
  ambiguous: {
    slotsHours: [1, 2, 3, 5, 8, 13, 21, 34],
    gapHours: 1,
    localHour: null,
    paydayShift: false,
    jitter: { kind: 'minutes', max: 5 },
  },
  funds: {
    slotsHours: [24, 48, 72, 96],
    gapHours: 20,
    localHour: 2,
    paydayShift: true,
    jitter: { kind: 'minutes', max: 45 },
  },
  technical: {
    slotsHours: [1, 12, 24],
    gapHours: 2,
    localHour: 0,
    paydayShift: false,
    jitter: { kind: 'share', max: 0.2 },
  },
};
const ROWS: readonly Policy['rows'][] = [...PRESETS.map((preset) => TABLES.schedules[preset]), OWN_ROWS];

const oneOf = <T>(from: readonly T[]) => fc.constantFrom(...from);
const upTo = (max: number) => fc.integer({ min: 0, max });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null });

/** The first mostly: what stops a card ends its history at once. */
const rarely = <T>(mostly: readonly T[], seldom: readonly T[]) =>
  fc.oneof({ weight: 15, arbitrary: oneOf(mostly) }, { weight: 1, arbitrary: oneOf(seldom) });

const signals = fc.record({
  declineCode: rarely<string | null>(RETRIED_CODES, [...DECLINE_CODES, 'zz_9', null]),
  adviceCode: rarely<string | null>([null, 'try_again_later'], ['do_not_try_again', 'confirm_card_data']),
  networkDeclineCode: rarely<string | null>([null, '51', '05', 'R01', 'AM04'], ['14', '43', 'R02', 'R10']),
  networkAdviceCode: rarely<string | null>([null, null, null, '02', '24', '27', '30'], ['03', '21', '41']),
});

const foreignAttempt = fc.record({
  sameAmount: oneOf([true, true, true, false]),
  declined: oneOf([true, true, true, false]),
  networkAdviceCode: fc.oneof(
    { weight: 60, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constant('03') },
  ),
  // Visa's category 1, in the spellings that merchants send.
  networkDeclineCode: fc.oneof(
    { weight: 60, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: oneOf(['43', '7', 'r3']) },
  ),
});

/** Charges of this card before, and by another clock up to a day ahead. */
const earlier = (maxLength: number, withinMs: number) =>
  fc.array(fc.tuple(fc.integer({ min: -DAY_MS, max: withinMs }), foreignAttempt), { maxLength, size: 'max' });

const raw = fc.record({
  method: oneOf(['visa', 'visa', 'mastercard', 'mastercard', 'amex', 'us_bank_account', null]),
  signals: fc.array(signals, { minLength: 1, maxLength: 3 }),
  rows: upTo(ROWS.length - 1),
  zone: upTo(ZONES.length - 1),
  country: oneOf(COUNTRIES),
  blackout: oneOf(BLACKOUTS),
  attemptsMax: oneOf([4, 8, 8, 6, 1, 2]),
  billingCycleDay: maybe(fc.integer({ min: 1, max: 31 })),
  visaReattemptsMax: fc.integer({ min: 15, max: 20 }),
  openedMs: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2035, 11, 31) }),
  notBeforeInMs: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: upTo(20 * DAY_MS) }),
  failedAgoMs: fc.oneof(fc.constant(null), upTo(2 * DAY_MS), upTo(40 * DAY_MS)),
  deadlineMs: fc.oneof(
    fc.integer({ min: 20 * DAY_MS, max: 90 * DAY_MS }),
    fc.integer({ min: HOUR_MS, max: 20 * DAY_MS }),
  ),
  chargedInRequest: fc.boolean(),
  // Few mostly; else so many that the limits of a month, or of a day, are about full.
  before: fc.oneof(
    { weight: 12, arbitrary: earlier(6, 35 * DAY_MS) },
    { weight: 1, arbitrary: earlier(60, 35 * DAY_MS) },
    { weight: 1, arbitrary: earlier(14, DAY_MS) },
  ),
  foreign: fc.array(fc.tuple(upTo(3 * DAY_MS), foreignAttempt), { maxLength: 6 }),
  lateMs: fc.array(upTo(2 * DAY_MS), { maxLength: 4 }),
  jitter: fc.array(fc.double({ min: 0, max: 0.999_999, noNaN: true }), { minLength: 1, maxLength: 3 }),
});

type Raw = typeof raw extends fc.Arbitrary<infer T> ? T : never;

function attemptOf(one: Raw['foreign'][number][1], at: Date): SeenAttempt {
  return {
    at,
    declined: one.declined,
    amountMinor: one.sameAmount ? AMOUNT.amountMinor : 990,
    currency: AMOUNT.currency,
    networkAdviceCode: one.networkAdviceCode,
    networkDeclineCode: one.networkDeclineCode,
    ofThisDebt: false,
  };
}

function historyOf(one: Raw): History {
  const debit = one.method === 'us_bank_account';
  const brand = debit ? null : one.method;
  return {
    signals: one.signals.map((each) => ({ ...each, errorCode: null, brand })),
    paymentMethodType: debit ? one.method : null,
    policy: {
      preset: 'standard',
      rows: ROWS[one.rows] ?? OWN_ROWS,
      attemptsMax: one.attemptsMax,
      notBefore: one.notBeforeInMs === null ? null : new Date(one.openedMs + one.notBeforeInMs),
      timezone: ZONES[one.zone] ?? 'UTC',
      billingCycleDay: one.billingCycleDay,
      firstCharge: 'auto',
      bankCountry: one.country,
      blackoutHours: one.blackout,
      visaReattemptsMax: one.visaReattemptsMax,
    },
    openedMs: one.openedMs,
    failedAgoMs: one.failedAgoMs,
    deadlineMs: one.deadlineMs,
    chargedInRequest: one.chargedInRequest,
    // Some of them lie in the future: another clock than ours dated them.
    before: one.before.map(([agoMs, each]) => attemptOf(each, new Date(one.openedMs - agoMs))),
    foreign: one.foreign.map(([afterMs, each]) => ({ afterMs, attempt: attemptOf(each, new Date(0)) })),
    lateMs: one.lateMs,
    jitter: one.jitter,
  };
}

/** Random debts in every zone over ten years. */
export const history: fc.Arbitrary<History> = raw.map(historyOf);

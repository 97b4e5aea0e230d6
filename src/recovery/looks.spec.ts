import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import type { Loss } from './facts.js';
import { DAY_MS, HOUR_MS } from './local-time.js';
import { nextAuthenticationPollAt, nextBankPollAt, nextLookAt, whatNotExecutedAllows } from './looks.js';

const LOST = new Date('2026-06-03T09:00:00Z');
const after = (ms: number) => new Date(LOST.getTime() + ms);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

describe('the looks for a lost answer', () => {
  it.each([
    [0, 10 * SECOND],
    [10 * SECOND, MINUTE],
    [MINUTE, 5 * MINUTE],
    [5 * MINUTE, HOUR_MS],
    [HOUR_MS, 6 * HOUR_MS],
    [6 * HOUR_MS, DAY_MS],
    [DAY_MS, 2 * DAY_MS],
    [6.5 * DAY_MS, 7 * DAY_MS],
    [7 * DAY_MS, 14 * DAY_MS],
    [15 * DAY_MS, 21 * DAY_MS],
  ])('at age %i ms are next due at %i ms', (age, expected) => {
    expect(nextLookAt(LOST, after(age))).toEqual(after(expected));
  });

  it('never end, and always lie ahead', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000 * DAY_MS }), (age) => {
        const now = after(age);
        expect(nextLookAt(LOST, now) > now).toBe(true);
        expect(nextBankPollAt(LOST, now) > now).toBe(true);
        expect(nextLookAt(LOST, now).getTime() - now.getTime()).toBeLessThanOrEqual(7 * DAY_MS);
      }),
    );
  });
});

it.each([
  [0, DAY_MS],
  [DAY_MS, 2 * DAY_MS],
  [29.5 * DAY_MS, 30 * DAY_MS],
  [30 * DAY_MS, 37 * DAY_MS],
])('reads a payment at the bank daily for 30 days, then weekly: at %i ms next at %i ms', (age, expected) => {
  expect(nextBankPollAt(LOST, after(age))).toEqual(after(expected));
});

it.each([
  [0, HOUR_MS],
  [1.5 * HOUR_MS, 2 * HOUR_MS],
  [71.5 * HOUR_MS, 72 * HOUR_MS],
  [72 * HOUR_MS, 78 * HOUR_MS],
  [99.5 * HOUR_MS, 100 * HOUR_MS], // The deadline, before the next sixth hour.
])(
  'reads an unauthenticated payment hourly, then six-hourly, and at the deadline: at %i ms next at %i ms',
  (age, next) => {
    expect(nextAuthenticationPollAt(LOST, after(age), after(100 * HOUR_MS))).toEqual(after(next));
  },
);

describe('a look that finds no change', () => {
  it.each([
    ['lost_reply', 59 * SECOND, 0, 'look_again'],
    ['lost_reply', MINUTE, 0, 'resend_same_key'],
    ['lost_reply', MINUTE, 23 * HOUR_MS - 2 * MINUTE, 'resend_same_key'],
    ['lost_reply', MINUTE, 23 * HOUR_MS - MINUTE, 'new_attempt'],
    ['lost_reply', MINUTE, 23 * HOUR_MS, 'new_attempt'],
    ['received_5xx', 59 * SECOND, 0, 'look_again'],
    ['received_5xx', MINUTE, 0, 'new_attempt'],
  ] as [Loss, number, number, string][])(
    '%s, %i ms old, first sent %i ms before: %s',
    (loss, age, sentBefore, allowed) => {
      const facts = { loss, lostAt: LOST, firstSentAt: after(-sentBefore), now: after(age) };
      expect(whatNotExecutedAllows(facts)).toBe(allowed);
    },
  );
});

import { describe, expect, it } from '@jest/globals';

import type { Placement } from './facts.js';
import { latestEarliest, ruleOfPlacement } from './earliest.js';
import { HOUR_MS } from './local-time.js';
import type { LimitHold } from './network-limits.js';
import { rule } from './rules.js';

const NOW = new Date('2026-06-03T12:00:00Z');
const hours = (count: number) => new Date(NOW.getTime() + count * HOUR_MS);
const limit = rule('network_limit', 'visa_reattempts_30d');
const full = (freeAt: Date | null): LimitHold => ({ freeAt, rule: limit, fee: null });
const wait = (count: number) => ({ waitMs: count * HOUR_MS });
const from = (notBefore: Date | null) => ({ notBefore });

describe('what holds a charge back the longest', () => {
  it.each([
    ['nothing', null, null, null, null, null],
    ['a route without a wait', { waitMs: null }, null, null, null, null],
    ['a limit that never frees', null, full(null), null, null, null],
    ['a wait alone', wait(2), null, null, 2, 'network_wait'],
    ['a limit alone', null, full(hours(3)), null, 3, limit.name],
    ['a start of the merchant’s own alone', null, null, hours(4), 4, 'not_before'],
    ['the longest of three, the wait', wait(5), full(hours(4)), hours(3), 5, 'network_wait'],
    ['the longest of three, the limit', wait(3), full(hours(5)), hours(4), 5, limit.name],
    ['the longest of three, the start', wait(4), full(hours(3)), hours(5), 5, 'not_before'],
    ['equal instants: the wait', wait(5), full(hours(5)), hours(5), 5, 'network_wait'],
    ['equal instants: the limit before the start', null, full(hours(5)), hours(5), 5, limit.name],
  ] as const)('%s', (_, route, hold, notBefore, after, name) => {
    const earliest = latestEarliest(route, NOW, hold, from(notBefore));
    expect(earliest && { at: earliest.at, name: earliest.rule.name }).toEqual(
      after === null ? null : { at: hours(after), name },
    );
  });

  it('counts the wait from the decline', () => {
    expect(latestEarliest(wait(5), hours(-2), null, from(null))?.at).toEqual(hours(3));
  });
});

describe('the rule of a placed charge', () => {
  const otherwise = rule('scheduled', 'funds');
  const placed = (slot: number, earliest: number): Placement => ({
    slotMs: hours(slot).getTime(),
    earliestMs: hours(earliest).getTime(),
    localMs: 0,
    paydayMs: 0,
    openMs: 0,
    wantedMs: 0,
    plainMs: 0,
    lastMs: 0,
  });
  const held = { at: hours(5), rule: limit };

  it.each([
    ['what moved it beyond its slot', held, placed(4, 5), limit.name],
    ['the schedule, where the slot is as late', held, placed(5, 5), otherwise.name],
    ['the schedule, where the slot is later', held, placed(6, 6), otherwise.name],
    ['the schedule, where the gap is later still', held, placed(4, 7), otherwise.name],
    ['the schedule, where nothing holds it back', null, placed(4, 5), otherwise.name],
    ['the end’s own rule, where nothing was placed', held, null, otherwise.name],
  ] as const)('is %s', (_, earliest, placement, name) => {
    expect(ruleOfPlacement(earliest, placement, otherwise).name).toBe(name);
  });
});

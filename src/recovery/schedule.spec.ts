import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import type { Policy, RoundFacts } from './facts.js';
import { DAY_MS, HOUR_MS, wallAt } from './local-time.js';
import { attemptsRemaining, defaultDeadline, isFirstSlotAhead, nextCharge } from './schedule.js';
import { GROUPS, PRESETS, TABLES } from './tables.js';

const OPENED = new Date('2026-06-03T12:00:00Z'); // A Wednesday.

function policyWith(parts: Partial<Policy> = {}): Policy {
  return {
    preset: 'standard',
    rows: TABLES.schedules.standard,
    attemptsMax: 4,
    notBefore: null,
    timezone: 'UTC',
    billingCycleDay: null,
    firstCharge: 'auto',
    ...parts,
  };
}

function roundWith(parts: Partial<RoundFacts> = {}): RoundFacts {
  const openedAt = parts.openedAt ?? OPENED;
  return {
    anchorAt: openedAt,
    openedAt,
    deadlineAt: defaultDeadline(openedAt),
    scheduledTaken: 0,
    chargesMade: 0,
    lastAttemptAt: null,
    ...parts,
  };
}

const hours = (count: number) => new Date(OPENED.getTime() + count * HOUR_MS);
const at = (now = OPENED, earliestAt: Date | null = null, jitter = 0) => ({ now, earliestAt, jitter });
const due = (next: ReturnType<typeof nextCharge>) => (next.kind === 'due' ? next.dueAt.toISOString() : next.endReason);

describe('the next charge', () => {
  it('is the first slot, on the next morning, on the next payday', () => {
    // 72 h: Saturday 12:00, so Sunday 10:00; no payday within four days before the next Friday but one.
    expect(due(nextCharge(policyWith(), 'funds', roundWith(), at()))).toBe('2026-06-07T10:00:00.000Z');
    const monday = new Date('2026-06-08T09:00:00Z');
    const next = nextCharge(policyWith(), 'funds', roundWith({ openedAt: monday }), at(monday));
    expect(due(next)).toBe('2026-06-12T10:00:00.000Z'); // Thursday 10:00, on to Friday.
  });

  it('waits for the merchant’s billing cycle day in place of Friday', () => {
    const monday = new Date('2026-06-08T09:00:00Z');
    const next = nextCharge(policyWith({ billingCycleDay: 13 }), 'funds', roundWith({ openedAt: monday }), at(monday));
    expect(due(next)).toBe('2026-06-13T10:00:00.000Z');
  });

  it('waits for the last day on which the banks of the card’s country work', () => {
    const thursday = new Date('2027-05-27T09:00:00Z');
    const dueIn = (bankCountry: string | null) =>
      due(nextCharge(policyWith({ bankCountry }), 'funds', roundWith({ openedAt: thursday }), at(thursday)));
    // Sunday the 30th. Memorial Day is the last Monday of May: American banks worked last on Friday, so the 1st is next.
    expect(dueIn(null)).toBe('2027-05-31T10:00:00.000Z');
    expect(dueIn('US')).toBe('2027-06-01T10:00:00.000Z');
  });

  it('is named after its group', () => {
    expect(nextCharge(policyWith(), 'funds', roundWith(), at()).rule.name).toBe('scheduled:funds');
  });

  it('may fall on the very hour before the deadline, with its shift or without, and not a millisecond later', () => {
    const shifted = Date.parse('2026-06-12T10:00:00.000Z');
    const plain = Date.parse('2026-06-11T10:00:00.000Z');
    const monday = new Date('2026-06-08T09:00:00Z');
    const endingAt = (lastMs: number) => {
      const deadlineAt = new Date(lastMs + HOUR_MS);
      return due(nextCharge(policyWith(), 'funds', roundWith({ openedAt: monday, deadlineAt }), at(monday)));
    };
    expect(endingAt(shifted)).toBe('2026-06-12T10:00:00.000Z');
    expect(endingAt(shifted - 1)).toBe('2026-06-11T10:00:00.000Z');
    expect(endingAt(plain)).toBe('2026-06-11T10:00:00.000Z');
    expect(endingAt(plain - 1)).toBe('exhausted');
  });

  it('takes the slots of the group one after another', () => {
    const policy = policyWith();
    const taken = [0, 1, 2].map((scheduledTaken) =>
      due(nextCharge(policy, 'limit', roundWith({ scheduledTaken, chargesMade: scheduledTaken }), at())),
    );
    expect(taken).toEqual(['2026-06-07T10:00:00.000Z', '2026-06-12T10:00:00.000Z', '2026-06-19T10:00:00.000Z']);
  });

  it('keeps the gap after the last attempt', () => {
    const policy = policyWith({ preset: 'fast', rows: TABLES.schedules.fast });
    const round = roundWith({ lastAttemptAt: hours(9), scheduledTaken: 1, chargesMade: 1 });
    expect(due(nextCharge(policy, 'ambiguous', round, at(hours(9))))).toBe(hours(13).toISOString()); // Not 10 h.
  });

  it('is never before notBefore, a network’s wait or now', () => {
    const policy = policyWith({ preset: 'fast', rows: TABLES.schedules.fast, notBefore: hours(30) });
    expect(due(nextCharge(policy, 'ambiguous', roundWith(), at()))).toBe(hours(30).toISOString());
    expect(due(nextCharge(policy, 'ambiguous', roundWith(), at(OPENED, hours(40))))).toBe(hours(40).toISOString());
    expect(due(nextCharge(policy, 'ambiguous', roundWith(), at(hours(50))))).toBe(hours(50).toISOString());
  });

  it('adds minutes of jitter after the hour, or a share of the way from the last attempt', () => {
    const standard = nextCharge(policyWith(), 'technical', roundWith(), at(OPENED, null, 0.5));
    expect(due(standard)).toBe('2026-06-04T10:22:30.000Z');
    const fast = policyWith({ preset: 'fast', rows: TABLES.schedules.fast });
    const round = roundWith({ lastAttemptAt: OPENED });
    expect(due(nextCharge(fast, 'ambiguous', round, at(OPENED, null, 0.5)))).toBe(hours(5.5).toISOString());
  });

  it('drops slots that had passed at acceptance, the last of them counting as due now', () => {
    const failedAt = hours(-200); // 72 and 168 have passed; 288 and 432 remain.
    const round = roundWith({ anchorAt: failedAt, lastAttemptAt: failedAt });
    const first = nextCharge(policyWith(), 'funds', round, at());
    expect(first).toMatchObject({ kind: 'due', slotHours: 168 });
    expect(due(first)).toBe('2026-06-05T10:00:00.000Z'); // Due now: the next morning, on to Friday.
    expect(attemptsRemaining(policyWith(), 'funds', round)).toBe(3);
    const second = { ...round, scheduledTaken: 1, chargesMade: 1 };
    expect(nextCharge(policyWith(), 'funds', second, at())).toMatchObject({ slotHours: 288 });
  });

  it('counts a slot that falls on the very opening as passed', () => {
    const round = roundWith({ anchorAt: hours(-168), lastAttemptAt: OPENED, chargesMade: 1 });
    expect(nextCharge(policyWith(), 'funds', round, at())).toMatchObject({ slotHours: 288 });
  });

  it('gives the slot that counts as due now to the charge in the request', () => {
    const round = roundWith({ anchorAt: hours(-60), lastAttemptAt: OPENED, chargesMade: 1 });
    expect(nextCharge(policyWith(), 'ambiguous', round, at())).toMatchObject({ slotHours: 120 });
    expect(attemptsRemaining(policyWith(), 'ambiguous', round)).toBe(3);
  });

  it.each([
    ['attempts are spent', { chargesMade: 4, scheduledTaken: 3 }, 'exhausted', 'attempts_spent'],
    ['no slot is left', { chargesMade: 2, scheduledTaken: 2 }, 'exhausted', 'no_slot_left'],
    ['nothing fits', { deadlineAt: hours(100) }, 'exhausted', 'nothing_fits'],
    ['the deadline has passed', { deadlineAt: OPENED }, 'deadline', 'deadline_passed'],
  ] as const)('ends the round when %s', (_, parts, endReason, name) => {
    const next = nextCharge(policyWith(), 'debit', roundWith(parts), at());
    expect(next).toMatchObject({ kind: 'none', endReason, rule: { name } });
  });

  it('takes a charge without shift and jitter where these would carry it past the last hour', () => {
    // Thursday 10:00 would go on to Friday 10:00, after the deadline's last hour.
    const monday = new Date('2026-06-08T09:00:00Z');
    const round = roundWith({ openedAt: monday, deadlineAt: new Date('2026-06-11T11:10:00Z') });
    expect(due(nextCharge(policyWith(), 'funds', round, at(monday, null, 0.9)))).toBe('2026-06-11T10:00:00.000Z');
    const tight = { ...round, deadlineAt: new Date('2026-06-11T10:59:00Z') };
    expect(due(nextCharge(policyWith(), 'funds', tight, at(monday)))).toBe('exhausted');
  });

  it('leaves bank debits two re-presentments, days apart', () => {
    const round = roundWith({ chargesMade: 1, lastAttemptAt: OPENED });
    expect(attemptsRemaining(policyWith(), 'debit', round)).toBe(2);
    expect(due(nextCharge(policyWith(), 'debit', round, at()))).toBe(hours(120).toISOString());
  });

  it('counts what remains as the smaller of attempts and slots, and nothing without a group', () => {
    expect(attemptsRemaining(policyWith(), 'funds', roundWith())).toBe(4);
    expect(attemptsRemaining(policyWith({ attemptsMax: 2 }), 'funds', roundWith({ chargesMade: 1 }))).toBe(1);
    expect(attemptsRemaining(policyWith({ attemptsMax: 8 }), 'funds', roundWith({ chargesMade: 1 }))).toBe(4);
    expect(attemptsRemaining(policyWith(), 'funds', roundWith({ chargesMade: 6, scheduledTaken: 5 }))).toBe(0);
    expect(attemptsRemaining(policyWith(), null, roundWith())).toBe(0);
  });

  it('knows whether the first slot is still ahead', () => {
    const row = TABLES.schedules.standard.ambiguous;
    expect(isFirstSlotAhead(row, hours(-47), OPENED)).toBe(true);
    expect(isFirstSlotAhead(row, hours(-48), OPENED)).toBe(false);
  });
});

describe('whatever the history', () => {
  const history = fc.record({
    preset: fc.constantFrom(...PRESETS),
    group: fc.constantFrom(...GROUPS),
    attemptsMax: fc.integer({ min: 1, max: 8 }),
    timezone: fc.constantFrom('UTC', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kolkata'),
    billingCycleDay: fc.option(fc.integer({ min: 1, max: 31 }), { nil: null }),
    openedMs: fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2030, 0, 1) }),
    anchorAgoMs: fc.integer({ min: 0, max: 30 * DAY_MS }),
    passedMs: fc.integer({ min: 0, max: 25 * DAY_MS }),
    lastAgoMs: fc.option(fc.integer({ min: 0, max: 5 * DAY_MS }), { nil: null }),
    deadlineDays: fc.integer({ min: 1, max: 90 }),
    earliestInMs: fc.option(fc.integer({ min: 0, max: 12 * DAY_MS }), { nil: null }),
    notBeforeInMs: fc.option(fc.integer({ min: -DAY_MS, max: 12 * DAY_MS }), { nil: null }),
    scheduledTaken: fc.integer({ min: 0, max: 4 }),
    inRequest: fc.integer({ min: 0, max: 1 }),
    jitter: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
  });

  function facts(one: typeof history extends fc.Arbitrary<infer T> ? T : never) {
    const now = new Date(one.openedMs + one.passedMs);
    const round: RoundFacts = {
      anchorAt: new Date(one.openedMs - one.anchorAgoMs),
      openedAt: new Date(one.openedMs),
      deadlineAt: new Date(one.openedMs + one.deadlineDays * DAY_MS),
      scheduledTaken: one.scheduledTaken,
      chargesMade: one.scheduledTaken + one.inRequest,
      lastAttemptAt: one.lastAgoMs === null ? null : new Date(now.getTime() - one.lastAgoMs),
    };
    const policy = policyWith({
      preset: one.preset,
      rows: TABLES.schedules[one.preset],
      attemptsMax: one.attemptsMax,
      timezone: one.timezone,
      billingCycleDay: one.billingCycleDay,
      notBefore: one.notBeforeInMs === null ? null : new Date(now.getTime() + one.notBeforeInMs),
    });
    const earliestAt = one.earliestInMs === null ? null : new Date(now.getTime() + one.earliestInMs);
    return { now, round, policy, earliestAt };
  }

  it('comes after the gap, the earliest times and now, and an hour before the deadline', () => {
    fc.assert(
      fc.property(history, (one) => {
        const { now, round, policy, earliestAt } = facts(one);
        const next = nextCharge(policy, one.group, round, { now, earliestAt, jitter: one.jitter });
        if (next.kind === 'none') return;
        const dueMs = next.dueAt.getTime();
        const row = policy.rows[one.group];
        expect(dueMs).toBeLessThanOrEqual(round.deadlineAt.getTime() - HOUR_MS);
        expect(dueMs).toBeGreaterThanOrEqual(now.getTime());
        if (earliestAt) expect(dueMs).toBeGreaterThanOrEqual(earliestAt.getTime());
        if (policy.notBefore) expect(dueMs).toBeGreaterThanOrEqual(policy.notBefore.getTime());
        if (round.lastAttemptAt) {
          expect(dueMs).toBeGreaterThanOrEqual(round.lastAttemptAt.getTime() + row.gapHours * HOUR_MS);
        }
        expect(attemptsRemaining(policy, one.group, round)).toBeGreaterThan(0);
      }),
      { numRuns: 20_000 },
    );
  });

  it('lies within jitter of the local hour where the group has one', () => {
    fc.assert(
      fc.property(history, (one) => {
        const { now, round, policy, earliestAt } = facts({ ...one, preset: 'standard', group: 'funds' });
        const next = nextCharge(policy, 'funds', round, { now, earliestAt, jitter: one.jitter });
        if (next.kind === 'none') return;
        expect(new Date(wallAt(next.dueAt.getTime(), policy.timezone)).getUTCHours()).toBe(10);
      }),
      { numRuns: 5_000 },
    );
  });

  it('never comes earlier for a later last attempt, without jitter', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 0, max: 3 * DAY_MS }), (one, laterMs) => {
        const { now, round, policy, earliestAt } = facts({ ...one, billingCycleDay: null });
        const moment = { now, earliestAt, jitter: 0 };
        const rows = { ...policy.rows, [one.group]: { ...policy.rows[one.group], paydayShift: false } };
        const last = round.lastAttemptAt ?? now;
        const before = nextCharge({ ...policy, rows }, one.group, { ...round, lastAttemptAt: last }, moment);
        const moved = { ...round, lastAttemptAt: new Date(last.getTime() + laterMs) };
        const after = nextCharge({ ...policy, rows }, one.group, moved, moment);
        if (before.kind === 'due' && after.kind === 'due') {
          expect(after.dueAt.getTime()).toBeGreaterThanOrEqual(before.dueAt.getTime());
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

import { describe, expect, it } from '@jest/globals';

import { decideHeldCharge, type HeldFacts } from './decide.js';
import { DAY_MS, HOUR_MS } from './local-time.js';
import { snapshotPolicy } from './policy.js';
import { defaultDeadline } from './schedule.js';

const NOW = new Date('2026-06-03T09:00:00Z');
const after = (ms: number) => new Date(NOW.getTime() + ms);
const RULE = { name: 'network_limit:mastercard_declines_24h', source: 'the table' };

const held = (freeAt: Date | null, parts: Partial<HeldFacts> = {}): HeldFacts => ({
  hold: { freeAt, rule: RULE, fee: null },
  route: null,
  scheduled: true,
  policy: snapshotPolicy({
    request: null,
    client: { policy: null, timezone: 'UTC', billingCycleDay: null },
    cardCountry: null,
  }),
  round: {
    anchorAt: after(-3 * DAY_MS),
    openedAt: after(-3 * DAY_MS),
    deadlineAt: defaultDeadline(after(-3 * DAY_MS)),
    scheduledTaken: 0,
    chargesMade: 1,
    lastAttemptAt: after(-3 * DAY_MS),
  },
  now: NOW,
  jitter: 0,
  fallbackLeft: false,
  ...parts,
});

describe('a charge that is due while a limit of the network is full', () => {
  it('waits as a slot does: for the first payday and local hour after the limit frees', () => {
    const decision = decideHeldCharge(held(after(5 * HOUR_MS)));
    // The third is a Wednesday; Friday is the next payday.
    expect(decision).toMatchObject({ kind: 'retry', dueAt: new Date('2026-06-05T10:00:00Z'), rule: RULE });
  });

  it('asked for by hand, or of a new card, waits for the limit alone', () => {
    const decision = decideHeldCharge(held(after(5 * HOUR_MS), { scheduled: false }));
    expect(decision).toMatchObject({ kind: 'retry', dueAt: after(5 * HOUR_MS), rule: RULE });
  });

  it('asked for by hand is told as one attempt more at least, where the slots leave none', () => {
    const command = held(after(5 * HOUR_MS), { scheduled: false });
    expect(decideHeldCharge(command)).toMatchObject({ attemptsRemaining: 3 });
    const spent = { ...command, round: { ...command.round, chargesMade: command.policy.attemptsMax } };
    expect(decideHeldCharge(spent)).toMatchObject({ kind: 'retry', attemptsRemaining: 1 });
  });

  it('asked for by hand, and free only at the very deadline, ends', () => {
    const command = held(defaultDeadline(after(-3 * DAY_MS)), { scheduled: false });
    expect(decideHeldCharge(command)).toMatchObject({ kind: 'failed', endReason: 'exhausted' });
  });

  it.each([true, false])('a limit that never frees ends it; scheduled %s', (scheduled) => {
    expect(decideHeldCharge(held(null, { scheduled }))).toEqual({
      kind: 'failed',
      endReason: 'hard_decline',
      detail: null,
      rule: RULE,
    });
  });

  it('a limit that frees after the deadline ends it now', () => {
    for (const scheduled of [true, false]) {
      const decision = decideHeldCharge(held(after(40 * DAY_MS), { scheduled }));
      expect(decision).toMatchObject({ kind: 'failed', endReason: 'exhausted', rule: RULE });
    }
  });

  it.each([null, after(40 * DAY_MS)])('another consented card is charged instead: free at %s', (freeAt) => {
    expect(decideHeldCharge(held(freeAt, { fallbackLeft: true })).kind).toBe('fallback');
  });

  it('not past the attempts of the round', () => {
    const spent = held(null, { fallbackLeft: true });
    const decision = decideHeldCharge({ ...spent, round: { ...spent.round, chargesMade: spent.policy.attemptsMax } });
    expect(decision.kind).toBe('failed');
  });
});

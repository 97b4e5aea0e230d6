import { describe, expect, it } from '@jest/globals';

import { alertsOf, type Fact, isParkedOver, isUnknownOver, reconcile } from './rules.js';

const NOW = new Date('2026-11-21T12:00:00Z');
const ago = (ms: number) => new Date(NOW.getTime() - ms);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ENDED: Fact = {
  kind: 'recovery_ended',
  outcome: 'failed',
  eventId: 'evt_1',
  transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
  amountMinor: 2_500,
  currency: 'USD',
  bucket: 'hard',
  declineCode: 'expired_card',
  endReason: 'hard_decline',
};
const charges = (lastHour: [number, number], before: [number, number]): Fact => ({
  kind: 'charges',
  lastHour: { charges: lastHour[0], declined: lastHour[1] },
  before: { charges: before[0], declined: before[1] },
});

describe('alertsOf', () => {
  it('tells a failed and a blocked recovery with what it was about', () => {
    const [failed] = alertsOf(ENDED, NOW);
    expect(failed).toEqual({
      kind: 'recovery_failed',
      severity: 'info',
      facts: {
        transactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
        amount: 2_500,
        currency: 'USD',
        bucket: 'hard',
        declineCode: 'expired_card',
        endReason: 'hard_decline',
      },
      dedupeKey: 'recovery_ended:evt_1',
    });
    expect(alertsOf({ ...ENDED, outcome: 'blocked' }, NOW)).toMatchObject([{ kind: 'recovery_blocked' }]);
  });

  it.each([
    [23 * HOUR_MS, []],
    [DAY_MS, ['warning']],
    [3 * DAY_MS, ['warning', 'warning']],
    [5 * DAY_MS, ['warning', 'warning', 'critical']],
  ])('tells an endpoint that has failed for %d ms on days 1, 3 and 5', (ageMs, severities) => {
    const alerts = alertsOf({ kind: 'endpoint_failing', endpointId: 'we_1', since: ago(ageMs) }, NOW);
    expect(alerts.map(({ severity }) => severity)).toEqual(severities);
    expect(new Set(alerts.map(({ dedupeKey }) => dedupeKey)).size).toBe(alerts.length);
  });

  it('tells a disabled endpoint at once', () => {
    const fact: Fact = { kind: 'endpoint_disabled', endpointId: 'we_1', reason: 'gone' };
    expect(alertsOf(fact, NOW)).toMatchObject([{ kind: 'webhook_endpoint_disabled', severity: 'critical' }]);
  });

  it.each([
    ['far above the usual rate', charges([100, 80], [10_000, 2_000]), 1],
    ['at the usual rate', charges([100, 22], [10_000, 2_000]), 0],
    ['above by chance', charges([20, 9], [10_000, 3_000]), 0],
    ['significant and too little to matter', charges([100_000, 22_000], [1_000_000, 200_000]), 0],
    ['of too few charges', charges([19, 19], [10_000, 1_000]), 0],
    ['of a client that is too new', charges([100, 90], [199, 10]), 0],
    ['of a client that was never declined', charges([40, 30], [1_000, 0]), 1],
    ['of silence', charges([0, 0], [0, 0]), 0],
  ])('an hour %s', (_, fact, count) => {
    expect(alertsOf(fact, NOW)).toHaveLength(count);
  });

  it.each([
    [0, null, 0],
    [3, ago(4 * 60_000), 0],
    [3, ago(5 * 60_000), 1],
  ])('%d late retries, the oldest due at %s', (late, oldestDueAt, count) => {
    expect(alertsOf({ kind: 'queue', late, oldestDueAt }, NOW)).toHaveLength(count);
  });
});

describe('reconcile', () => {
  it('raises what is new, leaves what is open, resolves what is over', () => {
    const draft = { kind: 'queue_behind' as const, severity: 'critical' as const, facts: {} };
    const seen = [
      { ...draft, dedupeKey: 'new' },
      { ...draft, dedupeKey: 'open' },
    ];
    expect(reconcile([{ dedupeKey: 'open' }, { dedupeKey: 'over' }], seen)).toEqual({
      raise: [seen[0]],
      resolve: ['over'],
    });
  });
});

describe('isUnknownOver', () => {
  it.each([
    ['reconciling', false],
    ['in_progress', false],
    ['succeeded', true],
    ['queued', true],
    ['failed', true],
    [null, true],
  ] as const)('in the state %s: %s', (state, over) => {
    expect(isUnknownOver(state)).toBe(over);
  });
});

describe('isParkedOver', () => {
  it.each([
    [5, false],
    [6, false],
    [4, true],
    [0, true],
    [null, true],
  ])('after %s failures in a row: %s', (failures, over) => {
    expect(isParkedOver(failures)).toBe(over);
  });
});

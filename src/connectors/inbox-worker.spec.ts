import { describe, expect, it } from '@jest/globals';

import type { ClaimedEvent } from './inbound-event.js';
import { afterTry, TRIES_MAX } from './inbox-schedule.js';
import { bySubject, settledOf } from './inbox-worker.js';

const now = new Date('2026-11-21T12:00:00Z');
const event = (more: Partial<ClaimedEvent> = {}): ClaimedEvent => ({
  ...{ clientId: 'cli_1', platform: 'stripe-billing', eventId: 'evt_1', type: 'invoice.paid', subject: 'in_1' },
  ...{ facts: {}, said: 'aa', tries: 1, leaseToken: 1, receivedAt: now },
  ...more,
});

describe('events of one claim', () => {
  it('are worked together by client and subject', () => {
    const groups = bySubject([
      event(),
      event({ eventId: 'evt_2', subject: 'in_2' }),
      event({ eventId: 'evt_3' }),
      event({ eventId: 'evt_4', clientId: 'cli_2' }),
    ]);
    expect(groups.map((group) => group.map(({ eventId }) => eventId))).toEqual([
      ['evt_1', 'evt_3'],
      ['evt_2'],
      ['evt_4'],
    ]);
  });

  it('that say the same are told apart from the first', () => {
    const group = [event(), event({ eventId: 'evt_2' }), event({ eventId: 'evt_3', said: 'bb' })];
    const settled = settledOf(group, { kind: 'done', outcome: 'looked' }, now);
    expect(settled.map(({ outcome }) => outcome)).toEqual(['looked', 'duplicate', 'looked']);
  });

  it('that can not be worked now stay pending, each by its own tries', () => {
    const group = [event(), event({ eventId: 'evt_2', tries: TRIES_MAX + 1 })];
    const [fresh, old] = settledOf(group, { kind: 'again', reason: 'silent' }, now);
    expect(fresh).toMatchObject({ status: 'pending', dueAt: new Date('2026-11-21T12:00:01Z'), parkedAt: null });
    expect(old).toMatchObject({ status: 'pending', dueAt: new Date('2026-11-21T13:00:00Z'), parkedAt: now });
  });
});

describe('the tries of one event', () => {
  it('grow apart, and never end', () => {
    const delays = Array.from(
      { length: 20 },
      (_, n) => afterTry(n + 1, now, undefined).dueAt.getTime() - now.getTime(),
    );
    expect([...delays].sort((a, b) => a - b)).toEqual(delays);
    expect(delays.at(-1)).toBe(3_600_000);
  });

  it('wait as long as is asked for', () => {
    expect(afterTry(1, now, 60_000).dueAt).toEqual(new Date('2026-11-21T12:01:00Z'));
  });
});

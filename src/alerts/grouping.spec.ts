import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import type { Channel, Lifecycle, Severity } from './alert.js';
import {
  type ChannelRules,
  DIGEST_KEY,
  dueAt,
  flush,
  GROUP_INTERVAL_MS,
  GROUP_WAIT_MS,
  type GroupState,
  newGroup,
  type Notification,
  raise,
  REPEAT_INTERVAL_MS,
  resolve,
} from './grouping.js';
import { takeOver } from './take-over.js';

const START_MS = Date.UTC(2026, 10, 21, 10);
const HOUR_MS = 3_600_000;
const at = (ms: number) => new Date(START_MS + ms);
const RULES: ChannelRules = {
  zone: 'UTC',
  quiet: null,
  digestHour: 8,
  hourlyCap: 12,
  keptForCritical: 3,
  merges: true,
};

/** One channel's groups, told as time goes on. */
class Channels {
  groups = new Map<string, GroupState>();
  told: { atMs: number; notification: Notification }[] = [];
  private nowMs = 0;
  private numbers = 0;
  private ids = 0;

  constructor(
    private readonly rules: ChannelRules = RULES,
    private readonly channel: Channel = 'EMAIL',
  ) {}

  raise(atMs: number, key = 'late_success', lifecycle: Lifecycle = 'point', severity: Severity = 'warning'): number {
    this.nowMs = Math.max(this.nowMs, atMs);
    const number = ++this.numbers;
    const place = { channel: this.channel, key, kind: key, subject: null };
    const group = this.groups.get(key) ?? newGroup(place, number - 1);
    this.groups.set(key, raise(group, { number, severity, lifecycle }, at(atMs)));
    return number;
  }

  resolve(atMs: number, key: string, number: number): void {
    const group = this.groups.get(key);
    if (group) this.groups.set(key, resolve(group, number, at(atMs)));
  }

  /** Looks whenever something is due, until the given time. */
  runUntil(untilMs: number): void {
    for (let look = this.nextMs(); look !== null && look <= untilMs; look = this.nextMs()) this.look(look);
  }

  /** When a look would find something to tell. */
  nextMs(): number | null {
    const states = [...this.groups.values()];
    const dues = states.flatMap((group) => dueAt(group, this.rules)?.getTime() ?? []);
    if (dues.length === 0) return null;
    const first = Math.max(this.nowMs, Math.min(...dues) - START_MS);
    const { notifications, dueAt: next } = this.flushAt(first);
    return notifications.length > 0 ? first : next && next.getTime() - START_MS;
  }

  look(atMs: number): Notification[] {
    this.nowMs = Math.max(this.nowMs, atMs);
    const { notifications, groups } = this.flushAt(atMs);
    for (const group of groups) this.groups.set(group.key, group);
    for (const notification of notifications) this.told.push({ atMs, notification });
    return notifications;
  }

  timesOf(key: string): number[] {
    return this.told
      .filter(({ notification }) => notification.parts.some((part) => part.key === key))
      .map(({ atMs }) => atMs);
  }

  private flushAt(atMs: number) {
    const sentAt = this.told.map((each) => at(each.atMs));
    return flush([...this.groups.values()], sentAt, this.rules, at(atMs), () => `n${++this.ids}`);
  }
}

describe('one group', () => {
  it('waits half a minute for others like it, then tells them together', () => {
    const channels = new Channels();
    for (const atMs of [0, 5_000, 29_000]) channels.raise(atMs);
    channels.runUntil(HOUR_MS);
    expect(channels.told.map(({ atMs, notification }) => [atMs, notification.parts])).toEqual([
      [GROUP_WAIT_MS, [expect.objectContaining({ purpose: 'firing', afterNumber: 0, upToNumber: 3 })]],
    ]);
  });

  it('tells what comes later five minutes after the last time at the soonest', () => {
    const channels = new Channels();
    channels.raise(0);
    channels.runUntil(GROUP_WAIT_MS);
    channels.raise(40_000);
    channels.runUntil(HOUR_MS);
    channels.raise(HOUR_MS);
    channels.runUntil(2 * HOUR_MS);
    expect(channels.timesOf('late_success')).toEqual([
      GROUP_WAIT_MS,
      GROUP_WAIT_MS + GROUP_INTERVAL_MS,
      HOUR_MS + GROUP_WAIT_MS,
    ]);
  });

  it('repeats what lasts every four hours, tells its end, and is silent then', () => {
    const channels = new Channels();
    const number = channels.raise(0, 'credentials_refused', 'lasting', 'critical');
    channels.runUntil(9 * HOUR_MS);
    channels.resolve(9 * HOUR_MS, 'credentials_refused', number);
    channels.runUntil(48 * HOUR_MS);
    const purposes = channels.told.map(({ atMs, notification }) => [atMs, notification.parts[0]?.purpose]);
    expect(purposes).toEqual([
      [GROUP_WAIT_MS, 'firing'],
      [GROUP_WAIT_MS + REPEAT_INTERVAL_MS, 'repeat'],
      [GROUP_WAIT_MS + 2 * REPEAT_INTERVAL_MS, 'repeat'],
      [9 * HOUR_MS, 'resolved'],
    ]);
    const threads = new Set(channels.told.map(({ notification }) => notification.threadId));
    expect([...threads]).toEqual([channels.told[0]?.notification.id]);
  });

  it('says nothing of what was over before anybody was told', () => {
    const channels = new Channels();
    const number = channels.raise(0, 'queue_behind', 'lasting', 'critical');
    channels.resolve(10_000, 'queue_behind', number);
    channels.runUntil(48 * HOUR_MS);
    expect(channels.told).toEqual([]);
  });

  it('never repeats what is over by itself', () => {
    const channels = new Channels();
    channels.raise(0);
    channels.runUntil(72 * HOUR_MS);
    expect(channels.told).toHaveLength(1);
  });
});

describe('quiet hours', () => {
  const quiet = { ...RULES, quiet: { fromMinute: 9 * 60, toMinute: 12 * 60 } };

  it('hold back what can wait, until they end', () => {
    const channels = new Channels(quiet);
    channels.raise(0);
    channels.runUntil(24 * HOUR_MS);
    expect(channels.timesOf('late_success')).toEqual([2 * HOUR_MS]);
  });

  it('do not hold back what is critical', () => {
    const channels = new Channels(quiet);
    channels.raise(0, 'paid_twice', 'point', 'critical');
    channels.runUntil(24 * HOUR_MS);
    expect(channels.timesOf('paid_twice')).toEqual([GROUP_WAIT_MS]);
  });
});

describe('the hourly cap', () => {
  it('merges what finds no room into the last message that does, and names every group in it', () => {
    const channels = new Channels();
    for (let index = 0; index < 20; index += 1) channels.raise(0, `kind_${index}`);
    channels.runUntil(HOUR_MS / 2);
    expect(channels.told).toHaveLength(9);
    expect(channels.told.at(-1)?.notification.parts).toHaveLength(12);
    const named = channels.told.flatMap(({ notification }) => notification.parts.map(({ key }) => key));
    expect(new Set(named).size).toBe(20);
    expect(named).toHaveLength(20);
  });

  it('keeps room for what is critical', () => {
    const channels = new Channels();
    for (let index = 0; index < 9; index += 1) channels.raise(0, `kind_${index}`);
    channels.runUntil(GROUP_WAIT_MS);
    channels.raise(60_000, 'later');
    channels.raise(60_000, 'paid_twice', 'point', 'critical');
    channels.runUntil(10 * 60_000);
    // What had no room of its own rides along.
    expect(channels.told.at(-1)).toMatchObject({
      atMs: 90_000,
      notification: { parts: [{ key: 'paid_twice' }, { key: 'later' }] },
    });
  });

  it('lets the alerts of a pager wait instead, for each is an incident of its own', () => {
    const channels = new Channels({ ...RULES, merges: false, hourlyCap: 2, keptForCritical: 0 }, 'PAGERDUTY');
    for (let index = 0; index < 5; index += 1) channels.raise(0, `kind_${index}`, 'point', 'critical');
    channels.runUntil(4 * HOUR_MS);
    expect(channels.told.map(({ notification }) => notification.parts.length)).toEqual([1, 1, 1, 1, 1]);
  });

  it.each([
    ['EMAIL', RULES, 13],
    ['SMS', { ...RULES, hourlyCap: 2, keptForCritical: 1 }, 2],
  ] as const)(
    '10,000 failures in an hour make few messages by %s, and nothing is missing from them',
    (channel, rules, most) => {
      const channels = new Channels(rules, channel);
      for (let index = 0; index < 10_000; index += 1) {
        const atMs = index * 360;
        channels.runUntil(atMs);
        channels.raise(atMs, 'recovery_failed', 'point', 'info');
      }
      channels.runUntil(3 * HOUR_MS);
      expect(channels.told.length).toBeLessThanOrEqual(most);
      const ranges = channels.told.flatMap(({ notification }) => notification.parts);
      expect(ranges[0]?.afterNumber).toBe(0);
      expect(ranges.at(-1)?.upToNumber).toBe(10_000);
      ranges.slice(1).forEach((range, index) => expect(range.afterNumber).toBe(ranges[index]?.upToNumber));
    },
  );
});

describe('a channel that takes over', () => {
  it('tells what the other could not, and why', () => {
    const [from, to] = [new Channels(), new Channels(RULES, 'WEBHOOK')];
    from.raise(0);
    const [failed] = from.look(GROUP_WAIT_MS);
    const part = failed?.parts[0];
    if (!part) throw new Error('nothing was told');
    const place = { channel: 'WEBHOOK' as const, key: part.key, kind: part.kind, subject: null };
    const undelivered = { part, count: 1, open: 0, reason: 'EMAIL: SMTP 550' };
    to.groups.set(part.key, takeOver(newGroup(place, part.afterNumber), undelivered, at(60_000)));
    to.runUntil(HOUR_MS);
    expect(to.told).toMatchObject([
      { atMs: 90_000, notification: { parts: [{ afterNumber: 0, upToNumber: 1, tookOver: ['EMAIL: SMTP 550'] }] } },
    ]);
  });
});

describe('what goes on, where a channel takes it over', () => {
  const part = {
    key: 'credentials_refused',
    kind: 'credentials_refused',
    subject: null,
    severity: 'critical' as const,
    purpose: 'repeat' as const,
    afterNumber: 0,
    upToNumber: 2,
    tookOver: [],
  };
  const place = { channel: 'SLACK' as const, key: part.key, kind: part.kind, subject: null };

  it('is news there, and open beside what was open there before', () => {
    const channels = new Channels(RULES, 'SLACK');
    const own = raise(newGroup(place, 0), { number: 1, severity: 'critical', lifecycle: 'lasting' }, at(0));
    channels.groups.set(part.key, own);
    channels.runUntil(GROUP_WAIT_MS);
    const told = channels.groups.get(part.key);
    if (!told) throw new Error('no group');
    const taken = takeOver(told, { part, count: 1, open: 1, reason: 'EMAIL: SMTP 550' }, at(GROUP_WAIT_MS));
    channels.groups.set(part.key, taken);
    channels.runUntil(HOUR_MS);
    channels.resolve(HOUR_MS, part.key, 1);
    channels.runUntil(2 * HOUR_MS);
    channels.resolve(2 * HOUR_MS, part.key, 2);
    channels.runUntil(3 * HOUR_MS);
    expect(channels.told.map(({ atMs, notification }) => [atMs, notification.parts[0]?.purpose])).toEqual([
      [GROUP_WAIT_MS, 'firing'],
      [GROUP_WAIT_MS + GROUP_INTERVAL_MS, 'firing'],
      [2 * HOUR_MS, 'resolved'],
    ]);
  });

  it('in a digest is a report all the same, told without waiting for the next morning', () => {
    const digest = { ...part, key: DIGEST_KEY, purpose: 'digest' as const, severity: 'warning' as const };
    const group = newGroup({ ...place, key: DIGEST_KEY }, 0);
    const taken = takeOver(group, { part: digest, count: 2, open: 1, reason: 'EMAIL: SMTP 550' }, at(0));
    expect(dueAt(taken, RULES)?.getTime()).toBeLessThanOrEqual(START_MS);
    expect(taken.open).toBe(0);
  });
});

describe('over random streams', () => {
  const event = fc.record({
    pauseMs: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 0, max: 6 * HOUR_MS })),
    key: fc.constantFrom('one', 'two', 'three', 'four', DIGEST_KEY),
    lifecycle: fc.constantFrom<Lifecycle>('point', 'lasting'),
    severity: fc.constantFrom<Severity>('info', 'warning', 'critical'),
    endsAfterMs: fc.integer({ min: 0, max: 12 * HOUR_MS }),
  });
  const rules = fc.record({
    hourlyCap: fc.integer({ min: 1, max: 6 }),
    merges: fc.boolean(),
    quiet: fc.option(
      fc.record({ fromMinute: fc.integer({ min: 0, max: 1439 }), toMinute: fc.integer({ min: 0, max: 1439 }) }),
    ),
  });

  it('every alert is told exactly once or over before, no group within its interval, no channel beyond its cap', () => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), rules, (events, drawn) => {
        const keptForCritical = drawn.hourlyCap === 1 ? 0 : 1;
        const channels = new Channels({ ...RULES, ...drawn, keptForCritical });
        const raised = new Map<number, string>();
        const ends: { atMs: number; key: string; number: number }[] = [];
        const overAtMs = new Map<number, number>();
        let nowMs = 0;
        const endUntil = (untilMs: number) => {
          ends.sort((one, other) => one.atMs - other.atMs);
          while (ends[0] && ends[0].atMs <= untilMs) {
            const end = ends.shift();
            if (!end) break;
            channels.runUntil(end.atMs);
            channels.resolve(end.atMs, end.key, end.number);
            overAtMs.set(end.number, end.atMs);
          }
          channels.runUntil(untilMs);
        };
        for (const { pauseMs, key, lifecycle, severity, endsAfterMs } of events) {
          endUntil((nowMs += pauseMs));
          const lasting = lifecycle === 'lasting' && key !== DIGEST_KEY;
          const number = channels.raise(nowMs, key, lasting ? 'lasting' : 'point', severity);
          raised.set(number, key);
          if (lasting) ends.push({ atMs: nowMs + endsAfterMs, key, number });
        }
        endUntil(nowMs + 20 * 24 * HOUR_MS);

        const parts = channels.told.flatMap(({ atMs, notification }) =>
          notification.parts.map((part) => ({ atMs, ...part })),
        );
        for (const [number, key] of raised) {
          const tellings = parts.filter(
            (part) =>
              part.key === key &&
              part.afterNumber < number &&
              number <= part.upToNumber &&
              (part.purpose === 'firing' || part.purpose === 'digest'),
          );
          const over = overAtMs.get(number);
          const overBefore = over !== undefined && tellings.every(({ atMs }) => atMs >= over);
          expect({ number, tellings: tellings.length, overBefore }).toMatchObject(
            overBefore ? { number } : { tellings: 1 },
          );
          expect(tellings.length).toBeLessThanOrEqual(1);
        }
        for (const key of new Set(raised.values())) {
          const times = channels.timesOf(key);
          times.slice(1).forEach((time, index) => {
            expect(time - (times[index] ?? 0)).toBeGreaterThanOrEqual(GROUP_INTERVAL_MS);
          });
          const repeats = parts.filter((part) => part.key === key && part.purpose === 'repeat');
          for (const { atMs } of repeats) {
            const before = times.filter((time) => time < atMs).at(-1) ?? -Infinity;
            expect(atMs - before).toBeGreaterThanOrEqual(REPEAT_INTERVAL_MS);
          }
        }
        for (const { atMs } of channels.told) {
          const inHour = channels.told.filter((other) => other.atMs > atMs - HOUR_MS && other.atMs <= atMs);
          expect(inHour.length).toBeLessThanOrEqual(drawn.hourlyCap);
        }
        // Nothing is left open that was told as going on.
        expect([...channels.groups.values()].filter((group) => group.toldOpen || group.untold > 0)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

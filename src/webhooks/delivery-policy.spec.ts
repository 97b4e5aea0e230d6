import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { judgeTry, readRetryAfter, TRY_OFFSETS_MS, type TryFacts } from './delivery-policy.js';

const at = (ms: number) => new Date(Date.UTC(2026, 10, 21, 12) + ms);
interface Failure extends Omit<TryFacts, 'jitter'> {
  jitter: number;
}

const failed = ({ jitter = 0.5, ...facts }: Partial<Failure> = {}): TryFacts => ({
  failedBefore: 0,
  status: 500,
  retryAfter: null,
  startedAt: at(0),
  endedAt: at(0),
  jitter: () => jitter,
  ...facts,
});

function nextTryMs(facts: Partial<Failure>): number {
  const verdict = judgeTry(failed(facts));
  if (verdict.kind !== 'retry') throw new Error(`the verdict is ${verdict.kind}`);
  return verdict.nextTryAt.getTime() - at(0).getTime();
}

describe('judgeTry', () => {
  it.each([
    [200, 'delivered'],
    [202, 'delivered'],
    [204, 'delivered'],
    [299, 'delivered'],
    [300, 'retry'],
    [301, 'retry'],
    [308, 'retry'],
    [400, 'retry'],
    [401, 'retry'],
    [404, 'retry'],
    [408, 'retry'],
    [409, 'retry'],
    [410, 'gone'],
    [422, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [599, 'retry'],
    [999, 'retry'],
    [null, 'retry'],
  ] as const)('judges %s as %s', (status, kind) => {
    expect(judgeTry(failed({ status })).kind).toBe(kind);
  });

  it('makes ten tries at the offsets of the contract when every one fails at once', () => {
    let now = 0;
    const tried = [now];
    for (let failedBefore = 0; ; failedBefore += 1) {
      const verdict = judgeTry(failed({ failedBefore, startedAt: at(now), endedAt: at(now) }));
      if (verdict.kind === 'exhausted') break;
      if (verdict.kind !== 'retry') throw new Error(verdict.kind);
      now = verdict.nextTryAt.getTime() - at(0).getTime();
      tried.push(now);
    }
    expect(tried).toEqual([0, 2e3, 8e3, 6e4, 3e5, 18e5, 72e5, 216e5, 432e5, 864e5]);
  });

  it('keeps every try within 10 % of its offset, whatever the jitter', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 9, maxLength: 9 }),
        (jitters) => {
          let now = 0;
          jitters.forEach((jitter, failedBefore) => {
            const verdict = judgeTry(failed({ failedBefore, startedAt: at(now), endedAt: at(now), jitter }));
            if (verdict.kind !== 'retry') throw new Error(verdict.kind);
            now = verdict.nextTryAt.getTime() - at(0).getTime();
            const offset = TRY_OFFSETS_MS[failedBefore + 1] ?? NaN;
            // Each of up to nine steps is rounded up to whole milliseconds.
            expect(now).toBeGreaterThanOrEqual(offset * 0.9);
            expect(now).toBeLessThanOrEqual(offset * 1.1 + 9);
          });
        },
      ),
    );
  });

  it('lets a receiver breathe that took all of its ten seconds', () => {
    expect(nextTryMs({ status: null, endedAt: at(10_000) })).toBe(11_000);
  });

  it('waits as long as Retry-After asks, and never less', () => {
    expect(nextTryMs({ status: 429, retryAfter: '120', jitter: 0 })).toBe(120_000);
    expect(nextTryMs({ status: 503, retryAfter: '120', jitter: 0.999 })).toBeGreaterThan(120_000);
    expect(nextTryMs({ status: 503, retryAfter: '120', jitter: 0.999 })).toBeLessThanOrEqual(132_000);
  });

  it('does not come earlier than the schedule because Retry-After allows it', () => {
    expect(nextTryMs({ failedBefore: 3, retryAfter: '1' })).toBe(240_000);
  });

  it('is exhausted after the last try even where Retry-After asks for another', () => {
    expect(judgeTry(failed({ failedBefore: 9, retryAfter: '5' })).kind).toBe('exhausted');
  });
});

describe('readRetryAfter', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 7 ', 7_000],
    ['86400', 86_400_000],
    ['86401', 86_400_000],
    ['9999999999', 86_400_000],
    ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['Sun, 21 Nov 2027 12:00:00 GMT', 86_400_000],
    [null, null],
    ['', null],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['2026-11-21T12:00:30Z', null],
    ['1e3', null],
    ['99999999999', 86_400_000],
    ['9'.repeat(400), 86_400_000],
  ])('reads %j as %s ms', (header, ms) => {
    expect(readRetryAfter(header, at(0))).toBe(ms);
  });
});

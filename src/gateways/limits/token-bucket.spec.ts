import { describe, expect, it } from '@jest/globals';

import { fc } from '../../../test/support/properties.js';
import { TokenBucket } from './token-bucket.js';

/** How many tokens it gives between two instants to somebody who asks every millisecond. */
function taken(bucket: TokenBucket, fromMs: number, toMs: number): number {
  let count = 0;
  for (let at = fromMs; at < toMs; at += 1) {
    for (; bucket.waitMs(at) === 0; count += 1) bucket.take(at);
  }
  return count;
}

describe('a token bucket', () => {
  it.each([
    { perSecond: 20, burst: 5, ms: 1_000, expected: 24 },
    { perSecond: 80, burst: 20, ms: 1_000, expected: 99 },
    { perSecond: 0.5, burst: 1, ms: 10_000, expected: 5 },
    { perSecond: 100, burst: 100, ms: 1, expected: 100 },
  ])('gives its burst, then its rate: $perSecond a second, $burst at once', ({ perSecond, burst, ms, expected }) => {
    expect(taken(new TokenBucket(perSecond, burst, 0), 0, ms)).toBe(expected);
  });

  it.each([
    { spent: 0, at: 0, waitMs: 0 },
    { spent: 5, at: 0, waitMs: 50 },
    { spent: 5, at: 20, waitMs: 30 },
    { spent: 5, at: 50, waitMs: 0 },
    // A clock that was told earlier instants first does not give the time between twice.
    { spent: 5, at: -1_000, waitMs: 50 },
  ])('tells how long there is none: $spent spent, at $at ms', ({ spent, at, waitMs }) => {
    const bucket = new TokenBucket(20, 5, 0);
    for (let count = 0; count < spent; count += 1) bucket.take(0);
    expect(bucket.waitMs(at)).toBe(waitMs);
  });

  it('gives none that it does not have', () => {
    const bucket = new TokenBucket(1, 1, 0);
    bucket.take(0);
    expect(() => bucket.take(0)).toThrow('empty');
    expect(bucket.isFull(999)).toBe(false);
    expect(bucket.isFull(1_000)).toBe(true);
  });

  it('keeps no more than the new burst when it is retuned, and goes on at the new rate', () => {
    const bucket = new TokenBucket(100, 100, 0);
    bucket.retune(10, 2, 0);
    expect(taken(bucket, 0, 1_000)).toBe(11);
  });

  it('in no window gives more than its burst and its rate', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 5, maxLength: 100 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), gaps, (perSecond, burst, waits) => {
        const bucket = new TokenBucket(perSecond, burst, 0);
        const given: number[] = [];
        let at = 0;
        for (const wait of waits) {
          at += wait;
          for (; bucket.waitMs(at) === 0; given.push(at)) bucket.take(at);
        }
        given.forEach((from, first) => {
          const inWindow = given.slice(first).filter((each) => each <= from + 1_000).length;
          expect(inWindow).toBeLessThanOrEqual(burst + perSecond + 1e-6);
        });
      }),
    );
  });
});

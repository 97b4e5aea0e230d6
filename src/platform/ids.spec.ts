import { describe, expect, it } from '@jest/globals';

import { Clock, SystemClock } from './clock.js';
import { Ids } from './ids.js';
import { SystemRandom } from './random.js';

class SetClock extends Clock {
  constructor(public at: Date) {
    super();
  }
  override now(): Date {
    return this.at;
  }
  override monotonicMs(): number {
    return 0;
  }
}

describe('Ids', () => {
  it('gives 26 characters of Crockford base 32', () => {
    const ids = new Ids(new SystemClock(), new SystemRandom());
    expect(ids.ulid()).toMatch(/^[0-9A-HJKMNP-TV-Z]{26}$/);
  });

  it('carries the time of the clock in its first ten characters', () => {
    const ids = new Ids(new SetClock(new Date(1469918176385)), new SystemRandom());
    expect(ids.ulid().slice(0, 10)).toBe('01ARYZ6S41'); // The example of the ULID specification.
  });

  it('rises within a millisecond and when the clock is set back', () => {
    const clock = new SetClock(new Date('2026-03-01T12:00:00Z'));
    const ids = new Ids(clock, new SystemRandom());
    const given = Array.from({ length: 500 }, () => ids.ulid());
    clock.at = new Date('2026-02-01T12:00:00Z');
    given.push(...Array.from({ length: 500 }, () => ids.ulid()));
    expect([...given].sort()).toEqual(given);
    expect(new Set(given).size).toBe(1000);
  });

  it('says what it names', () => {
    const ids = new Ids(new SystemClock(), new SystemRandom());
    expect(ids.prefixed('cli')).toMatch(/^cli_[0-9A-HJKMNP-TV-Z]{26}$/);
  });
});

describe('SystemRandom', () => {
  it('gives fractions from 0 to below 1', () => {
    const random = new SystemRandom();
    const fractions = Array.from({ length: 1000 }, () => random.fraction());
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true);
    expect(new Set(fractions).size).toBeGreaterThan(990);
  });

  it('gives as many bytes as asked for', () => {
    expect(new SystemRandom().bytes(24)).toHaveLength(24);
  });
});

import { describe, expect, it } from '@jest/globals';

import { rule, RULE_SOURCES } from './rules.js';

describe('a rule', () => {
  it('has its name and where it is written; a note narrows it to a row', () => {
    const source = 'src/recovery/policy/schedules.csv';
    expect(rule('scheduled')).toEqual({ name: 'scheduled', source });
    expect(rule('scheduled', 'funds')).toEqual({ name: 'scheduled:funds', source });
    expect(rule('attempts_spent').source).toBe('policy.attemptsMax');
  });

  it('is written somewhere, each in a place of its own', () => {
    expect(RULE_SOURCES.length).toBeGreaterThan(30);
    expect(RULE_SOURCES.every((source) => source.length > 10)).toBe(true);
    expect(new Set(RULE_SOURCES).size).toBe(RULE_SOURCES.length);
  });
});

import { describe, expect, it } from '@jest/globals';

import { accept, checkFields, checkQuery } from './check-fields.js';
import { DomainError } from './domain-error.js';
import { Flag, Instant, instantOf, Integer, Nested, NestedList, OneOf, StringPairs, Text, TextList } from './fields.js';

class PolicyBody {
  @Integer({ min: 1, max: 8 })
  attemptsMax?: number;
}

class AttemptBody {
  @Instant({ required: true })
  at!: string;
}

class ThingBody {
  @Text({ max: 10, required: true })
  token!: string;

  @Integer({ min: 50, max: 100, required: true })
  amount!: number;

  @OneOf(['a', 'b'])
  choice?: string;

  @Flag({ nullable: true })
  flag?: boolean | null;

  @Instant()
  at?: string;

  @TextList({ max: 2, each: { max: 3 } })
  list?: string[];

  @StringPairs(2)
  metadata?: Record<string, string>;

  @Nested(() => PolicyBody)
  policy?: PolicyBody;

  @NestedList(() => AttemptBody, { max: 2 })
  attempts?: AttemptBody[];
}

class NamedThingBody extends ThingBody {
  @Text({ max: 5, pattern: /^[a-z]+$/, accepted: 'up to 5 small letters', code: 'bad_name' })
  name?: string;
}

class ThingQuery {
  @Integer({ min: 1, max: 200 })
  limit: number = 50;

  @Flag()
  open?: boolean;

  @Instant()
  from?: string;
}

describe('checkFields', () => {
  it('takes a right body, with its nested objects as instances of their classes', () => {
    const checked = checkFields(ThingBody, {
      token: 'pm_1',
      amount: 50,
      flag: null,
      policy: { attemptsMax: 8 },
      attempts: [{ at: '2026-11-21T10:00:00+02:00' }],
      metadata: { order: '7' },
    });
    const body = accept(checked);
    expect(body).toBeInstanceOf(ThingBody);
    expect(body.policy).toBeInstanceOf(PolicyBody);
    expect(body.attempts?.[0]).toBeInstanceOf(AttemptBody);
    expect(instantOf(body.attempts?.[0]?.at)?.toISOString()).toBe('2026-11-21T08:00:00.000Z');
  });

  it.each([
    ['a missing field', { amount: 50 }, 'token', 'missing_field'],
    ['an unknown field', { token: 'a', amount: 50, extra: 1 }, 'extra', 'unknown_field'],
    ['an unknown nested field', { token: 'a', amount: 50, policy: { extra: 1 } }, 'policy.extra', 'unknown_field'],
    ['text in place of a number', { token: 'a', amount: '50' }, 'amount', 'invalid_field'],
    ['a fraction', { token: 'a', amount: 50.5 }, 'amount', 'invalid_field'],
    ['a number out of range', { token: 'a', amount: 101 }, 'amount', 'invalid_field'],
    ['a number in place of text', { token: 5, amount: 50 }, 'token', 'invalid_field'],
    ['an empty text', { token: '', amount: 50 }, 'token', 'invalid_field'],
    ['a long text', { token: 'x'.repeat(11), amount: 50 }, 'token', 'invalid_field'],
    ['null', { token: null, amount: 50 }, 'token', 'invalid_field'],
    ['another word', { token: 'a', amount: 50, choice: 'c' }, 'choice', 'invalid_field'],
    ['text in place of a flag', { token: 'a', amount: 50, flag: 'true' }, 'flag', 'invalid_field'],
    ['an instant without offset', { token: 'a', amount: 50, at: '2026-11-21T10:00:00' }, 'at', 'invalid_field'],
    ['a day that is not', { token: 'a', amount: 50, at: '2026-02-30T10:00:00Z' }, 'at', 'invalid_field'],
    ['too long a list', { token: 'a', amount: 50, list: ['1', '2', '3'] }, 'list', 'invalid_field'],
    ['a list of other things', { token: 'a', amount: 50, list: [1] }, 'list', 'invalid_field'],
    ['pairs of other things', { token: 'a', amount: 50, metadata: { a: 1 } }, 'metadata', 'invalid_field'],
    ['too many pairs', { token: 'a', amount: 50, metadata: { a: '1', b: '2', c: '3' } }, 'metadata', 'invalid_field'],
    ['no object', { token: 'a', amount: 50, policy: [] }, 'policy', 'invalid_field'],
    [
      'a wrong nested number',
      { token: 'a', amount: 50, policy: { attemptsMax: 9 } },
      'policy.attemptsMax',
      'invalid_field',
    ],
    ['a wrong listed instant', { token: 'a', amount: 50, attempts: [{ at: 'x' }] }, 'attempts[0].at', 'invalid_field'],
    ['a missing listed field', { token: 'a', amount: 50, attempts: [{}] }, 'attempts[0].at', 'missing_field'],
    ['no objects in a list', { token: 'a', amount: 50, attempts: ['x'] }, 'attempts', 'invalid_field'],
  ])('refuses %s, naming the field and what is taken', (_what, body, field, code) => {
    const checked = checkFields(ThingBody, body);
    const wanted = { field, code, message: expect.stringMatching(/./), accepted: expect.stringMatching(/./) };
    expect(checked).toEqual({ kind: 'refused', problems: [wanted] });
  });

  it.each([[[]], [null], ['text'], [5]])('refuses %j as a whole body', (body) => {
    expect(checkFields(ThingBody, body)).toMatchObject({ problems: [{ field: 'body', code: 'invalid_json' }] });
  });

  it('names every wrong field at once, and the first one’s code in the refusal', () => {
    const checked = checkFields(ThingBody, { amount: 1, choice: 'c' });
    expect(checked.kind === 'refused' && checked.problems.map(({ field }) => field).sort()).toEqual([
      'amount',
      'choice',
      'token',
    ]);
    expect(() => accept(checked)).toThrow(DomainError);
  });

  it('inherits fields, and gives a field’s own code and words', () => {
    const checked = checkFields(NamedThingBody, { token: 'a', amount: 50, name: 'A' });
    expect(checked).toMatchObject({
      problems: [{ field: 'name', code: 'bad_name', accepted: 'up to 5 small letters' }],
    });
    expect(checkFields(ThingBody, { token: 'a', amount: 50, name: 'a' })).toMatchObject({
      problems: [{ field: 'name', code: 'unknown_field' }],
    });
  });

  it('never repeats a value', () => {
    const secret = 'pm_secret_value_of_the_test';
    const checked = checkFields(ThingBody, {
      token: secret,
      amount: secret,
      policy: secret,
      metadata: { a: [secret] },
    });
    expect(JSON.stringify(checked)).not.toContain(secret);
  });
});

describe('checkQuery', () => {
  it('reads numbers and flags, and gives what is left out its default', () => {
    expect(checkQuery(ThingQuery, { limit: '7', open: 'true' })).toEqual({
      kind: 'ok',
      value: { limit: 7, open: true },
    });
    expect(checkQuery(ThingQuery, {})).toEqual({ kind: 'ok', value: { limit: 50 } });
  });

  it.each([
    [{ limit: '07' }, 'limit', 'invalid_field'],
    [{ limit: '1e1' }, 'limit', 'invalid_field'],
    [{ limit: ['1', '2'] }, 'limit', 'invalid_field'],
    [{ limit: '201' }, 'limit', 'invalid_field'],
    [{ limit: '' }, 'limit', 'invalid_field'],
    [{ open: '1' }, 'open', 'invalid_field'],
    [{ from: 'yesterday' }, 'from', 'invalid_field'],
    [{ what: '1' }, 'what', 'unknown_field'],
  ])('refuses %j', (query, field, code) => {
    expect(checkQuery(ThingQuery, query)).toMatchObject({ kind: 'refused', problems: [{ field, code }] });
  });
});

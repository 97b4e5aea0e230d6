import { describe, expect, it } from '@jest/globals';

import { fc } from '../../../test/support/properties.js';
import { DomainError } from './domain-error.js';
import { parseJsonBody } from './json-body.js';

function parse(text: string): unknown {
  return parseJsonBody(Buffer.from(text));
}

function refusal(body: string | Buffer): { code: string; field: string | undefined; detail: string } {
  try {
    parseJsonBody(Buffer.from(body));
  } catch (error) {
    if (error instanceof DomainError) return { code: error.code, field: error.errors[0]?.field, detail: error.detail };
    throw error;
  }
  throw new Error('it was taken');
}

describe('parseJsonBody', () => {
  it('reads what JSON.parse reads, for every document without a flaw', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const canonical = JSON.stringify(JSON.parse(text));
        fc.pre(!canonical.includes('e+') && !canonical.includes('e-') && !text.includes('-0'));
        fc.pre(!/"(__proto__|constructor|prototype)":/.test(canonical));
        expect(parse(canonical)).toEqual(JSON.parse(canonical));
        expect(parse(JSON.stringify(JSON.parse(canonical), null, 3))).toEqual(JSON.parse(canonical));
      }),
    );
  });

  it('finds a key given twice wherever it stands', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.jsonValue({ maxDepth: 2 }), (name, value) => {
        const key = JSON.stringify(name);
        const inner = JSON.stringify(value, (_, each: unknown) => (typeof each === 'number' ? 1 : each));
        fc.pre(
          !['__proto__', 'constructor', 'prototype'].includes(name) &&
            !/"(__proto__|constructor|prototype)"/.test(inner),
        );
        expect(refusal(`{"a":[{${key}:${inner},${key}:1}]}`).code).toBe('invalid_json');
      }),
    );
  });

  it.each([
    ['broken', '{"amount":', 'invalid_json', 'body'],
    ['two documents', '{}{}', 'invalid_json', 'body'],
    ['a byte order mark', '\ufeff{}', 'invalid_json', 'body'],
    ['a bare NaN', '{"amount":NaN}', 'invalid_json', 'body'],
    ['the same key twice', '{"amount":1,"amount":2}', 'invalid_json', 'amount'],
    ['the same key written two ways', '{"amount":1,"\\u0061mount":2}', 'invalid_json', 'amount'],
    ['a nested key twice', '{"policy":{"preset":"fast","preset":"fast"}}', 'invalid_json', 'policy.preset'],
    ['__proto__', '{"__proto__":{"admin":true}}', 'invalid_json', 'body'],
    ['__proto__ in disguise', '{"metadata":{"__pr\\u006fto__":1}}', 'invalid_json', 'metadata'],
    ['constructor', '{"constructor":1}', 'invalid_json', 'body'],
    ['prototype', '{"a":{"prototype":1}}', 'invalid_json', 'a'],
    ['an exponent', '{"amount":1e3}', 'invalid_field', 'amount'],
    ['minus zero', '{"amount":-0}', 'invalid_field', 'amount'],
    ['a fraction that says nothing', '{"amount":2500.0}', 'invalid_field', 'amount'],
    ['a number beyond 2^53', '{"priorAttempts":[{"at":9007199254740993}]}', 'invalid_field', 'priorAttempts[0].at'],
    ['a huge amount', `{"amount":${'9'.repeat(400)}}`, 'invalid_field', 'amount'],
  ])('refuses %s, naming the field', (_what, text, code, field) => {
    expect(refusal(text)).toMatchObject({ code, field });
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(refusal(Buffer.from([0x22, 0xff, 0x22]))).toMatchObject({ code: 'invalid_json', field: 'body' });
  });

  it('takes twenty levels and refuses twenty-one, and twenty thousand', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(nested(20))).toBeInstanceOf(Array);
    expect(refusal(nested(21)).code).toBe('invalid_json');
    expect(refusal(nested(20_000)).code).toBe('invalid_json');
  });

  it('takes two hundred fields of one object and refuses one more', () => {
    const wide = (count: number) => `{${Array.from({ length: count }, (_, index) => `"f${index}":1`).join(',')}}`;
    expect(Object.keys(parse(wide(200)) as object)).toHaveLength(200);
    expect(refusal(wide(201)).code).toBe('invalid_json');
  });

  it('never repeats a field name that is a card number', () => {
    expect(JSON.stringify(refusal('{"4242424242424242":1,"4242424242424242":2}'))).not.toContain('4242');
  });

  it('leaves ordinary fractions to the field that refuses them', () => {
    expect(parse('{"amount":25.5}')).toEqual({ amount: 25.5 });
  });
});

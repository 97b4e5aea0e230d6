import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { fingerprintOf } from './idempotency.js';

const same = (a: object, b: object) => fingerprintOf('execute', a).equals(fingerprintOf('execute', b));

describe('fingerprintOf', () => {
  it('is the same for the same JSON, whatever the order of its members', () => {
    expect(same({ a: 1, b: { c: [1, 2], d: 'x' } }, { b: { d: 'x', c: [1, 2] }, a: 1 })).toBe(true);
  });

  it('leaves the key itself out, so that it may stand in the body or in the header', () => {
    expect(same({ a: 1, idempotencyKey: 'k' }, { a: 1 })).toBe(true);
  });

  it('differs with the order of a list, a value, a member, and the call', () => {
    expect(same({ a: [1, 2] }, { a: [2, 1] })).toBe(false);
    expect(same({ a: 1 }, { a: 2 })).toBe(false);
    expect(same({ a: 1 }, { a: 1, b: null })).toBe(false);
    expect(fingerprintOf('execute', { a: 1 }).equals(fingerprintOf('retry:1', { a: 1 }))).toBe(false);
  });

  it('is equal exactly where the parsed JSON is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (body) => {
        const copy = JSON.parse(JSON.stringify(body)) as object;
        const rest = Object.fromEntries(Object.entries(copy).filter(([name]) => name !== 'idempotencyKey'));
        expect(same(copy, rest)).toBe(true);
        expect(same(rest, { ...rest, oneMore: 1 })).toBe('oneMore' in rest && rest.oneMore === 1);
      }),
    );
  });
});

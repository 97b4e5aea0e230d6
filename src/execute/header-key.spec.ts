import { describe, expect, it } from '@jest/globals';

import { headerKeyOf } from './header-key.js';

describe('headerKeyOf', () => {
  it.each([
    [undefined, null],
    ['inv_42', 'inv_42'],
    ['  inv_42 ', 'inv_42'],
    ['"inv_42"', 'inv_42'],
    [String.raw`"a \"quoted\" key"`, 'a "quoted" key'],
    ['k'.repeat(255), 'k'.repeat(255)],
  ])('reads %j as %j', (header, key) => {
    expect(headerKeyOf(header)).toBe(key);
  });

  it.each(['', '   ', '""', 'k'.repeat(256)])('refuses %j, naming the header', (header) => {
    expect(() => headerKeyOf(header)).toThrow(/Idempotency-Key/);
  });
});

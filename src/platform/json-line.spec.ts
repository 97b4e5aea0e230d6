import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { jsonLine } from './json-line.js';

describe('jsonLine', () => {
  it('escapes what would end a line or steer a terminal', () => {
    expect(jsonLine({ text: 'a\u0085b\u007f\u009b31m\u2028\u2029\n' }).toString()).toBe(
      String.raw`{"text":"a\u0085b\u007f\u009b31m\u2028\u2029\n"}`,
    );
  });

  it('leaves every other character as it is', () => {
    expect(jsonLine({ text: 'é 日本 😀 "\\' }).toString()).toBe(String.raw`{"text":"é 日本 😀 \"\\"}`);
  });

  it('is one line that is read back as what was told, for any text', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (pairs) => {
        const line = jsonLine(pairs).toString('utf8');
        expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(pairs)));
      }),
    );
  });
});

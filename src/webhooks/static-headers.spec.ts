import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { areStaticHeaders } from './static-headers.js';

describe('areStaticHeaders', () => {
  it.each([
    [{}],
    [{ 'X-Gateway-Key': 'abc 123' }],
    [{ Authorization: 'Bearer a.b-c' }],
    [{ 'x-tenant': 'a\tb' }],
    [{ Cookie: 'a=b' }],
  ])('takes %j', (headers) => {
    expect(areStaticHeaders(headers)).toBe(true);
  });

  it.each([
    [null],
    [[]],
    ['X: y'],
    [{ 'X-A': 1 }],
    [{ 'X-A': '' }],
    [{ 'X-A': 'a\r\nX-B: b' }],
    [{ 'X-A': 'a\nb' }],
    [{ 'X-A\r\n': 'a' }],
    [{ 'X A': 'a' }],
    [{ '': 'a' }],
    [{ 'X-A': ' a' }],
    [{ 'X-A': 'a ' }],
    [{ 'X-A': 'ü' }],
    [{ 'X-A': 'a\u0000' }],
    [{ 'X-A': 'a'.repeat(1001) }],
    [{ ['X'.repeat(101)]: 'a' }],
    [{ 'X-A': 'a', 'x-a': 'b' }],
    [{ Host: 'internal' }],
    [{ 'CONTENT-LENGTH': '0' }],
    [{ 'Transfer-Encoding': 'chunked' }],
    [{ 'content-type': 'text/plain' }],
    [{ Connection: 'close' }],
    [{ 'Proxy-Authorization': 'x' }],
    [{ 'Webhook-Id': 'x' }],
    [{ 'X-Revtain-Signature': 'x' }],
    [{ 'User-Agent': 'x' }],
    [Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`X-${index}`, 'a']))],
  ])('refuses %j', (headers) => {
    expect(areStaticHeaders(headers)).toBe(false);
  });

  it('lets no line break, NUL or reserved name through, whatever is sent', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (headers) => {
        if (!areStaticHeaders(headers)) return;
        const sent = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
        for (const line of sent) expect(line).not.toMatch(/[\r\n]|^(?:host|content-|webhook-|x-revtain-)/i);
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';

import { whyUnfit } from './database-check.js';

const fit = { version: 150_018, encoding: 'UTF8', mayCreate: true };

describe('a database', () => {
  it.each([150_000, 180_004])('of version %i in UTF-8 will do', (version) => {
    expect(whyUnfit({ ...fit, version })).toBeNull();
  });

  it.each([
    ['an older PostgreSQL', { version: 149_999 }, /^is PostgreSQL 14; needed is 15 or newer$/],
    ['another encoding', { encoding: 'SQL_ASCII' }, /^has the encoding SQL_ASCII; .* ENCODING 'UTF8'/],
    ['a login that makes no tables', { mayCreate: false }, /^does not let its login make tables; .* owns it/],
  ])('with %s is refused, and what is needed is named', (_what, facts, reason) => {
    expect(whyUnfit({ ...fit, ...facts })).toMatch(reason);
  });
});

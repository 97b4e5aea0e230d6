import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { SystemRandom } from '../platform/random.js';
import { keyFileOf, readMerchant, writeMerchant } from './merchant-files.js';

const merchant = { clientId: 'cli_1', apiKey: 'rev_1', endpointId: 'we_1', webhookSecret: 'whsec_1' };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'revtain demo-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the files of the demo merchant', () => {
  it('give back what was written, for its owner alone, and leave no drafts', () => {
    writeMerchant(folder, merchant, new SystemRandom());
    expect(readMerchant(folder)).toEqual(merchant);
    expect(readFileSync(keyFileOf(folder), 'utf8')).toBe('rev_1\n');
    expect(readdirSync(folder).sort()).toEqual(['demo-merchant.json', 'demo.key']);
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['no file', null],
    ['half a file', '{"clientId":"cli_1"'],
    ['a file without a key', '{"clientId":"cli_1","endpointId":"we_1","webhookSecret":"whsec_1"}'],
    ['something else', '[]'],
    ['null', 'null'],
  ])('count %s as no merchant', (_what, text) => {
    if (text !== null) writeFileSync(join(folder, 'demo-merchant.json'), text);
    expect(readMerchant(folder)).toBeNull();
  });
});

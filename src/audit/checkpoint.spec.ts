import { describe, expect, it } from '@jest/globals';

import { isSigned, signCheckpoint, signingKey } from './checkpoint.js';

const key = signingKey(Buffer.alloc(32, 7));
const unsigned = { clientId: 'cli_1', number: 42, hash: 'ab'.repeat(32), at: '2026-11-21T12:00:00.000Z' };

describe('a checkpoint', () => {
  it('is signed by the key that it names', () => {
    const signed = signCheckpoint(unsigned, key);
    expect(signed).toMatchObject({ ...unsigned, publicKey: key.publicKey, format: 'revtain-audit-checkpoint/1' });
    expect(isSigned(signed)).toBe(true);
  });

  it.each([
    { clientId: 'cli_2' },
    { number: 41 },
    { hash: 'ac'.repeat(32) },
    { at: '2026-11-21T12:00:00.001Z' },
    { publicKey: signingKey(Buffer.alloc(32, 8)).publicKey },
    { publicKey: 'AAAA' },
    { signature: '' },
  ])('is worth nothing once it says otherwise: %j', (changed) => {
    expect(isSigned({ ...signCheckpoint(unsigned, key), ...changed })).toBe(false);
  });

  it('makes the same key of the same seed, as RFC 8032 has it', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex');
    expect(signingKey(seed).publicKey).toBe(publicKey.toString('base64'));
  });
});

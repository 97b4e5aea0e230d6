import { createCipheriv, hkdfSync } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { Random, SystemRandom } from '../random.js';
import { SealBroken, sha256, Vault, type SealIdentity } from './vault.js';

const KEY = Buffer.alloc(32, 7);
const OTHER_KEY = Buffer.alloc(32, 8);
const PLACE: SealIdentity = { clientId: 'cli_a', table: 'recoveries', row: 'r1', column: 'token_sealed' };

class FixedRandom extends Random {
  override bytes(count: number): Buffer {
    return Buffer.alloc(count, 1);
  }
  override fraction(): number {
    return 0.5;
  }
}

const vault = new Vault(KEY, [], new SystemRandom());

describe('Vault', () => {
  it('opens what it sealed, whatever the text', () => {
    for (const text of ['', 'pm_1', 'Grüße 💶', 'x'.repeat(10_000)]) {
      expect(vault.open(vault.seal(text, PLACE), PLACE)).toBe(text);
    }
  });

  it('lays the envelope out as format, key id, nonce, tag, text', () => {
    const sealed = new Vault(KEY, [], new FixedRandom()).seal('pm_card_visa', PLACE);
    const dataKey = Buffer.from(hkdfSync('sha256', KEY, 'revtain/data-key/v1', 'cli_a', 32));
    const cipher = createCipheriv('aes-256-gcm', dataKey, Buffer.alloc(12, 1));
    cipher.setAAD(Buffer.from('[1,"cli_a","recoveries","r1","token_sealed"]'));
    const text = Buffer.concat([cipher.update('pm_card_visa', 'utf8'), cipher.final()]);
    expect(sealed.subarray(0, 1).toString('hex')).toBe('01');
    expect(sealed.subarray(5, 17)).toEqual(Buffer.alloc(12, 1));
    expect(sealed.subarray(17, 33)).toEqual(cipher.getAuthTag());
    expect(sealed.subarray(33)).toEqual(text);
  });

  it.each([
    ['client', { clientId: 'cli_b' }],
    ['table', { table: 'clients' }],
    ['row', { row: 'r2' }],
    ['column', { column: 'fallback_sealed' }],
  ])('refuses a value moved to another %s', (_name, moved) => {
    const sealed = vault.seal('pm_1', PLACE);
    expect(() => vault.open(sealed, { ...PLACE, ...moved })).toThrow(SealBroken);
  });

  it('refuses a value of which any byte was changed', () => {
    const sealed = vault.seal('pm_1', PLACE);
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed.writeUInt8((changed[index] ?? 0) ^ 1, index);
      expect(() => vault.open(changed, PLACE)).toThrow(SealBroken);
    }
  });

  it('refuses a value cut short, down to nothing', () => {
    const sealed = vault.seal('', PLACE);
    for (const length of [0, 1, 5, 17, 21, sealed.length - 1]) {
      expect(() => vault.open(sealed.subarray(0, length), PLACE)).toThrow(SealBroken);
    }
  });

  it('never seals the same text the same way twice', () => {
    const sealed = new Set(Array.from({ length: 100 }, () => vault.seal('pm_1', PLACE).toString('hex')));
    expect(sealed.size).toBe(100);
  });

  it('opens after a rotation what the previous key sealed, and calls it stale', () => {
    const before = new Vault(OTHER_KEY, [], new SystemRandom()).seal('pm_1', PLACE);
    const rotated = new Vault(KEY, [OTHER_KEY], new SystemRandom());
    expect(rotated.open(before, PLACE)).toBe('pm_1');
    expect(rotated.isStale(before)).toBe(true);
    expect(rotated.isStale(rotated.seal('pm_1', PLACE))).toBe(false);
    expect(() => vault.open(before, PLACE)).toThrow(/master key is not among/);
  });

  it('refuses a master key of another length', () => {
    expect(() => new Vault(Buffer.alloc(16), [], new SystemRandom())).toThrow('32 bytes');
  });
});

describe('sha256', () => {
  it('agrees with the published vector for "abc"', () => {
    expect(sha256('abc').toString('hex')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });
});

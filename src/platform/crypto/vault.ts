import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';

import type { Random } from '../random.js';

/** Where a sealed value lives. It opens nowhere else, so that a row copied to another client is worthless. */
export interface SealIdentity {
  clientId: string;
  table: string;
  /** The row's id. */
  row: string;
  column: string;
}

/** A sealed value did not open: another key, another place, or changed bytes. The message tells no more than that. */
export class SealBroken extends Error {
  constructor(reason: string, cause?: unknown) {
    super(`a sealed value does not open: ${reason}`, { cause });
    this.name = 'SealBroken';
  }
}

// The envelope: format (1) | master key id (4) | nonce (12) | tag (16) | ciphertext.
const FORMAT = 1;
const KEY_ID_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const NONCE_AT = 1 + KEY_ID_BYTES;
const TAG_AT = NONCE_AT + NONCE_BYTES;
const TEXT_AT = TAG_AT + TAG_BYTES;

/** Data keys kept in memory; one is derived in microseconds, so a small number does. */
const DATA_KEYS_MAX = 1_000;

/**
 * Seals secrets at rest with AES-256-GCM. Each client has a data key of its own, derived from the master key by HKDF:
 * random 96-bit nonces are safe for 2^32 values a key, and no client comes near that.
 * The envelope names its master key, so that a rotated one still opens what it sealed.
 * @see https://csrc.nist.gov/pubs/sp/800/38/d/final (section 8.3, the number of nonces)
 */
export class Vault {
  private readonly masterKeys = new Map<string, Buffer>();
  private readonly currentKeyId: Buffer;
  private readonly dataKeys = new Map<string, Buffer>();

  /** @param masterKey 32 bytes. @param previous keys that open and no longer seal. @throws on a key of another length. */
  constructor(
    masterKey: Buffer,
    previous: readonly Buffer[],
    private readonly random: Random,
  ) {
    for (const key of [masterKey, ...previous]) {
      if (key.length !== 32) throw new Error('a master key is 32 bytes');
      this.masterKeys.set(keyId(key).toString('hex'), key);
    }
    this.currentKeyId = keyId(masterKey);
  }

  seal(text: string, identity: SealIdentity): Buffer {
    const nonce = this.random.bytes(NONCE_BYTES);
    const key = this.dataKey(this.currentKeyId.toString('hex'), identity.clientId);
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(associatedData(identity));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(FORMAT), this.currentKeyId, nonce, cipher.getAuthTag(), sealed]);
  }

  /** @throws {SealBroken} on any mismatch of key, place or bytes. */
  open(sealed: Buffer, identity: SealIdentity): string {
    if (sealed.length < TEXT_AT || sealed[0] !== FORMAT) throw new SealBroken('no envelope of ours');
    const key = this.dataKey(sealed.subarray(1, NONCE_AT).toString('hex'), identity.clientId);
    // Without authTagLength Node 20 takes a tag of four bytes, which can be guessed.
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(NONCE_AT, TAG_AT), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(associatedData(identity));
    decipher.setAuthTag(sealed.subarray(TAG_AT, TEXT_AT));
    // update() gives out text that nothing has vouched for yet; it counts only once final() has passed.
    const unproven = decipher.update(sealed.subarray(TEXT_AT));
    try {
      return Buffer.concat([unproven, decipher.final()]).toString('utf8');
    } catch (cause) {
      throw new SealBroken('it was changed, or sealed for another place', cause);
    }
  }

  /** True when a value should be sealed anew: it is under a key that only opens. */
  isStale(sealed: Buffer): boolean {
    return !sealed.subarray(1, NONCE_AT).equals(this.currentKeyId);
  }

  /** A 32-byte key for another purpose than sealing, made of each master key: of the current one first. */
  subkeys(purpose: string): Buffer[] {
    const derive = (key: Buffer) => Buffer.from(hkdfSync('sha256', key, 'revtain/subkey/v1', purpose, 32));
    return [...this.masterKeys.values()].map(derive);
  }

  private dataKey(masterKeyId: string, clientId: string): Buffer {
    const name = `${masterKeyId}|${clientId}`;
    const kept = this.dataKeys.get(name);
    if (kept) return kept;

    const masterKey = this.masterKeys.get(masterKeyId);
    if (!masterKey) throw new SealBroken('its master key is not among REVTAIN_MASTER_KEY and its previous ones');
    const key = Buffer.from(hkdfSync('sha256', masterKey, 'revtain/data-key/v1', clientId, 32));
    if (this.dataKeys.size >= DATA_KEYS_MAX) this.dataKeys.clear();
    this.dataKeys.set(name, key);
    return key;
  }
}

/** For keys and tokens that are only ever compared or looked up. */
export function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest();
}

function keyId(masterKey: Buffer): Buffer {
  return createHash('sha256').update('revtain/key-id/v1').update(masterKey).digest().subarray(0, KEY_ID_BYTES);
}

// A JSON array can not be read in two ways, as joined text can ("a|b" + "c" and "a" + "b|c").
function associatedData({ clientId, table, row, column }: SealIdentity): Buffer {
  return Buffer.from(JSON.stringify([FORMAT, clientId, table, row, column]), 'utf8');
}

import { sha256 } from '../platform/crypto/vault.js';
import type { Random } from '../platform/random.js';
import type { KeyKind } from './caller.js';

const PREFIXES: Readonly<Record<KeyKind, string>> = { secret: 'rev_', publishable: 'rev_pk_', effects: 'rev_fx_' };
const RANDOM_BYTES = 24;
const FORM = /^rev_(pk_|fx_)?[A-Za-z0-9_-]{32}$/;

/** A key just made: shown once as text, kept as hash and hint. */
export interface FreshKey {
  text: string;
  hash: Buffer;
  hint: string;
}

/** Makes a key of 192 random bits: nobody guesses it, so its SHA-256 needs no salt and no slow hash. */
export function makeApiKey(kind: KeyKind, random: Random): FreshKey {
  const text = PREFIXES[kind] + random.bytes(RANDOM_BYTES).toString('base64url');
  return { text, hash: sha256(text), hint: `${PREFIXES[kind]}…${text.slice(-4)}` };
}

/** The hash to look a key up by; null for text that no key of ours looks like. */
export function hashOfKey(text: string): Buffer | null {
  return FORM.test(text) ? sha256(text) : null;
}

import { createHash } from 'node:crypto';

import type { Random } from '../platform/random.js';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function inBase62(bytes: Uint8Array): string {
  let text = '';
  // 256 is no multiple of 62, so some letters come a little more often: harmless in an id of 24 letters.
  for (const byte of bytes) text += ALPHABET.charAt(byte % ALPHABET.length);
  return text;
}

/** An id as Stripe gives them, such as `pi_3f…`: the prefix and 24 random letters and digits. */
export function newStripeId(random: Random, prefix: string): string {
  return `${prefix}_${inBase62(random.bytes(24))}`;
}

/** `length` letters and digits (at most 32) that are always the same for the same parts. */
export function derivedText(length: number, ...parts: string[]): string {
  return inBase62(createHash('sha256').update(parts.join('\n')).digest().subarray(0, length));
}

/** The customer to whom every raw test token of an account belongs, so that any of them can pay any of its debts. */
export function cardholderId(accountId: string): string {
  return `cus_${derivedText(14, 'cardholder', accountId)}`;
}

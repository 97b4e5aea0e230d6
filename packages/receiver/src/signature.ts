import { createHmac, timingSafeEqual } from 'node:crypto';

const PREFIX = 'whsec_';
// Node's decoder skips what is no base64, and would make another key of a mistyped secret.
const SECRET = /^whsec_(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3}={0,2})?$/;

/** The key of the Standard Webhooks scheme: what the secret's base64 part encodes; null when it is no such secret. */
export function standardKey(secret: string): Uint8Array | null {
  if (!SECRET.test(secret) || secret.length === PREFIX.length) return null;
  return Buffer.from(secret.slice(PREFIX.length), 'base64');
}

/**
 * `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`.
 * @param timestamp the header's own text: whole seconds since 1970
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardSignature(id: string, timestamp: string, body: Uint8Array, key: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}

/** `X-Revtain-Signature`: lowercase hex HMAC-SHA256 of the body; the key is the whole secret string. */
export function bodySignature(body: Uint8Array, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/** Compares as texts: a decoder would take several spellings of one signature. Takes as long for a near miss as for a far one. */
export function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}

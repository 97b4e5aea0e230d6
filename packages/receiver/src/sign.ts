import { bytesOf, type RawBody } from './raw-body.js';
import { bodySignature, standardKey, standardSignature } from './signature.js';
import { systemNow } from './system-clock.js';

export interface SignOptions {
  /** The event's id. */
  id: string;
  /** When it is sent; default the machine's time. */
  at?: Date | undefined;
}

/**
 * The headers that Revtain would send with a body: for tests of your own handler.
 * @throws {TypeError} when the secret is not `whsec_` and base64, or the body is not raw.
 */
export function signedHeaders(rawBody: RawBody, secret: string, { id, at = systemNow() }: SignOptions) {
  const body = bytesOf(rawBody);
  const key = standardKey(secret);
  if (body === null || key === null) throw new TypeError('signing takes a raw body and a secret of the form whsec_…');
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  return {
    'content-type': 'application/json',
    'x-revtain-signature': bodySignature(body, secret),
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': standardSignature(id, timestamp, body, key),
  };
}

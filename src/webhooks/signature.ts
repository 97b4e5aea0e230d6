import { createHmac } from 'node:crypto';

import type { Random } from '../platform/random.js';

const PREFIX = 'whsec_';

/** The secrets of an endpoint, in clear text. */
export interface EndpointSecrets {
  current: string;
  /** The one before, until its overlap ends. */
  previous: { secret: string; until: Date } | null;
}

export interface SignedParts {
  /** The event's id. */
  id: string;
  /** Real time of this very try: receivers refuse a signature that is minutes old. */
  sentAt: Date;
  body: Buffer;
}

/** `whsec_` and the base64 of 32 random bytes. */
export function newSecret(random: Random): string {
  return PREFIX + random.bytes(32).toString('base64');
}

/**
 * The signature headers of one try. During a rotation the Standard Webhooks header carries a signature for each live
 * secret, and `X-Revtain-Signature`, which has room for one, keeps the old secret until the overlap ends.
 */
export function signatureHeaders(parts: SignedParts, secrets: EndpointSecrets): Record<string, string> {
  const previous = secrets.previous && secrets.previous.until > parts.sentAt ? secrets.previous.secret : null;
  const live = previous === null ? [secrets.current] : [secrets.current, previous];
  return {
    'X-Revtain-Signature': bodySignature(parts.body, previous ?? secrets.current),
    'webhook-id': parts.id,
    'webhook-timestamp': String(secondsOf(parts.sentAt)),
    'webhook-signature': live.map((secret) => standardSignature(parts, secret)).join(' '),
  };
}

/** Lowercase hex HMAC-SHA256 of the raw body; the key is the whole secret string (openapi.yaml). */
export function bodySignature(body: Buffer, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/**
 * `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`; the key is what the secret's base64 part encodes.
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function standardSignature({ id, sentAt, body }: SignedParts, secret: string): string {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const hmac = createHmac('sha256', key)
    .update(`${id}.${secondsOf(sentAt)}.`)
    .update(body);
  return `v1,${hmac.digest('base64')}`;
}

function secondsOf(at: Date): number {
  return Math.floor(at.getTime() / 1_000);
}

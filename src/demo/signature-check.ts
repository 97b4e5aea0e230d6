import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What a check gave. A refusal says which part does not fit, in words that complete "refused: …". */
export type SignatureCheck = { kind: 'verified' } | { kind: 'refused'; reason: string };

/** The age at which Standard Webhooks receivers refuse a signature: an old one may be a copy sent again. */
const AGE_SECONDS_MAX = 300;

/**
 * Checks both signatures of a webhook as a merchant does, with nothing but Node: it shares no code with what signs.
 * @param secret the whole secret as it was shown once, `whsec_…`
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function checkSignatures(headers: IncomingHttpHeaders, body: Buffer, secret: string, now: Date): SignatureCheck {
  const bodyMac = createHmac('sha256', secret).update(body).digest('hex');
  if (!isSame(textOf(headers['x-revtain-signature']), bodyMac)) return refused('X-Revtain-Signature does not fit');

  const id = textOf(headers['webhook-id']);
  const timestamp = textOf(headers['webhook-timestamp']);
  const ageSeconds = Math.abs(now.getTime() / 1_000 - Number(timestamp || NaN));
  if (!(ageSeconds <= AGE_SECONDS_MAX)) return refused('webhook-timestamp is not of these five minutes');

  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
  const given = textOf(headers['webhook-signature']).split(' ');
  if (!given.some((each) => isSame(each, `v1,${mac}`))) return refused('webhook-signature does not fit');
  return { kind: 'verified' };
}

function isSame(given: string, expected: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function textOf(header: string | string[] | undefined): string {
  return typeof header === 'string' ? header : '';
}

function refused(reason: string): SignatureCheck {
  return { kind: 'refused', reason };
}

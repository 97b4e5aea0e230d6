// Checks Revtain's webhooks with nothing but Node 18. Copy this file; packages/receiver does more.
import { createHmac, timingSafeEqual } from 'node:crypto';

const TOLERANCE_SECONDS = 300;

/**
 * The dated Standard Webhooks signature. True when one of the secrets signed these bytes within the last five minutes.
 * `body` is a Buffer of the raw body: never parse it first. `now` is in seconds since 1970.
 */
export function verifyStandard(body, headers, secrets, now = Date.now() / 1000) {
  const id = headerOf(headers, 'webhook-id');
  const timestamp = headerOf(headers, 'webhook-timestamp');
  const given = headerOf(headers, 'webhook-signature').split(' ');
  if (!id || id.includes('.') || !/^\d{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Math.floor(now) - Number(timestamp)) > TOLERANCE_SECONDS) return false;

  return secrets.some((secret) => {
    const key = keyOf(secret.trim());
    if (key === null) return false;
    const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
    return given.some((each) => isSame(each, `v1,${mac}`));
  });
}

/** The plain X-Revtain-Signature. It has no date: remember the ids of events, or an old copy is taken again. */
export function verifyPlain(body, headers, secrets) {
  const given = headerOf(headers, 'x-revtain-signature');
  return secrets
    .map((secret) => secret.trim())
    .some((secret) => secret !== '' && isSame(given, createHmac('sha256', secret).update(body).digest('hex')));
}

// The key is what the part after whsec_ encodes. Node's decoder skips what is no base64, so look first.
function keyOf(secret) {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) return null;
  return Buffer.from(secret.slice('whsec_'.length), 'base64');
}

function headerOf(headers, name) {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return (found?.[1] ?? '').trim();
}

// Compares the texts: a decoder would take several spellings of one signature.
function isSame(given, expected) {
  const [left, right] = [Buffer.from(given), Buffer.from(expected)];
  return left.length === right.length && timingSafeEqual(left, right);
}

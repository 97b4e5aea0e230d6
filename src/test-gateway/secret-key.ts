import { createHash } from 'node:crypto';

import type { Random } from '../platform/random.js';

/** What is kept of an account's key. */
export function hashOfKey(secretKey: string): Buffer {
  return createHash('sha256').update(secretKey).digest();
}

/** A key of the kind Stripe gives for test mode. */
export function newSecretKey(random: Random): string {
  return `sk_test_${random.bytes(24).toString('hex')}`;
}

/** The key in an Authorization header, Bearer or Basic (where it is the user name), or null. */
export function keyInHeader(header: string | undefined): string | null {
  const [scheme = '', value = ''] = (header ?? '').split(' ');
  if (/^bearer$/i.test(scheme)) return value === '' ? null : value;
  if (!/^basic$/i.test(scheme)) return null;
  const [user = ''] = Buffer.from(value, 'base64').toString('utf8').split(':');
  return user === '' ? null : user;
}

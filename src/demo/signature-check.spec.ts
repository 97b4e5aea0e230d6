import { createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

import { describe, expect, it } from '@jest/globals';

import { checkSignatures } from './signature-check.js';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const body = Buffer.from('{"event":"recovery.success","id":"evt_1","message":"Grüße"}');
const now = new Date('2026-11-21T12:00:00.000Z');

describe('checking a webhook as a merchant does', () => {
  it('verifies what carries both signatures', () => {
    expect(checkSignatures(signed(), body, secret, now)).toEqual({ kind: 'verified' });
  });

  it('verifies while a secret is changed, when one of several signatures fits', () => {
    const both = { 'webhook-signature': `v1,${'A'.repeat(43)}= ${String(signed()['webhook-signature'])}` };
    expect(checkSignatures({ ...signed(), ...both }, body, secret, now)).toEqual({ kind: 'verified' });
  });

  it.each([
    ['another body', {}, Buffer.from(body.toString().replace('success', 'failed')), 'X-Revtain-Signature does not fit'],
    ['no signature of the body', { 'x-revtain-signature': undefined }, body, 'X-Revtain-Signature does not fit'],
    ['one of equal length that is not ASCII', { 'x-revtain-signature': 'é'.repeat(64) }, body, 'X-Revtain-Signature'],
    ['no Standard Webhooks signature', { 'webhook-signature': undefined }, body, 'webhook-signature does not fit'],
    ['the id of another event', { 'webhook-id': 'evt_2' }, body, 'webhook-signature does not fit'],
    ['no timestamp', { 'webhook-timestamp': undefined }, body, 'not of these five minutes'],
    [
      'an old timestamp',
      { 'webhook-timestamp': String(now.getTime() / 1_000 - 301) },
      body,
      'not of these five minutes',
    ],
    [
      'one of the future',
      { 'webhook-timestamp': String(now.getTime() / 1_000 + 301) },
      body,
      'not of these five minutes',
    ],
  ])('refuses %s', (_what, changed, bytes, reason) => {
    const check = checkSignatures({ ...signed(), ...changed }, bytes, secret, now);
    expect(check).toEqual({ kind: 'refused', reason: expect.stringContaining(reason) });
  });

  it('refuses what another secret signed', () => {
    const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;
    expect(checkSignatures(signed(), body, other, now).kind).toBe('refused');
  });
});

// Written out, and not made by the product's own signer: this is what the published headers say.
function signed(): IncomingHttpHeaders {
  const seconds = String(now.getTime() / 1_000);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  return {
    'x-revtain-signature': createHmac('sha256', secret).update(body).digest('hex'),
    'webhook-id': 'evt_1',
    'webhook-timestamp': seconds,
    'webhook-signature': `v1,${createHmac('sha256', key).update(`evt_1.${seconds}.`).update(body).digest('base64')}`,
  };
}

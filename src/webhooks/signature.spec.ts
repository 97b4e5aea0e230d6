import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { SystemRandom } from '../platform/random.js';
import { bodySignature, newSecret, signatureHeaders, standardSignature } from './signature.js';

interface Vector {
  secret: string;
  id: string;
  timestamp: number;
  body: string;
  webhookSignature: string;
  revtainSignature: string;
}

const file = new URL('../../test/contract/signature-vectors.json', import.meta.url);
const { vectors } = JSON.parse(readFileSync(file, 'utf8')) as { vectors: Vector[] };

describe('signatures', () => {
  it('keeps the vector that the Standard Webhooks libraries share', () => {
    expect(vectors[0]).toMatchObject({
      secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      webhookSignature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    });
  });

  it.each(vectors)('signs $id at $timestamp as the vectors say', (vector) => {
    const body = Buffer.from(vector.body);
    const parts = { id: vector.id, sentAt: new Date(vector.timestamp * 1_000 + 999), body };
    expect(standardSignature(parts, vector.secret)).toBe(vector.webhookSignature);
    expect(bodySignature(body, vector.secret)).toBe(vector.revtainSignature);
  });

  const parts = { id: 'evt_1', sentAt: new Date('2026-11-21T12:00:00.500Z'), body: Buffer.from('{"a":1}') };
  const current = newSecret(new SystemRandom());
  const old = newSecret(new SystemRandom());

  it('makes secrets of 32 random bytes', () => {
    expect(current).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(current).not.toBe(old);
  });

  it('signs with the one secret there is', () => {
    expect(signatureHeaders(parts, { current, previous: null })).toEqual({
      'X-Revtain-Signature': bodySignature(parts.body, current),
      'webhook-id': 'evt_1',
      'webhook-timestamp': '1795262400',
      'webhook-signature': standardSignature(parts, current),
    });
  });

  it('signs with both during an overlap, the plain header with the old one', () => {
    const until = new Date('2026-11-21T12:00:00.501Z');
    expect(signatureHeaders(parts, { current, previous: { secret: old, until } })).toMatchObject({
      'X-Revtain-Signature': bodySignature(parts.body, old),
      'webhook-signature': `${standardSignature(parts, current)} ${standardSignature(parts, old)}`,
    });
  });

  it('forgets the old one at the moment the overlap ends', () => {
    const until = parts.sentAt;
    expect(signatureHeaders(parts, { current, previous: { secret: old, until } })).toEqual(
      signatureHeaders(parts, { current, previous: null }),
    );
  });

  it('never gives two bodies, ids or times one signature', () => {
    const message = fc.record({ id: fc.stringMatching(/^[a-z_0-9]{1,30}$/), second: fc.nat(2e9), body: fc.string() });
    fc.assert(
      fc.property(message, message, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        const sign = ({ id, second, body }: typeof one) =>
          standardSignature({ id, sentAt: new Date(second * 1_000), body: Buffer.from(body) }, current);
        expect(sign(one)).not.toBe(sign(other));
      }),
    );
  });
});

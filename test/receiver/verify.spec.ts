import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

import { fc } from '../support/properties.js';
import { signedHeaders } from '../../packages/receiver/src/sign.js';
import { verify, type Verification } from '../../packages/receiver/src/verify.js';
import { newSecret, signatureHeaders } from '../../src/webhooks/signature.js';
import { SystemRandom } from '../../src/platform/random.js';
import { RECEIVER_VECTORS, SIGNING_VECTORS } from './vectors.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
const NOW = new Date('2026-11-21T12:00:00.500Z');
const BODY = '{"event":"recovery.failed","id":"evt_1"}';
const HEADERS = signedHeaders(BODY, SECRET, { id: 'evt_1', at: NOW });

const wordOf = (result: Verification) => (result.kind === 'verified' ? 'verified' : result.reason);

/** The dated headers alone, or the plain one alone. */
function only(prefix: string, headers: Record<string, string> = HEADERS): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith(prefix)));
}

describe('verify, by the shared vectors', () => {
  it.each(RECEIVER_VECTORS)('$name', ({ scheme, secrets, now, headers, bodyBase64, expected }) => {
    const body = Buffer.from(bodyBase64, 'base64');
    const result = verify(body, headers, secrets, { scheme, now: new Date(now * 1_000) });
    expect(wordOf(result)).toBe(expected);
  });

  it.each(SIGNING_VECTORS)('accepts what the product signs: $id at $timestamp', (vector) => {
    const now = new Date(vector.timestamp * 1_000);
    const headers = {
      'webhook-id': vector.id,
      'webhook-timestamp': String(vector.timestamp),
      'webhook-signature': vector.webhookSignature,
    };
    expect(verify(vector.body, headers, vector.secret, { now })).toEqual({
      kind: 'verified',
      scheme: 'standard',
      id: vector.id,
      sentAt: now,
      secretIndex: 0,
    });
    expect(verify(vector.body, { 'X-Revtain-Signature': vector.revtainSignature }, vector.secret)).toEqual({
      kind: 'verified',
      scheme: 'plain',
      secretIndex: 0,
    });
  });
});

describe('verify and the signer of the product', () => {
  const random = new SystemRandom();
  const [current, old] = [newSecret(random), newSecret(random)];
  const parts = { id: 'evt_1', sentAt: NOW, body: Buffer.from(BODY) };
  const rotating = signatureHeaders(parts, { current, previous: { secret: old, until: new Date(NOW.getTime() + 1) } });

  it.each(['standard', 'plain'] as const)('takes either secret in turn through a rotation: %s', (scheme) => {
    const accepts = (secrets: string | string[], headers: Record<string, string>) =>
      verify(BODY, headers, secrets, { scheme, now: NOW }).kind === 'verified';
    const after = signatureHeaders(parts, { current, previous: null });
    expect(accepts(old, rotating)).toBe(true);
    expect(accepts([old, current], rotating)).toBe(true);
    expect(accepts([old, current], after)).toBe(true);
    expect(accepts(current, after)).toBe(true);
    expect(accepts(old, after)).toBe(false);
  });

  it('writes during a rotation what the shared vectors say', () => {
    const vector = RECEIVER_VECTORS.find(({ name }) =>
      name.startsWith('rotation: two signatures, the receiver has the old'),
    );
    if (!vector) throw new Error('the vector is gone');
    const sentAt = new Date(vector.now * 1_000);
    const body = Buffer.from(vector.bodyBase64, 'base64');
    const previous = { secret: SECRET, until: new Date(sentAt.getTime() + 1) };
    const signed = signatureHeaders(
      { id: String(vector.headers['webhook-id']), sentAt, body },
      { current: OTHER, previous },
    );
    expect(signed).toMatchObject(vector.headers);
  });

  it('says which secret fitted, so that the old one is dropped in time', () => {
    const after = signatureHeaders(parts, { current, previous: null });
    expect(verify(BODY, after, [old, current], { now: NOW })).toMatchObject({ kind: 'verified', secretIndex: 1 });
  });
});

describe('verify and npm standardwebhooks', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 });
  const id = fc.stringMatching(/^[A-Za-z0-9_]{1,40}$/);
  const secret = fc
    .uint8Array({ minLength: 1, maxLength: 64 })
    .map((key) => `whsec_${Buffer.from(key).toString('base64')}`);

  it('accepts what it signs', () => {
    fc.assert(
      fc.property(text, id, secret, (body, eventId, key) => {
        const headers = {
          'webhook-id': eventId,
          'webhook-timestamp': String(Math.floor(NOW.getTime() / 1_000)),
          'webhook-signature': new Webhook(key).sign(eventId, NOW, body),
        };
        expect(wordOf(verify(body, headers, key, { now: NOW }))).toBe('verified');
      }),
    );
  });

  it('it accepts what the kit signs', () => {
    fc.assert(
      fc.property(text, id, secret, (body, eventId, key) => {
        const headers = signedHeaders(body, key, { id: eventId });
        expect(() => new Webhook(key).verify(body, headers, { jsonParse: false })).not.toThrow();
      }),
    );
  });
});

describe('verify, whatever comes', () => {
  it('never throws, and never verifies what nobody signed', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withTypedArray: true,
    });
    const headerish = fc.dictionary(
      fc.constantFrom(
        'webhook-id',
        'Webhook-Timestamp',
        'webhook-signature',
        'x-revtain-signature',
        'get',
        '__proto__',
      ),
      fc.oneof(fc.string(), fc.array(fc.string()), fc.constant('v1,'), anything),
    );
    fc.assert(
      fc.property(
        anything,
        fc.oneof(anything, headerish),
        fc.oneof(anything, fc.constant(SECRET)),
        (body, headers, secret) => {
          // As callers in plain JavaScript can: the types are no shield there.
          const called = verify as (...args: unknown[]) => Verification;
          expect(called(body, headers, secret).kind).toBe('refused');
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it('refuses what can not even be read', () => {
    const hostile = {
      get: () => {
        throw new Error('no');
      },
    };
    expect(verify(BODY, hostile, SECRET)).toMatchObject({ kind: 'refused', reason: 'unreadable' });
  });

  const bitOf = (bytes: Buffer, bit: number) => {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return flipped;
  };

  it('a flipped bit of the body never verifies', () => {
    for (let bit = 0; bit < BODY.length * 8; bit += 1) {
      const body = bitOf(Buffer.from(BODY), bit);
      expect(verify(body, only('webhook-'), SECRET, { now: NOW }).kind).toBe('refused');
      expect(verify(body, only('x-'), SECRET).kind).toBe('refused');
    }
  });

  it.each(['webhook-id', 'webhook-timestamp', 'webhook-signature', 'x-revtain-signature'] as const)(
    'a flipped bit of %s never verifies',
    (name) => {
      const scheme = name.startsWith('webhook') ? 'standard' : 'plain';
      const value = Buffer.from(HEADERS[name], 'latin1');
      for (let bit = 0; bit < value.length * 8; bit += 1) {
        const headers = { ...HEADERS, [name]: bitOf(value, bit).toString('latin1') };
        // Any age: the flipped time is to be refused for its signature.
        const options = { scheme, now: NOW, toleranceSeconds: Infinity } as const;
        expect([bit, verify(BODY, headers, SECRET, options).kind]).toEqual([bit, 'refused']);
      }
    },
  );

  it('a flipped bit of a random delivery never verifies', () => {
    const delivery = fc.record({
      body: fc.uint8Array({ minLength: 1, maxLength: 300 }),
      at: fc.nat(),
      secret: fc.constantFrom(SECRET, OTHER),
    });
    fc.assert(
      fc.property(delivery, ({ body, at, secret }) => {
        const headers = signedHeaders(body, secret, { id: 'evt_1', at: NOW });
        expect(verify(body, headers, secret, { now: NOW }).kind).toBe('verified');
        const flipped = bitOf(Buffer.from(body), at % (body.length * 8));
        for (const scheme of ['standard', 'plain'] as const) {
          expect(verify(flipped, headers, secret, { now: NOW, scheme }).kind).toBe('refused');
        }
      }),
    );
  });
});

describe('verify, its forms of input and its options', () => {
  const bytes = Buffer.from(BODY);
  const bodies = {
    text: BODY,
    Buffer: bytes,
    Uint8Array: new Uint8Array(bytes),
    'a view into a larger buffer': new Uint8Array(Uint8Array.from([1, 2, ...bytes, 3]).buffer, 2, bytes.length),
    ArrayBuffer: Uint8Array.from(bytes).buffer,
  };
  it.each(Object.entries(bodies))('takes a body as %s', (_name, body) => {
    expect(verify(body, HEADERS, SECRET, { now: NOW }).kind).toBe('verified');
  });

  const forms = {
    'a plain object': HEADERS,
    'names in capitals': Object.fromEntries(
      Object.entries(HEADERS).map(([name, value]) => [name.toUpperCase(), value]),
    ),
    'lists of one': Object.fromEntries(Object.entries(HEADERS).map(([name, value]) => [name, [value]])),
    'Headers of fetch': new Headers(HEADERS),
    'a Map': new Map(Object.entries(HEADERS)),
  };
  it.each(Object.entries(forms))('takes headers as %s', (_name, headers) => {
    expect(wordOf(verify(BODY, headers, SECRET, { now: NOW }))).toBe('verified');
  });

  it('refuses a header that came twice', () => {
    const twice = { ...HEADERS, 'webhook-id': ['evt_1', 'evt_2'] };
    expect(wordOf(verify(BODY, twice, SECRET, { now: NOW }))).toBe('signature_missing');
    const spelled = { ...HEADERS, 'Webhook-Id': 'evt_2' };
    expect(wordOf(verify(BODY, spelled, SECRET, { now: NOW }))).toBe('signature_missing');
  });

  it('says of parsed JSON that it is not raw', () => {
    const parsed = JSON.parse(BODY) as string; // What a JavaScript caller may well give.
    expect(verify(parsed, HEADERS, SECRET)).toMatchObject({ reason: 'body_not_raw' });
  });

  it('takes the plain header only where no dated one came, unless told otherwise', () => {
    const broken = { ...HEADERS, 'webhook-signature': 'v1,AAAA' };
    expect(wordOf(verify(BODY, broken, SECRET, { now: NOW }))).toBe('signature_mismatch');
    expect(wordOf(verify(BODY, broken, SECRET, { scheme: 'plain' }))).toBe('verified');
    expect(wordOf(verify(BODY, only('x-'), SECRET))).toBe('verified');
    expect(wordOf(verify(BODY, only('x-'), SECRET, { scheme: 'standard' }))).toBe('signature_missing');
  });

  it.each([
    [0, 0, 'verified'],
    [0, 1, 'too_old'],
    [0, -1, 'too_new'],
    [600, 600, 'verified'],
    [600, 601, 'too_old'],
    [NaN, 0, 'too_old'],
    [-1, 0, 'too_old'],
  ])('with a tolerance of %p s, a delivery %p s old is %s', (toleranceSeconds, ageSeconds, expected) => {
    const now = new Date(NOW.getTime() + ageSeconds * 1_000);
    expect(wordOf(verify(BODY, HEADERS, SECRET, { toleranceSeconds, now }))).toBe(expected);
  });

  it("reads the machine's time unless it is told another", () => {
    const fresh = signedHeaders(BODY, SECRET, { id: 'evt_1' });
    expect(wordOf(verify(BODY, fresh, SECRET))).toBe('verified');
  });

  it('skips a secret that is none, and uses the others', () => {
    expect(verify(BODY, HEADERS, ['', 'nonsense', SECRET], { now: NOW })).toMatchObject({ kind: 'verified' });
    expect(wordOf(verify(BODY, HEADERS, [], { now: NOW }))).toBe('no_secret');
  });

  it('tells no part of a secret', () => {
    const refusals = [verify(BODY, HEADERS, OTHER, { now: NOW }), verify(BODY, HEADERS, 'whsec_!', { now: NOW })];
    expect(JSON.stringify(refusals)).not.toMatch(/AAECAwQ|whsec_!/);
  });

  it('signs with nothing but a secret of the right form', () => {
    expect(() => signedHeaders(BODY, 'secret', { id: 'evt_1' })).toThrow(TypeError);
  });
});

import { createHmac } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';

import { proveStripe } from './stripe-signature.js';

const SECRET = 'whsec_of_the_spec';
const NOW = new Date('2026-11-22T00:00:00Z');
const SECONDS = NOW.getTime() / 1000;

function prove(body: string, { secret = SECRET, seconds = SECONDS, signed = body, more = '' } = {}) {
  const mac = createHmac('sha256', secret).update(`${seconds}.${signed}`).digest('hex');
  const headers = { 'stripe-signature': `t=${seconds},v0=ab,v1=${mac}${more}` };
  return proveStripe({ bytes: Buffer.from(body), headers }, ['whsec_another', SECRET], NOW);
}

function refusalOf(proof: ReturnType<typeof prove>): string {
  return proof.kind === 'refused' ? proof.detail : proof.kind;
}

const EVENT = JSON.stringify({ id: 'evt_1', data: { object: { lines: [{ a: 1 }] } } }, null, 2);

describe('a signature', () => {
  it.each([0, 300, -300])('made %i s from now is taken', (offset) => {
    expect(prove(EVENT, { seconds: SECONDS + offset })).toEqual({ kind: 'genuine' });
  });

  it.each([
    [301, '301 s in the future'],
    [-301, '301 s in the past'],
  ])('made %i s from now is refused: %s', (offset, told) => {
    expect(refusalOf(prove(EVENT, { seconds: SECONDS + offset }))).toContain(told);
  });

  it('among others is enough', () => {
    expect(prove(EVENT, { more: `,v1=${'0'.repeat(64)}` })).toEqual({ kind: 'genuine' });
  });

  it('of a body that was parsed and written again says so', () => {
    const written = prove(JSON.stringify(JSON.parse(EVENT)), { signed: EVENT });
    expect(refusalOf(written)).toContain('re-encoded: a proxy');
  });
});

describe('a body that nobody has signed', () => {
  it.each([
    ['so deep that it can not be written again', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['so deep that it would be huge', '['.repeat(3_000) + ']'.repeat(3_000)],
    ['that is long', `[${'{},'.repeat(300_000)}1]`],
  ])('%s is refused as any other', (_title, body) => {
    expect(prove(body, { secret: 'whsec_wrong' })).toMatchObject({ kind: 'refused', field: 'Stripe-Signature' });
  });
});

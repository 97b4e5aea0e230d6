import { describe, expect, it } from '@jest/globals';
import { Webhook } from 'standardwebhooks';

import { fc } from '../../test/support/properties.js';
import { SystemRandom } from '../platform/random.js';
import { newSecret, signatureHeaders, standardSignature } from './signature.js';

const random = new SystemRandom();

/** The library takes bodies as text, so only such bodies can be compared: ours are JSON. */
const body = fc.json({ maxDepth: 2 });
const id = fc.stringMatching(/^evt_[0-9A-Z]{26}$/);

describe('our signatures and the library of Standard Webhooks', () => {
  it('the library accepts what we sign, by either secret of a rotation', () => {
    fc.assert(
      fc.property(body, id, (text, eventId) => {
        const [current, previous] = [newSecret(random), newSecret(random)];
        const sentAt = new Date();
        const headers = signatureHeaders(
          { id: eventId, sentAt, body: Buffer.from(text) },
          { current, previous: { secret: previous, until: new Date(sentAt.getTime() + 60_000) } },
        );
        for (const secret of [current, previous]) {
          expect(new Webhook(secret).verify(text, headers)).toEqual(JSON.parse(text));
        }
        expect(() => new Webhook(newSecret(random)).verify(text, headers)).toThrow('No matching signature');
        expect(() => new Webhook(current).verify(`${text} `, headers)).toThrow('No matching signature');
      }),
      { numRuns: 50 },
    );
  });

  it('the library signs as we do', () => {
    fc.assert(
      fc.property(
        body,
        id,
        fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }),
        (text, eventId, sentAt) => {
          const secret = newSecret(random);
          const ours = standardSignature({ id: eventId, sentAt, body: Buffer.from(text) }, secret);
          expect(new Webhook(secret).sign(eventId, sentAt, text)).toBe(ours);
        },
      ),
      { numRuns: 50 },
    );
  });
});

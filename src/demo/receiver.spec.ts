import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'undici';

import { SystemClock } from '../platform/clock.js';
import { SystemRandom } from '../platform/random.js';
import { bodySignature, newSecret, standardSignature } from '../webhooks/signature.js';
import { DemoReceiver } from './receiver.js';

const secret = newSecret(new SystemRandom());
const event = {
  event: 'recovery.failed',
  id: 'evt_1',
  amount: 1500,
  currency: 'USD',
  reference: 'order-3',
  message: 'Every retry was declined.',
  recommendedAction: 'request_card_update',
  recommendedActionDetail: null,
};

let receiver: DemoReceiver;
let printed: string[];

beforeEach(async () => {
  printed = [];
  receiver = await DemoReceiver.listen({ port: 0, clock: new SystemClock(), print: (text) => printed.push(text) });
  receiver.trust(secret);
});

afterEach(() => receiver.stop());

describe('the demo receiver', () => {
  it('prints an event that the product signed, in one block without what is null', async () => {
    expect(await send(event)).toBe(204);
    expect(printed).toHaveLength(1);
    expect(printed[0]?.split('\n').map((line) => line.trimEnd())).toEqual([
      '── recovery.failed ── both signatures verified ──',
      '   Every retry was declined.',
      '   amount                   1500 USD (smallest unit)',
      '   reference                order-3',
      '   recommendedAction        request_card_update',
      '   id                       evt_1',
      '',
    ]);
  });

  it('takes an event that comes again, and does not act on it twice', async () => {
    await send(event);
    expect(await send(event)).toBe(204);
    expect(printed[1]).toBe('   evt_1 came again: nothing to do');
  });

  it('refuses what somebody else signed and prints nothing of it', async () => {
    expect(await send(event, newSecret(new SystemRandom()))).toBe(401);
    expect(printed).toEqual(['   webhook refused: X-Revtain-Signature does not fit']);
  });

  it('hands over the test it waits for and does not print it', async () => {
    const test = receiver.nextTest();
    await send({ ...event, event: 'webhook.test' });
    expect(await test).toMatchObject({ event: 'webhook.test' });
    expect(printed).toEqual([]);
  });

  it('lets no control character of an event reach the terminal', async () => {
    await send({ ...event, reference: 'a\u001b[2Jb\nc' });
    expect(printed[0]).toContain('reference                a [2Jb c');
  });

  it('answers 404 elsewhere, 413 to what is too long, and 503 before it knows a secret', async () => {
    expect((await request(receiver.url.replace('revtain', 'other'), { method: 'POST' })).statusCode).toBe(404);
    expect(await send({ ...event, message: 'x'.repeat(300_000) })).toBe(413);
    const untold = await DemoReceiver.listen({ port: 0, clock: new SystemClock(), print: () => undefined });
    expect((await request(untold.url, { method: 'POST', body: '{}' })).statusCode).toBe(503);
    await untold.stop();
  });

  it('says in one line that its port is in use', async () => {
    const port = Number(new URL(receiver.url).port);
    const second = DemoReceiver.listen({ port, clock: new SystemClock(), print: () => undefined });
    await expect(second).rejects.toThrow(`REVTAIN_DEMO_RECEIVER_PORT is ${port}, which is in use; accepted: `);
  });
});

async function send(what: { id: string } & Record<string, unknown>, signedWith = secret): Promise<number> {
  const body = Buffer.from(JSON.stringify(what));
  const parts = { id: what.id, sentAt: new SystemClock().now(), body };
  const headers = {
    'content-type': 'application/json',
    'X-Revtain-Signature': bodySignature(body, signedWith),
    'webhook-id': what.id,
    'webhook-timestamp': String(Math.floor(parts.sentAt.getTime() / 1_000)),
    'webhook-signature': standardSignature(parts, signedWith),
  };
  return (await request(receiver.url, { method: 'POST', headers, body })).statusCode;
}

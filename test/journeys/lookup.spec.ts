import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { request } from 'undici';

import { World } from '../support/story.js';

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

const look = (path: string, headers: Record<string, string> = {}) =>
  request(`${world.app.url}/api/lookup/decline${path}`, { headers });

describe('looking up decline codes, without a key', () => {
  it('tells every row of the table', async () => {
    const answer = await look('');
    const { data } = (await answer.body.json()) as { data: { code: string; kind: string; listed: boolean }[] };
    expect(data).toHaveLength(297);
    expect(new Set(data.map(({ kind, code }) => `${kind}:${code}`)).size).toBe(297);
    expect(data.every(({ listed }) => listed)).toBe(true);
  });

  it.each(['', '/stripe/do_not_honor', '/stripe/zz_9'])('%s: cached, and 304 to whoever has it', async (path) => {
    const first = await look(path);
    const tag = String(first.headers.etag);
    expect(first.headers['cache-control']).toMatch(/^public, max-age=\d+$/);
    expect((await first.body.text()).length).toBeGreaterThan(100);

    const again = await look(path, { 'if-none-match': `W/${tag}` });
    expect([again.statusCode, again.headers.etag, await again.body.text()]).toEqual([304, tag, '']);
    const other = await look(path, { 'if-none-match': '"another"' });
    expect([other.statusCode, other.headers.etag]).toEqual([200, tag]);
    await other.body.dump();
  });

  it.each(['/stripe/Stolen_Card', '/stripe/%20stolen_card%20'])('%s is the row that the router reads', async (path) => {
    const { body } = await look(path);
    expect(await body.json()).toMatchObject({ code: 'stolen_card', listed: true, firstStep: 'block' });
  });

  it('says how an unlisted code is handled, and refuses an unknown gateway', async () => {
    const unlisted = await look('/stripe/zz_9');
    expect(await unlisted.body.json()).toMatchObject({ code: 'zz_9', listed: false, firstStep: 'queue' });
    const unknown = await look('/paypal/do_not_honor');
    expect([unknown.statusCode, unknown.headers['content-type']]).toEqual([
      404,
      'application/problem+json; charset=utf-8',
    ]);
    await unknown.body.dump();
  });

  it('what a customer may read is the same for lost, stolen, picked-up, restricted and fraudulent cards', async () => {
    const codes = ['lost_card', 'stolen_card', 'pickup_card', 'restricted_card', 'fraudulent'];
    const texts = await Promise.all(
      codes.map(async (code) => {
        const { body } = await look(`/stripe/${code}`);
        const row = (await body.json()) as { customerMessageSafe: string; customerMessageSafeFinal: string };
        return `${row.customerMessageSafe}|${row.customerMessageSafeFinal}`;
      }),
    );
    expect(new Set(texts).size).toBe(1);
  });

  it('the last word to the customer promises no further try', async () => {
    const { body } = await look('');
    const { data } = (await body.json()) as { data: { customerMessageSafeFinal: string }[] };
    expect(data.filter(({ customerMessageSafeFinal: text }) => /we will try again/i.test(text))).toEqual([]);
  });
});

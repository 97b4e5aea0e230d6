import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { request } from 'undici';

import type { Forwarded } from '../../scripts/listen/forward.js';
import { forwardedText } from '../../scripts/listen/printer.js';
import { Relay } from '../../scripts/listen/relay.js';

const PATH = '/secret';

describe('the relay of npm run listen', () => {
  let handler: Server;
  let relay: Relay;
  let arrived: Buffer[];
  let forwarded: Forwarded[];
  let seen: { rawHeaders: string[]; body: Buffer }[];
  let answer: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    [arrived, forwarded, seen] = [[], [], []];
    answer = (_request, response) => response.end('done');
    handler = createServer((incoming, outgoing) => void take(incoming, outgoing));
    await new Promise<void>((resolve) => handler.listen(0, '127.0.0.1', resolve));
    relay = await Relay.listen({
      forwardTo: `http://127.0.0.1:${(handler.address() as AddressInfo).port}/hook`,
      path: PATH,
      deadlineMs: 300,
      onArrived: ({ body }) => {
        arrived.push(body);
        return Promise.resolve();
      },
      onForwarded: (one) => forwarded.push(one),
    });
  });
  afterEach(async () => {
    await relay.stop();
    handler.closeAllConnections();
    handler.close();
  });

  async function take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    seen.push({ rawHeaders: incoming.rawHeaders, body: Buffer.concat(chunks) });
    answer(incoming, outgoing);
  }

  async function post(body: Buffer | string = '{}', url = relay.url, method: 'POST' | 'GET' = 'POST') {
    const headers = ['X-Revtain-Signature', 'AbC', 'webhook-id', 'evt_1', 'X-Own', 'one', 'X-Own', 'two'];
    const {
      statusCode,
      headers: given,
      body: text,
    } = await request(url, { method, headers, body: method === 'GET' ? null : body });
    return { status: statusCode, headers: given, text: await text.text() };
  }

  it('hands on any bytes, and the headers with their spelling and order', async () => {
    const bytes = randomBytes(300_000);
    expect(await post(bytes)).toMatchObject({ status: 200, text: 'done' });
    expect(seen[0]?.body.equals(bytes)).toBe(true);
    expect(arrived[0]?.equals(bytes)).toBe(true);
    const own = (seen[0]?.rawHeaders ?? []).slice(0, 14).join(' ');
    expect(own).toContain('X-Revtain-Signature AbC webhook-id evt_1 X-Own one X-Own two');
  });

  it.each([200, 204, 302, 400, 410, 429, 500, 503])('gives %p and its Retry-After back', async (status) => {
    answer = (_request, response) =>
      response.writeHead(status, { 'retry-after': '7', location: 'http://127.0.0.1:1/' }).end();
    const given = await post();
    expect([given.status, given.headers['retry-after']]).toEqual([status, '7']);
    expect(seen).toHaveLength(1); // A redirect is not followed.
  });

  it('gives up a handler that is too slow, before Revtain does', async () => {
    answer = () => undefined;
    expect((await post()).status).toBe(502);
    expect(forwarded).toEqual([
      { kind: 'not_forwarded', why: expect.stringMatching(/took more than 0\.3 s: answer first/) },
    ]);
  });

  it('tells of a handler that hangs up', async () => {
    answer = (incoming) => incoming.socket.destroy();
    expect((await post()).status).toBe(502);
    expect(forwarded).toEqual([{ kind: 'not_forwarded', why: expect.stringMatching(/\/hook broke off: /) }]);
  });

  it('reads no more of an endless answer than Revtain does', async () => {
    answer = (_request, response) => {
      const write = () => {
        if (!response.destroyed) response.write('x'.repeat(10_000), () => setImmediate(write));
      };
      write();
    };
    expect((await post()).text).toHaveLength(16_384);
  });

  it('takes nothing that does not know its path', async () => {
    expect((await post('{}', relay.url.replace(PATH, '/'))).status).toBe(404);
    expect((await post('', relay.url, 'GET')).status).toBe(404);
    expect(seen).toEqual([]);
  });

  it.each([
    [200, /^→ 200 OK in 5 ms$/],
    [204, /^→ 204 No Content in 5 ms$/],
    [302, /redirect is not followed/],
    [401, /secret of this session\?/],
    [410, /disables the endpoint; start listen again/],
    [500, /: Revtain sends it again$/],
  ])('says what %p means', (status, text) => {
    const one: Forwarded = { kind: 'answered', status, retryAfter: null, excerpt: Buffer.alloc(0), durationMs: 5 };
    expect(forwardedText(one)).toMatch(text);
  });
});

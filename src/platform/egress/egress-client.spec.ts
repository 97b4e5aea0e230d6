import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSocketServer, type AddressInfo, type Server as SocketServer } from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, it } from '@jest/globals';

import { SystemClock } from '../clock.js';
import { EgressClient, type EgressAnswer, type EgressOptions } from './egress-client.js';
import type { EgressPolicy } from './url-rules.js';

const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0)) await end();
});

function clientOf(policy: Partial<EgressPolicy> = {}, options: EgressOptions = {}): EgressClient {
  const client = new EgressClient({ ports: [443], allowLoopback: true, ...policy }, new SystemClock(), options);
  ending.push(() => client.close());
  return client;
}

async function listening(server: Server | SocketServer, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  ending.unshift(
    () =>
      new Promise((resolve) => {
        if ('closeAllConnections' in server) server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  return (server.address() as AddressInfo).port;
}

const serve = (listener: RequestListener) => listening(createServer(listener));

function post(client: EgressClient, url: string, deadlineMs = 2_000): Promise<EgressAnswer> {
  return client.post({ url, headers: { 'Content-Type': 'application/json' }, body: Buffer.from('{}'), deadlineMs });
}

describe('EgressClient', () => {
  it('posts the bytes and the headers, and reads status, Retry-After and body', async () => {
    const seen: unknown[] = [];
    const port = await serve((request, response) => {
      request.on('data', (chunk: Buffer) => seen.push(request.method, request.url, chunk.toString()));
      request.on('end', () => response.writeHead(503, { 'Retry-After': '7' }).end('later'));
    });
    const answer = await post(clientOf(), `http://127.0.0.1:${port}/hook?a=1`);
    expect(seen).toEqual(['POST', '/hook?a=1', '{}']);
    expect(answer).toMatchObject({ kind: 'answered', status: 503, retryAfter: '7', excerpt: Buffer.from('later') });
  });

  it('reads the first Retry-After of a receiver that sends two', async () => {
    const port = await serve((_request, response) => response.writeHead(503, { 'Retry-After': ['7', '9'] }).end());
    expect(await post(clientOf(), `http://127.0.0.1:${port}/`)).toMatchObject({ status: 503, retryAfter: '7' });
  });

  it('reaches localhost by name, for the exemption holds for it', async () => {
    const port = await serve((_request, response) => response.end());
    expect(await post(clientOf(), `http://localhost:${port}/`)).toMatchObject({ status: 200 });
  });

  it.each([301, 302, 307, 308])('does not follow a %i, not even to a literal', async (status) => {
    let reached = 0;
    const canary = await serve((_request, response) => {
      reached += 1;
      response.end();
    });
    const port = await serve((_request, response) =>
      response.writeHead(status, { Location: `http://127.0.0.1:${canary}/` }).end(),
    );
    expect(await post(clientOf(), `http://127.0.0.1:${port}/`)).toMatchObject({ status });
    expect(reached).toBe(0);
  });

  it('stops after 16 KiB of an endless answer and keeps its status', async () => {
    const port = await serve((_request, response) => {
      const pump = () => {
        while (!response.destroyed && response.write('x'.repeat(4096)));
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    });
    const answer = await post(clientOf(), `http://127.0.0.1:${port}/`);
    expect(answer).toMatchObject({ kind: 'answered', status: 200 });
    expect(answer.kind === 'answered' && answer.excerpt.length).toBe(16 * 1024);
  });

  it('ends a dripping answer at the deadline and keeps its status', async () => {
    const port = await serve((_request, response) => {
      const drip = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(drip));
    });
    const answer = await post(clientOf(), `http://127.0.0.1:${port}/`, 300);
    expect(answer).toMatchObject({ kind: 'answered', status: 200 });
    expect(answer.durationMs).toBeLessThan(600);
  });

  it('does not decompress', async () => {
    const packed = gzipSync('x'.repeat(1_000_000));
    const port = await serve((_request, response) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(packed),
    );
    expect(await post(clientOf(), `http://127.0.0.1:${port}/`)).toMatchObject({ excerpt: packed });
  });

  it('gives up on a receiver that takes the request and says nothing', async () => {
    const port = await serve(() => undefined);
    const answer = await post(clientOf(), `http://127.0.0.1:${port}/`, 250);
    expect(answer).toMatchObject({ kind: 'no_answer', cause: 'the deadline has passed' });
  });

  it('sends nothing after a deadline that passed while the name was looked up', async () => {
    let reached = 0;
    const port = await serve((_request, response) => {
      reached += 1;
      response.end();
    });
    const resolve = () =>
      new Promise<{ address: string; family: number }[]>((settle) =>
        setTimeout(() => settle([{ address: '127.0.0.1', family: 4 }]), 300),
      );
    expect(await post(clientOf({}, { resolve }), `http://localhost:${port}/`, 100)).toMatchObject({
      kind: 'no_answer',
    });
    await new Promise((settle) => setTimeout(settle, 400));
    expect(reached).toBe(0);
  });

  it('reports a closed port, a reset and a broken answer alike', async () => {
    const closed = await serve(() => undefined);
    await ending.shift()?.();
    const reset = await serve((request) => request.socket.resetAndDestroy());
    const broken = await listening(createSocketServer((socket) => socket.resume().end('nonsense\r\n\r\n')));
    for (const port of [closed, reset, broken]) {
      expect(await post(clientOf(), `http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'no_answer' });
    }
  });

  describe('with a DNS that lies', () => {
    const canaryPorts = async () => {
      let accepted = 0;
      const server = createSocketServer((socket) => {
        accepted += 1;
        socket.destroy();
      });
      return { port: await listening(server), accepted: () => accepted };
    };
    const answering = (...addresses: string[]) => ({
      resolve: () => Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))),
    });

    it.each([
      [['127.0.0.1']],
      [['::1']],
      [['::ffff:127.0.0.1']],
      [['8.8.8.8', '127.0.0.1']],
      [['169.254.169.254']],
      [['10.0.0.1', '8.8.8.8']],
      [[]],
    ])('opens no connection to a name that resolves to %j', async (addresses) => {
      const canary = await canaryPorts();
      const client = clientOf({ ports: [canary.port] }, answering(...addresses));
      expect(await post(client, `https://rebound.example:${canary.port}/`, 500)).toMatchObject({ kind: 'no_answer' });
      expect(canary.accepted()).toBe(0);
    });

    it('takes no public address for localhost', async () => {
      const client = clientOf({}, answering('8.8.8.8'));
      const answer = await post(client, 'http://localhost:4/', 500);
      expect(answer).toMatchObject({ kind: 'no_answer', cause: expect.stringContaining('8.8.8.8') });
    });

    it('checks again at each connection, so an answer that changes later is refused too', async () => {
      const canary = await canaryPorts();
      let asked = 0;
      const resolve = () => {
        asked += 1;
        return Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
      };
      const client = clientOf({ ports: [canary.port] }, { resolve });
      await post(client, `https://rebound.example:${canary.port}/`, 500);
      await post(client, `https://rebound.example:${canary.port}/`, 500);
      expect(asked).toBe(2);
      expect(canary.accepted()).toBe(0);
    });
  });
});

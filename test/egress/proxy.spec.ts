import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  connect,
  createServer as createSocketServer,
  type AddressInfo,
  type Server as SocketServer,
  type Socket,
} from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';

import { SystemClock } from '../../src/platform/clock.js';
import { COULD_NOT_CONNECT, EgressClient, type EgressOptions } from '../../src/platform/egress/egress-client.js';

interface Tunnelled {
  authority: string;
  authorization: string | undefined;
}

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

async function listening(server: Server | SocketServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ending.push(() => {
    if ('closeAllConnections' in server) server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that remembers what it was asked for and leads every tunnel to one port, or answers with a refusal. */
async function proxyTo(target: number | null, status = 200): Promise<{ url: string; asked: Tunnelled[] }> {
  const asked: Tunnelled[] = [];
  const server = createServer();
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push({ authority: request.url ?? '', authorization: request.headers['proxy-authorization'] });
    socket.on('error', () => undefined);
    if (target === null) return socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\n\r\n`);
    const onward = connect(target, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
  });
  return { url: `http://rev:p%40ss@127.0.0.1:${await listening(server)}`, asked };
}

function clientOf(proxy: string, options: EgressOptions = {}): EgressClient {
  const client = new EgressClient({ ports: [443], allowLoopback: true, proxy }, new SystemClock(), {
    resolve: () => Promise.reject(new Error('no DNS here')),
    ...options,
  });
  ending.push(() => void client.close());
  return client;
}

const call = (client: EgressClient, url: string, deadlineMs = 1_000) =>
  client.post({ url, headers: {}, body: Buffer.from('{}'), deadlineMs });

describe('with a proxy', () => {
  it('asks it for the name and port, with its credentials, and speaks TLS through the tunnel', async () => {
    const hellos: Buffer[] = [];
    const target = await listening(
      createSocketServer((socket) =>
        socket.once('data', (bytes) => {
          hellos.push(bytes);
          socket.destroy();
        }),
      ),
    );
    const { url, asked } = await proxyTo(target);
    const answer = await call(clientOf(url), 'https://merchant.example/hook');
    expect(answer).toMatchObject({ kind: 'no_answer', text: COULD_NOT_CONNECT });
    expect(asked).toEqual([
      { authority: 'merchant.example:443', authorization: `Basic ${Buffer.from('rev:p@ss').toString('base64')}` },
    ]);
    // A TLS handshake for the merchant's name; not one byte of the request went out in the clear.
    expect(hellos[0]?.[0]).toBe(0x16);
    expect(hellos[0]?.includes('merchant.example')).toBe(true);
    expect(hellos[0]?.includes('POST')).toBe(false);
  });

  it.each(['https://127.0.0.1.:443/', 'https://10.0.0.1/', 'https://[::ffff:10.0.0.1]/', 'https://[64:ff9b::a00:1]/'])(
    'is not asked for %s',
    async (target) => {
      const { url, asked } = await proxyTo(null);
      const client = new EgressClient({ ports: [443], allowLoopback: false, proxy: url }, new SystemClock());
      ending.push(() => void client.close());
      expect(await call(client, target)).toMatchObject({ kind: 'no_answer', durationMs: 0 });
      expect(asked).toEqual([]);
    },
  );

  it('is not asked for a name that our own DNS leads inward', async () => {
    const { url, asked } = await proxyTo(null);
    const resolve = () => Promise.resolve([{ address: '10.0.0.1', family: 4 }]);
    const answer = await call(clientOf(url, { resolve }), 'https://inward.example/');
    expect(answer).toMatchObject({ kind: 'no_answer', cause: '10.0.0.1 is not an address we connect to' });
    expect(asked).toEqual([]);
  });

  it('is passed by for this machine, where that is allowed', async () => {
    const { url, asked } = await proxyTo(null);
    const server = createServer((_request, response) => response.end());
    const port = await listening(server);
    expect(await call(clientOf(url), `http://127.0.0.1:${port}/`)).toMatchObject({ status: 200 });
    expect(asked).toEqual([]);
  });

  it.each([403, 407, 502])('tells nothing of its %i to users', async (status) => {
    const { url } = await proxyTo(null, status);
    const answer = await call(clientOf(url), 'https://merchant.example/');
    expect(answer).toMatchObject({ text: COULD_NOT_CONNECT, cause: `the proxy answered ${status}` });
  });

  it('ends at the deadline when it does not answer, and when it is not there', async () => {
    const silent = await listening(createSocketServer((socket) => ending.push(() => socket.destroy())));
    const late = await call(clientOf(`http://127.0.0.1:${silent}`), 'https://merchant.example/', 200);
    expect(late).toMatchObject({ kind: 'no_answer', text: COULD_NOT_CONNECT });
    expect(late.durationMs).toBeLessThan(600);
    expect(await call(clientOf('http://127.0.0.1:1'), 'https://merchant.example/')).toMatchObject({
      ...{ kind: 'no_answer', text: COULD_NOT_CONNECT },
    });
  });

  it('may not put words of its own into the tunnel', async () => {
    const server = createServer();
    server.on('connect', (_request, socket: Socket) => {
      socket.on('error', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
    const proxy = `http://127.0.0.1:${await listening(server)}`;
    const answer = await call(clientOf(proxy), 'https://merchant.example/');
    expect(answer).toMatchObject({ kind: 'no_answer', text: COULD_NOT_CONNECT });
  });
});

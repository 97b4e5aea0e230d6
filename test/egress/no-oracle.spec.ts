import { createServer, type RequestListener } from 'node:http';
import { createServer as createSocketServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Agent, interceptors, request } from 'undici';

import { SystemClock } from '../../src/platform/clock.js';
import { COULD_NOT_CONNECT, EgressClient, NO_ANSWER_IN_TIME } from '../../src/platform/egress/egress-client.js';
import { guardedConnect } from '../../src/platform/egress/guarded-connect.js';

const ending: (() => void)[] = [];
afterEach(() => {
  for (const end of ending.splice(0)) end();
});

async function listening(server: Server, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  ending.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const sockets = (take: (socket: Socket) => void) =>
  listening(
    createSocketServer((socket) => {
      socket.on('error', () => undefined);
      ending.push(() => socket.destroy());
      take(socket);
    }),
  );
const serve = (listener: RequestListener) => listening(createServer(listener));

async function call(url: string, deadlineMs = 300) {
  const client = new EgressClient({ ports: [443], allowLoopback: true }, new SystemClock());
  const answer = await client.post({ url, headers: {}, body: Buffer.from('{}'), deadlineMs });
  await client.close();
  return answer;
}

describe('what a failed call tells its user', () => {
  it('is the same for a closed port, a reset, nonsense, and TLS that is none', async () => {
    const closed = await sockets(() => undefined);
    ending.pop()?.();
    const ports: Record<string, string> = {
      'closed port': `http://127.0.0.1:${closed}/`,
      'reset at once': `http://127.0.0.1:${await sockets((socket) => socket.resetAndDestroy())}/`,
      'reset on request': `http://127.0.0.1:${await sockets((socket) => socket.once('data', () => socket.resetAndDestroy()))}/`,
      'closed on request': `http://127.0.0.1:${await sockets((socket) => socket.once('data', () => socket.end()))}/`,
      nonsense: `http://127.0.0.1:${await sockets((socket) => socket.end('SSH-2.0-OpenSSH_9\r\n'))}/`,
      'half a status line': `http://127.0.0.1:${await sockets((socket) => socket.end('HTTP/1.1 2'))}/`,
      'plain where TLS was meant': `https://127.0.0.1:${await sockets((socket) => socket.end('hello'))}/`,
      'a TLS port that is silent': `https://127.0.0.1:${await sockets(() => undefined)}/`,
    };
    for (const [what, url] of Object.entries(ports)) {
      expect([what, await call(url)]).toEqual([
        what,
        expect.objectContaining({ kind: 'no_answer', text: COULD_NOT_CONNECT }),
      ]);
    }
  });

  it('is a time-out only for a receiver that took the request and said nothing', async () => {
    const port = await serve(() => undefined);
    expect(await call(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'no_answer', text: NO_ANSWER_IN_TIME });
  });
});

describe('a redirect to an address inside', () => {
  it('is followed by a bare agent with a pinned look-up, and not past the guard', async () => {
    let reached = 0;
    const canary = await serve((_request, response) => {
      reached += 1;
      response.end();
    });
    const port = await serve((_request, response) =>
      response.writeHead(307, { Location: `http://127.0.0.1:${canary}/` }).end(),
    );
    const lookups: string[] = [];
    // The trap: undici asks no look-up for an address, so one that only checks names is passed by.
    const bare = new Agent({
      connect: {
        lookup: (name, _options, callback) => {
          lookups.push(name);
          callback(null, [{ address: '127.0.0.1', family: 4 }]);
        },
      },
    }).compose(interceptors.redirect({ maxRedirections: 1 }));
    await request(`http://rebound.example:${port}/`, { dispatcher: bare });
    expect([reached, lookups]).toEqual([1, ['rebound.example']]);
    await bare.close();

    const connectOf = (allowLoopback: boolean) => guardedConnect({ ports: [443], allowLoopback }, 1_000);
    const guarded = new Agent({ connect: connectOf(false) }).compose(interceptors.redirect({ maxRedirections: 1 }));
    await expect(request(`http://127.0.0.1:${canary}/`, { dispatcher: guarded })).rejects.toThrow('not an address');
    await guarded.close();
    expect(reached).toBe(1);
  });

  it.each(['http://127.0.0.1:1/', 'https://169.254.169.254/', '//10.0.0.1/', 'file:///etc/passwd', '/again'])(
    'to %s stays an answer of 302',
    async (location) => {
      let asked = 0;
      const port = await serve((_request, response) => {
        asked += 1;
        response.writeHead(302, { Location: location }).end();
      });
      expect(await call(`http://127.0.0.1:${port}/`)).toMatchObject({ kind: 'answered', status: 302 });
      expect(asked).toBe(1);
    },
  );
});

import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createSocketServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { type Certificate, selfSigned, TestAuthority } from '../egress/certificates.js';
import type { Dispatcher } from '../../src/webhooks/dispatcher.js';
import { assertSigned, type ReceivedWebhook, type WebhookBody } from '../support/receiver.js';
import { WebhookRoom } from '../support/webhook-room.js';

/** The ten seconds of a try, sixteen times as fast. */
const DEADLINE_MS = 625;
const JUST_BEFORE_MS = 0.9 * DEADLINE_MS;
const JUST_AFTER_MS = 1.1 * DEADLINE_MS;

type Take = (response: ServerResponse, request: IncomingMessage) => void;

interface Fault {
  take: Take;
  /** What the try comes to. */
  status: number | null;
  error?: string;
  delivered?: boolean;
}

const answers = (status: number, headers: Record<string, string> = {}): Take => {
  return (response) => response.writeHead(status, headers).end();
};
const late = (ms: number): Take => {
  return (response) => void setTimeout(() => response.destroyed || response.writeHead(200).end(), ms);
};
const reset: Take = (_response, { socket }) => void socket.resetAndDestroy();
const raw = (text: string, end: (socket: Socket) => void = (socket) => socket.end()): Take => {
  return (_response, { socket }) => void socket.write(text, () => end(socket));
};
const endless: Take = (response) => {
  response.writeHead(200);
  const pump = () => {
    while (!response.destroyed && response.write(Buffer.alloc(8_192, 120)));
    if (!response.destroyed) response.once('drain', pump);
  };
  pump();
};
const drip: Take = (response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write('.'), 25);
  response.on('close', () => clearInterval(timer));
};

/** A merchant's backend that does to each path what it is told to, and remembers what it took. */
class FaultyReceiver {
  readonly received: ReceivedWebhook[] = [];
  private readonly scripts = new Map<string, Take[]>();
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  port = 0;

  async start(): Promise<void> {
    this.port = await this.listen(createServer(this.listener));
  }

  readonly listener: RequestListener = (request, response) => void this.take(request, response);

  async listen(server: Server): Promise<number> {
    this.servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.sockets.add(socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket)));
    });
    server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, resolve));
    return (server.address() as AddressInfo).port;
  }

  script(path: string, ...takes: Take[]): void {
    this.scripts.set(path, takes);
  }

  at(path: string): ReceivedWebhook[] {
    return this.received.filter((each) => each.path === path);
  }

  stop(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const path = request.url ?? '/';
    const take = this.scripts.get(path)?.shift();
    const body = JSON.parse(bytes.toString()) as WebhookBody;
    const answeredWith = take ? 0 : 200;
    this.received.push({ path, headers: request.headers, bytes, body, answeredWith, receivedAt: new Date() });
    (take ?? answers(200))(response, request);
  }
}

const soon = (ms: number) => new Date(Math.ceil((Date.now() + ms) / 1_000) * 1_000).toUTCString();

describe('deliveries to a receiver with every fault', () => {
  const authority = new TestAuthority();
  const receiver = new FaultyReceiver();
  let room: WebhookRoom;
  let dispatcher: Dispatcher;
  let canaryPort = 0;
  let canaryTaken = 0;
  let names = 0;

  beforeAll(async () => {
    room = await WebhookRoom.open({ tryDeadlineMs: DEADLINE_MS, ca: authority.ca });
    await receiver.start();
    canaryPort = await receiver.listen(createSocketServer(() => (canaryTaken += 1)));
    dispatcher = room.startDispatcher();
  });
  afterAll(async () => {
    receiver.stop();
    await room.close();
    expect(canaryTaken).toBe(0);
  });

  async function merchant(origin = `http://127.0.0.1:${receiver.port}`) {
    const clientId = await room.newClient();
    const path = `/faults/${++names}`;
    return { clientId, path, endpoint: await room.newEndpoint(clientId, origin + path) };
  }

  async function hurry(clientId: string): Promise<void> {
    await room.hurry(clientId);
    dispatcher.wake();
  }

  async function tell(clientId: string) {
    const recovery = await room.newRecovery(clientId);
    await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
    dispatcher.wake();
    return recovery;
  }

  /** One event, tried once. */
  async function tryOnce(origin?: string, take?: Take) {
    const { clientId, path, endpoint } = await merchant(origin);
    if (take) receiver.script(path, take);
    const recovery = await tell(clientId);
    const [delivery] = await room.until(
      recovery,
      ({ status, schedule_step }) => schedule_step > 0 || status !== 'pending',
    );
    if (!delivery) throw new Error('nothing was told');
    return { clientId, path, endpoint, recovery, delivery };
  }

  /** Every try of an event: one id, one body, one place in line, each signed anew and numbered. */
  function expectOneEvent(tries: ReceivedWebhook[], secret: string): void {
    for (const each of tries) assertSigned(each, secret);
    expect(new Set(tries.map(({ bytes }) => bytes.toString('base64'))).size).toBe(1);
    expect(new Set(tries.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(new Set(tries.map(({ headers }) => headers['x-revtain-sequence']))).toEqual(new Set(['1']));
    const numbers = tries.map(({ headers }) => Number(headers['x-revtain-delivery-attempt']));
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect(new Set(numbers).size).toBe(numbers.length);
  }

  const redirectTo = (where: string) => ({ Location: where });
  const faults: Record<string, Fault> = {
    '200 just in time': { take: late(JUST_BEFORE_MS), status: 200, delivered: true },
    '200 just too late': { take: late(JUST_AFTER_MS), status: null, error: 'no answer in time' },
    'no answer at all': { take: () => undefined, status: null, error: 'no answer in time' },
    '204': { take: answers(204), status: 204, delivered: true },
    '299': { take: answers(299), status: 299, delivered: true },
    '103, then nothing': {
      take: raw('HTTP/1.1 103 Early Hints\r\n\r\n', () => undefined),
      status: null,
      error: 'no answer in time',
    },
    'a body that drips past the deadline': { take: drip, status: 200, delivered: true },
    'an endless body': { take: endless, status: 200, delivered: true },
    'a compressed bomb': {
      take: (response) =>
        response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(Buffer.alloc(5_000_000))),
      status: 200,
      delivered: true,
    },
    'headers that drip': {
      take: raw('HTTP/1.1 200 OK\r\nX-Slow: ', () => undefined),
      status: null,
      error: 'no answer in time',
    },
    'headers without end': {
      take: raw(`HTTP/1.1 200 OK\r\nX-Big: ${'x'.repeat(200_000)}`, () => undefined),
      status: null,
      error: 'could not connect',
    },
    nonsense: { take: raw('no protocol at all\r\n\r\n'), status: null, error: 'could not connect' },
    'half a status line': { take: raw('HTTP/1.1 20'), status: null, error: 'could not connect' },
    'a reset after the request': { take: reset, status: null, error: 'could not connect' },
    'a reset after the status': {
      take: raw(
        'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc',
        (socket) => void setTimeout(() => socket.resetAndDestroy(), 30),
      ),
      status: 200,
      delivered: true,
    },
    '500': { take: answers(500), status: 500 },
    '401': { take: answers(401), status: 401 },
    '404': { take: answers(404), status: 404 },
    '304': { take: answers(304), status: 304 },
    '500 that says twice when to come again': {
      take: raw('HTTP/1.1 500 Busy\r\nRetry-After: 0\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n'),
      status: 500,
    },
  };

  it.each(Object.entries(faults))('%s: the try is what it is, and the event arrives', async (_name, fault) => {
    const { clientId, path, endpoint, recovery, delivery } = await tryOnce(undefined, fault.take);
    expect(delivery).toMatchObject({
      status: fault.delivered ? 'delivered' : 'pending',
      last_status: fault.status,
      last_error: fault.error ?? null,
      try_count: 1,
    });
    if (!fault.delivered) await hurry(clientId);
    await room.until(recovery, ({ status }) => status === 'delivered');
    expect(receiver.at(path)).toHaveLength(fault.delivered ? 1 : 2);
    expectOneEvent(receiver.at(path), endpoint.secret);
  });

  it.each([301, 302, 303, 307, 308])('a %i to this machine is a failure and is not followed', async (status) => {
    for (const where of [
      `http://127.0.0.1:${canaryPort}/`,
      `http://localhost:${canaryPort}/`,
      `//[::1]:${canaryPort}/`,
    ]) {
      const { delivery } = await tryOnce(undefined, answers(status, redirectTo(where)));
      expect(delivery).toMatchObject({ status: 'pending', last_status: status });
    }
    expect(canaryTaken).toBe(0);
  });

  it.each([
    ['429 with seconds', 429, '2', 1_900],
    ['503 with a date', 503, soon(2_500), 1_000],
    ['429 with the old form of a date', 429, 'Sunday, 06-Nov-94 08:49:37 GMT', 900],
  ])('%s is never called earlier than it says', async (_name, status, retryAfter, waitMs) => {
    const { path, recovery } = await tryOnce(undefined, answers(status, { 'Retry-After': retryAfter }));
    await room.until(recovery, ({ status: stands }) => stands === 'delivered');
    const [first, second] = receiver.at(path);
    expect(Number(second?.receivedAt) - Number(first?.receivedAt)).toBeGreaterThanOrEqual(waitMs);
    const asked = Date.parse(retryAfter);
    if (!/^\d+$/.test(retryAfter)) expect(Number(second?.receivedAt)).toBeGreaterThanOrEqual(asked);
  });

  it('410 disables at once; what is told afterwards does not reach it', async () => {
    const { clientId, path, delivery } = await tryOnce(undefined, answers(410));
    expect(delivery.status).toBe('endpoint_disabled');
    await tell(clientId);
    await sleep(100);
    expect(receiver.at(path)).toHaveLength(1);
    const [endpoint] = await room.sql('SELECT disabled_reason FROM webhook_endpoints WHERE client_id = $1', [clientId]);
    expect(endpoint).toEqual({ disabled_reason: 'gone' });
  });

  describe('over TLS', () => {
    const secure = (certificate: Certificate, options: object = {}) =>
      receiver.listen(createSecureServer({ ...certificate, ...options }, receiver.listener));
    const origin = (port: number) => `https://localhost:${port}`;

    it('delivers to a certificate of a known authority for the very name', async () => {
      const port = await secure(authority.certify({ name: 'localhost' }));
      expect((await tryOnce(origin(port))).delivery).toMatchObject({ status: 'delivered', last_status: 200 });
    });

    const past = { validFrom: new Date('2020-01-01'), validTo: new Date('2021-01-01') };
    const ahead = { validFrom: new Date('2099-01-01'), validTo: new Date('2100-01-01') };
    const defects: Record<string, () => Promise<number>> = {
      expired: () => secure(authority.certify({ name: 'localhost', ...past })),
      'not valid yet': () => secure(authority.certify({ name: 'localhost', ...ahead })),
      "another host's": () => secure(authority.certify({ name: 'other.example' })),
      'self-signed': () => secure(selfSigned('localhost')),
      "an unknown authority's": () => secure(new TestAuthority('ca of nobody').certify({ name: 'localhost' })),
      'TLS 1.1 at most': () =>
        secure(authority.certify({ name: 'localhost' }), {
          ...{ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
        }),
      'no TLS at all': () => receiver.listen(createServer(receiver.listener)),
      'a reset in the handshake': () =>
        receiver.listen(createSocketServer((socket) => socket.once('data', () => socket.resetAndDestroy()))),
      'a reset at once': () => receiver.listen(createSocketServer((socket) => socket.resetAndDestroy())),
      'a silent handshake': () => receiver.listen(createSocketServer(() => undefined)),
    };
    it.each(Object.keys(defects))('sends nothing over a connection that is %s', async (name) => {
      const port = (await defects[name]?.()) ?? 0;
      const { path, delivery } = await tryOnce(origin(port));
      expect(delivery).toMatchObject({ status: 'pending', last_status: null, last_error: 'could not connect' });
      expect(receiver.at(path)).toEqual([]);
    });
  });

  describe('flapping', () => {
    /** A fixed sequence that looks like chance, so that a failure comes again. */
    function chance(seed: number): () => number {
      let state = seed;
      return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    }

    // Fewer than the tries of one event, so that none is given up, whoever meets all the bad weather.
    const FAULTS_EACH = 9;
    const weather: Take[] = [
      answers(200),
      answers(200),
      answers(500),
      reset,
      answers(301, redirectTo('/')),
      late(JUST_AFTER_MS),
    ];

    it('keeps the order of each recovery, loses nothing and changes no byte, with two processes', async () => {
      room.startDispatcher();
      const draw = chance(20_261_121);
      const merchants = await Promise.all(Array.from({ length: 4 }, () => merchant()));
      for (const { clientId, path, endpoint } of merchants) {
        await room.sql(
          `UPDATE webhook_endpoints SET events = '{recovery.scheduled,recovery.attempt_failed,recovery.success}' WHERE id = $1`,
          [endpoint.id],
        );
        receiver.script(
          path,
          ...Array.from({ length: FAULTS_EACH }, () => weather[Math.floor(draw() * weather.length)] ?? reset),
        );
        for (let count = 0; count < 4; count += 1) {
          const recovery = await room.newRecovery(clientId);
          await room.book(recovery, { events: ['recovery.scheduled', 'recovery.attempt_failed'] });
          await room.book(recovery, { events: ['recovery.success'], state: 'succeeded' });
        }
      }
      for (const { clientId } of merchants) await settle(clientId);
      for (const { clientId, path, endpoint } of merchants) await expectInvariants(clientId, path, endpoint.secret);
    });

    async function settle(clientId: string): Promise<void> {
      for (let turn = 0; turn < 200; turn += 1) {
        if ((await room.deliveries({ clientId })).every(({ status }) => status === 'delivered')) return;
        await hurry(clientId);
        await sleep(50);
      }
      throw new Error(`not all came: ${JSON.stringify(await room.deliveries({ clientId }))}`);
    }

    async function expectInvariants(clientId: string, path: string, secret: string): Promise<void> {
      const came = receiver.at(path);
      for (const each of came) assertSigned(each, secret);
      const told = await room.deliveries({ clientId });
      // At least once, and every time the same.
      expect(new Set(came.map(({ body }) => body.id))).toEqual(new Set(told.map(({ event_id }) => event_id)));
      expect(new Set(came.map(({ bytes }) => bytes.toString())).size).toBe(told.length);
      for (const id of new Set(came.map(({ body }) => body.revtainTransactionId))) {
        const tries = came.filter(({ body }) => body.revtainTransactionId === id);
        // A later event is never seen before an earlier one has got through, and the numbers have no gap.
        const places = tries.map(({ headers }) => Number(headers['x-revtain-sequence']));
        expect(places).toEqual([...places].sort((one, other) => one - other));
        expect([...new Set(places)]).toEqual([1, 2, 3]);
        expect(tries.map(({ body }) => body.sequence)).toEqual(places);
        const finals = new Set(tries.filter(({ body }) => body.final).map(({ body }) => body.id));
        expect(finals.size).toBe(1);
      }
    }
  });
});

import { createServer, request as nodeRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, type INestApplication, Module, Post, Req, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import fastify from 'fastify';
import { request } from 'undici';

import { expressReceiver } from '../../packages/receiver/src/express.js';
import { fastifyHandler, fastifyReceiver } from '../../packages/receiver/src/fastify.js';
import { fetchReceiver } from '../../packages/receiver/src/fetch.js';
import { memoryStore } from '../../packages/receiver/src/memory-store.js';
import { nestReceiver, type NestResponse } from '../../packages/receiver/src/nest.js';
import type { NodeRequest } from '../../packages/receiver/src/node-request.js';
import type { ReceiverOptions } from '../../packages/receiver/src/receive.js';
import { on } from '../../packages/receiver/src/router.js';
import { type Delivery, deliveryOf, SECRET } from './deliveries.js';

/** What a handler has seen, and whether it is to fail. */
interface Backend {
  seen: string[];
  fails: boolean;
  options: ReceiverOptions;
}

interface Answer {
  status: number;
  text: string;
}

type Post = (delivery: Delivery) => Promise<Answer>;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function newBackend(): Backend {
  const backend: Backend = {
    seen: [],
    fails: false,
    options: {
      secret: SECRET,
      store: memoryStore(),
      route: on({
        'recovery.failed': async (event) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (backend.fails) throw new Error('the mail server is down');
          backend.seen.push(event.id);
        },
        otherwise: () => undefined,
      }),
    },
  };
  return backend;
}

async function postTo(url: string, { body, headers }: Delivery): Promise<Answer> {
  const answer = await request(url, { method: 'POST', headers, body });
  return { status: answer.statusCode, text: await answer.body.text() };
}

async function listen(server: Server): Promise<Post> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return (delivery) => postTo(`http://127.0.0.1:${port}/hook`, delivery);
}

/** An Express application; its own error handler tells what came to `next`. */
function expressApp(prepare: (app: express.Express) => void): Promise<Post> {
  const app = express();
  prepare(app);
  type Failure = Error & { status?: number };
  app.use((error: Failure, _request: express.Request, response: express.Response, _next: express.NextFunction) => {
    response.status(error.status ?? 500).send(error.message);
  });
  return listen(createServer(app));
}

function nestApp(adapter: 'express' | 'fastify', rawBody: boolean) {
  return async ({ options }: Backend): Promise<Post> => {
    const RECEIVE = Symbol('receive');
    @Controller('hook')
    class Hooks {
      constructor(@Inject(RECEIVE) private readonly receive: ReturnType<typeof nestReceiver>) {}
      @Post()
      take(@Req() incoming: NodeRequest, @Res() response: NestResponse): Promise<void> {
        return this.receive(incoming, response);
      }
    }
    @Module({ controllers: [Hooks], providers: [{ provide: RECEIVE, useValue: nestReceiver(options) }] })
    class App {}
    const settings = { rawBody, logger: false, abortOnError: false } as const;
    const made: INestApplication =
      adapter === 'express'
        ? await NestFactory.create(App, new ExpressAdapter(), settings)
        : await NestFactory.create(App, new FastifyAdapter(), settings);
    await made.listen(0, '127.0.0.1');
    closers.push(() => made.close());
    const url = await made.getUrl();
    return (delivery) => postTo(`${url}/hook`, delivery);
  };
}

async function fastifyApp({ options }: Backend): Promise<Post> {
  const app = fastify();
  await app.register(fastifyReceiver({ path: '/hook', ...options }));
  app.post('/json', (incoming) => Promise.resolve({ parsed: incoming.body }));
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  closers.push(() => app.close());
  const other = await postTo(`${url}/json`, { body: '{"a":1}', headers: { 'content-type': 'application/json' } });
  expect(other.text).toBe('{"parsed":{"a":1}}'); // The rest of the application parses as before.
  return (delivery) => postTo(`${url}/hook`, delivery);
}

function fetchApp({ options }: Backend): Promise<Post> {
  const take = fetchReceiver(options);
  return Promise.resolve(async ({ body, headers }: Delivery): Promise<Answer> => {
    try {
      const answer = await take(new Request('http://localhost/hook', { method: 'POST', body, headers }));
      return { status: answer.status, text: await answer.text() };
    } catch (error) {
      return { status: 500, text: (error as Error).message }; // As the runtimes around a fetch handler do.
    }
  });
}

const keepRaw = express.json({
  verify: (incoming, _response, bytes) => {
    Object.assign(incoming, { rawBody: bytes });
  },
});

const FRAMEWORKS: Record<string, (backend: Backend) => Promise<Post>> = {
  'express, no parser': ({ options }) => expressApp((app) => app.post('/hook', expressReceiver(options))),
  'express.raw': ({ options }) =>
    expressApp((app) => app.post('/hook', express.raw({ type: 'application/json' }), expressReceiver(options))),
  'express.text': ({ options }) =>
    expressApp((app) => app.post('/hook', express.text({ type: 'application/json' }), expressReceiver(options))),
  'express.json that keeps the bytes': ({ options }) =>
    expressApp((app) => app.use(keepRaw).post('/hook', expressReceiver(options))),
  'express, before express.json': ({ options }) =>
    expressApp((app) => app.post('/hook', expressReceiver(options)).use(express.json())),
  fastify: fastifyApp,
  'Nest on Express': nestApp('express', true),
  'Nest on Fastify': nestApp('fastify', true),
  'a fetch handler': fetchApp,
};

describe.each(Object.entries(FRAMEWORKS))('the receiver behind %s', (_name, start) => {
  it('works a delivery once, however often it comes', async () => {
    const backend = newBackend();
    const post = await start(backend);
    const delivery = deliveryOf();
    const first = await Promise.all(Array.from({ length: 5 }, () => post(delivery)));
    // The others came while it was at work, to come again, or when it was done.
    expect(first.filter(({ text }) => text === '{"received":"handled"}')).toHaveLength(1);
    expect(first.filter(({ text }) => /in_progress|duplicate/.test(text))).toHaveLength(4);
    expect(await post(delivery)).toEqual({ status: 200, text: '{"received":"duplicate"}' });
    expect(backend.seen).toHaveLength(1);
  });

  it('refuses a body that was changed, and says why', async () => {
    const backend = newBackend();
    const post = await start(backend);
    const { body, headers } = deliveryOf();
    const changed = await post({ body: body.replace('naïve', 'naive'), headers });
    expect(changed.status).toBe(401);
    expect(changed.text).toMatch(/"error":"signature_mismatch"/);
    expect(backend.seen).toEqual([]);
  });

  it('refuses a signature without a date, which would fit for ever', async () => {
    const post = await start(newBackend());
    const { body, headers } = deliveryOf();
    const dateless = {
      'content-type': 'application/json',
      'x-revtain-signature': String(headers['x-revtain-signature']),
    };
    expect((await post({ body, headers: dateless })).text).toMatch(/"error":"signature_missing"/);
  });

  it('lets a failed handler be tried again', async () => {
    const backend = newBackend();
    const post = await start(backend);
    const delivery = deliveryOf();
    backend.fails = true;
    expect((await post(delivery)).status).toBe(500);
    backend.fails = false;
    expect(await post(delivery)).toEqual({ status: 200, text: '{"received":"handled"}' });
    expect(backend.seen).toHaveLength(1);
  });

  it('answers 2xx for events that nobody handles', async () => {
    const post = await start(newBackend());
    expect((await post(deliveryOf({ event: 'recovery.revived' }))).status).toBe(200);
  });

  it('refuses a body past 1 MiB', async () => {
    const post = await start(newBackend());
    expect((await post(deliveryOf({ filler: 'x'.repeat(5_000_000) }))).status).toBe(413);
  });
});

describe('a body that was parsed already', () => {
  it('express: says where to mount the receiver', async () => {
    const { options } = newBackend();
    const post = await expressApp((app) => app.use(express.json()).post('/hook', expressReceiver(options)));
    const { status, text } = await post(deliveryOf());
    expect([status, text]).toEqual([500, expect.stringMatching(/parsed before.*before app\.use\(express\.json\(\)\)/)]);
  });

  it('fastify: says to register the plugin', async () => {
    const { options } = newBackend();
    const app = fastify();
    app.post('/hook', fastifyHandler(options));
    const { body, headers } = deliveryOf();
    const answer = await app.inject({ method: 'POST', url: '/hook', headers, payload: body });
    expect(answer.statusCode).toBe(500);
    expect(answer.json<{ message: string }>().message).toMatch(/app\.register\(fastifyReceiver/);
    await app.close();
  });

  it.each(['express', 'fastify'] as const)('Nest on %s: fails, and does not refuse the sender', async (adapter) => {
    const post = await nestApp(adapter, false)(newBackend());
    expect((await post(deliveryOf())).status).toBe(500);
  });

  it('Nest: says to keep the raw body', async () => {
    const { body, headers } = deliveryOf();
    const response = { status: () => 0, header: () => 0, send: () => 0 };
    const received = nestReceiver(newBackend().options)({ headers, body: JSON.parse(body) as object }, response);
    await expect(received).rejects.toThrow(/rawBody: true/);
  });

  it('fetch: says not to read the request first', async () => {
    const { body, headers } = deliveryOf();
    const incoming = new Request('http://localhost/hook', { method: 'POST', body, headers });
    await incoming.json();
    await expect(fetchReceiver(newBackend().options)(incoming)).rejects.toThrow(/before anything calls request\.json/);
  });
});

describe('odd requests', () => {
  it('an empty body without a signature is refused, in every framework', async () => {
    for (const start of Object.values(FRAMEWORKS)) {
      const post = await start(newBackend());
      expect((await post({ body: '', headers: {} })).status).toBe(401);
    }
  });

  it('a sender that goes away in the middle of the body breaks nothing', async () => {
    const backend = newBackend();
    const errors: unknown[] = [];
    const take = expressReceiver(backend.options);
    const server = createServer((incoming, outgoing) => take(incoming, outgoing, (error) => errors.push(error)));
    const post = await listen(server);
    const { port } = server.address() as AddressInfo;
    const half = nodeRequest({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': '1000' } });
    half.on('error', () => undefined); // Our own end of it.
    half.write('{"event"');
    await new Promise((resolve) => setTimeout(resolve, 50));
    half.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(errors).toHaveLength(1);
    expect((await post(deliveryOf())).status).toBe(200);
  });
});

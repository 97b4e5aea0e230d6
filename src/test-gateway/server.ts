import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Pool } from 'pg';

import type { Clock } from '../platform/clock.js';
import type { Random } from '../platform/random.js';
import { startDelivery } from './event-delivery.js';
import { execute, type Answer, type GatewayParts } from './execution.js';
import { parseForm } from './form-body.js';
import { answerOAuth, isOAuthCall } from './oauth.js';
import { answerPage, type PageAnswer } from './pages.js';
import { findRoute } from './routes.js';
import { keyInHeader } from './secret-key.js';
import { prepareTestGateway } from './schema.js';
import { newStripeId } from './stripe-ids.js';
import { STRIPE_VERSION } from './staged-writes.js';
import { envelope, StripeRefusal, unauthorized } from './stripe-refusal.js';

const BODY_BYTES_MAX = 1_048_576;

/** How to serve the test gateway. */
export interface TestGatewayOptions {
  /** Its own pool; faster with `pipeline: true`. The caller ends it after `stop`. */
  pool: Pool;
  clock: Clock;
  random: Random;
  host?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** Stands in the links it gives out; its own address when absent. */
  publicUrl?: string;
  /** Told of every failure that was answered with a 500, and of deliveries that could not be worked. */
  onError?: (error: unknown) => void;
}

export interface TestGateway {
  url: string;
  port: number;
  /** Stops taking requests, cuts those that a fault holds, and waits for the rest. May be called again. */
  stop(): Promise<void>;
}

/**
 * Serves a local Stripe over HTTP. Any number of processes may serve the same accounts over one database: all state is
 * there, and every answer is given after its commit.
 */
export async function startTestGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const { pool, clock, random, host = '127.0.0.1', port = 0, onError = reportError } = options;
  await prepareTestGateway(pool);
  const server = createServer();
  const address = await listening(server, host, port);
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  const parts: GatewayParts = { pool, clock, random, publicUrl: options.publicUrl ?? url };
  const delivery = startDelivery(parts, onError);
  const held = new Set<ServerResponse>();
  server.on('request', (request, response) => {
    serve(parts, request, response, held)
      .then(({ tells }) => (tells ? delivery.wake() : undefined))
      .catch((error: unknown) => {
        onError(error);
        answerBroken(response);
      });
  });
  let stopped: Promise<void> | undefined;
  const stopOnce = () => (stopped ??= stop(server, held, () => delivery.stop()));
  return { url, port: address.port, stop: stopOnce };
}

function reportError(error: unknown): void {
  console.error('test gateway:', error);
}

function listening(server: Server, host: string, port: number): Promise<AddressInfo> {
  // Longer than any client keeps an idle connection, so that none is cut just as it is used again.
  server.keepAliveTimeout = 65_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

async function stop(server: Server, held: Set<ServerResponse>, stopDelivery: () => Promise<void>): Promise<void> {
  const closed = new Promise<void>((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
  for (const response of held) response.destroy();
  // A connection that is busy now is kept alive when it is done: closed with the next round.
  const round = setInterval(() => server.closeIdleConnections(), 50);
  await closed.finally(() => clearInterval(round));
  await stopDelivery();
}

async function serve(
  parts: GatewayParts,
  request: IncomingMessage,
  response: ServerResponse,
  held: Set<ServerResponse>,
): Promise<Pick<Answer, 'tells'>> {
  const requestId = newStripeId(parts.random, 'req');
  const answer = await answerTo(parts, request, requestId);
  if ('html' in answer) sendPage(response, answer);
  else send(response, answer, requestId, idempotencyKeyOf(request), held);
  return answer;
}

async function answerTo(
  parts: GatewayParts,
  request: IncomingMessage,
  requestId: string,
): Promise<Answer | PageAnswer> {
  try {
    const method = request.method ?? 'GET';
    const [pathname = '', query = ''] = (request.url ?? '/').split('?', 2);
    const body = await bodyOf(request);
    const page = await answerPage(parts, request, { path: pathname, query }, body);
    if (page) return page;
    if (method === 'POST' && isOAuthCall(pathname)) {
      const answer = await answerOAuth(parts, pathname, new URLSearchParams(body), request.headers.authorization);
      return { ...answer, wire: 'whole', replayOf: null, tells: false };
    }
    const match = findRoute(method, pathname);
    if (!match) {
      const message = `Unrecognized request URL (${method}: ${pathname}).`;
      throw new StripeRefusal(404, { type: 'invalid_request_error', message });
    }
    const secretKey = keyInHeader(request.headers.authorization);
    if (secretKey === null) throw unauthorized('You did not provide an API key.');
    const form = parseForm(method === 'POST' ? body : query);
    const idempotencyKey = idempotencyKeyOf(request);
    const stripeAccount = request.headers['stripe-account'];
    return await execute(parts, {
      ...{ method, path: pathname, match, form, secretKey, idempotencyKey, requestId },
      stripeAccount: typeof stripeAccount === 'string' ? stripeAccount : null,
    });
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    return {
      status: error.status,
      body: JSON.stringify(envelope(error.fields)),
      wire: 'whole',
      replayOf: null,
      tells: false,
    };
  }
}

function idempotencyKeyOf(request: IncomingMessage): string | null {
  const key = request.headers['idempotency-key'];
  return typeof key === 'string' && key !== '' ? key : null;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) {
      throw new StripeRefusal(413, { type: 'invalid_request_error', message: 'The request body is too large.' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function send(
  response: ServerResponse,
  answer: Answer,
  requestId: string,
  idempotencyKey: string | null,
  held: Set<ServerResponse>,
): void {
  switch (answer.wire) {
    case 'held':
      // Until the caller gives up, or this process stops.
      held.add(response);
      response.once('close', () => held.delete(response));
      return;
    case 'reset':
      response.socket?.resetAndDestroy();
      return;
    case 'truncated':
    case 'whole': {
      const bytes = Buffer.from(answer.body);
      response.writeHead(answer.status, headersOf(answer, bytes.length, requestId, idempotencyKey));
      if (answer.wire === 'whole') response.end(bytes);
      else response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.destroy());
    }
  }
}

function sendPage(response: ServerResponse, { status, html, location }: PageAnswer): void {
  const headers = { 'Content-Type': 'text/html; charset=utf-8', 'Content-Length': Buffer.byteLength(html) };
  response.writeHead(status, location === null ? headers : { ...headers, Location: location }).end(html);
}

function headersOf(answer: Answer, length: number, requestId: string, idempotencyKey: string | null) {
  return {
    'Content-Type': 'application/json',
    'Content-Length': length,
    'Request-Id': requestId,
    'Stripe-Version': STRIPE_VERSION,
    ...(idempotencyKey === null ? {} : { 'Idempotency-Key': idempotencyKey }),
    ...(answer.replayOf === null ? {} : { 'Idempotent-Replayed': 'true', 'Original-Request': answer.replayOf }),
    ...(answer.status === 409 ? { 'Stripe-Should-Retry': 'true' } : {}),
  };
}

/** A bug or a database that is away. Nothing was kept under the key, so the same call may come again. */
function answerBroken(response: ServerResponse): void {
  if (response.headersSent || response.destroyed) return;
  const body = JSON.stringify(
    envelope({ type: 'api_error', message: 'The test gateway could not work this request.' }),
  );
  response.writeHead(500, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }).end(body);
}

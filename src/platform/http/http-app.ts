import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

import type { Clock } from '../clock.js';
import type { Ids } from '../ids.js';
import type { Log } from '../logging/log.js';
import { logRequests } from '../logging/request-log.js';
import { useStrictBodies } from './body-parser.js';
import { badField, DomainError } from './domain-error.js';
import { FieldsPipe } from './fields.pipe.js';
import { answerWithProblem, ProblemFilter } from './problem.filter.js';
import { problemAnswer } from './problem.js';
import { requestIdFor } from './request-id.js';
import { guardText } from './text-guard.js';

export interface HttpAppParts {
  log: Log;
  clock: Clock;
  ids: Ids;
}

// How long a slow sender is waited for: sockets are the scarcest thing a small server has.
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_TIMEOUT_MS = 20_000;
const HEADER_BYTES_MAX = 16 * 1024;
const REQUESTS_PER_SOCKET_MAX = 10_000;

/** The Fastify server under Nest. HEAD on every GET route, no trust in proxy headers, every error a problem document. */
export function createHttpAdapter({ log, ids }: HttpAppParts): FastifyAdapter {
  return new FastifyAdapter({
    logger: false,
    trustProxy: false,
    // Load balancers and uptime probes ask by HEAD; Fastify answers it as GET, without the body (RFC 9110, 9.3.2).
    exposeHeadRoutes: true,
    return503OnClosing: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    maxRequestsPerSocket: REQUESTS_PER_SOCKET_MAX,
    http: { headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: HEADER_BYTES_MAX },
    routerOptions: { maxParamLength: 300 },
    genReqId: (request: IncomingMessage) => requestIdFor(request.headers['x-request-id'], ids),
    frameworkErrors: (error: Error, request: FastifyRequest, reply: FastifyReply) => {
      setCommonHeaders(request, reply);
      answerWithProblem(error, request, reply, log);
    },
    clientErrorHandler: (error: Error & { code?: string }, socket: Socket) => answerBrokenRequest(error, socket, ids),
  });
}

/**
 * Puts the rules for every request in place; called before `app.init()`, which registers the routes. `hooks` adds what
 * has to run between them and the body, in this order: common headers, `hooks` (who calls), body, text guard, fields.
 */
export function prepareHttpApp(
  app: NestFastifyApplication,
  parts: HttpAppParts,
  hooks: (fastify: FastifyInstance) => void,
): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply);
    done();
  });
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    // A connection that answers during a stop is not kept: its idle time would hold the stop up for so long.
    if (!fastify.server.listening) void reply.header('connection', 'close');
    done(null, payload);
  });
  logRequests(fastify, parts.log, parts.clock);
  hooks(fastify);
  useStrictBodies(fastify);
  fastify.addHook('preValidation', guardPathAndQuery);
  app.useGlobalFilters(new ProblemFilter(parts.log));
  app.useGlobalPipes(new FieldsPipe());
}

const GUARDED_HEADERS = ['Idempotency-Key'] as const;

function guardPathAndQuery(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  try {
    guardText(request.params);
    guardText(request.query);
    for (const name of GUARDED_HEADERS) guardHeader(request, name);
    done();
  } catch (error) {
    done(error as Error);
  }
}

// Node joins a header that comes twice with a comma: two keys would pass for one that nobody meant.
function guardHeader({ headers, raw }: FastifyRequest, name: (typeof GUARDED_HEADERS)[number]): void {
  const sent = raw.rawHeaders.filter((each, index) => index % 2 === 0 && each.toLowerCase() === name.toLowerCase());
  if (sent.length > 1) throw badField(name, 'invalid_field', 'is sent more than once', `one ${name} header`);
  guardText(headers[name.toLowerCase()], name);
}

const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(COMMON_HEADERS).header('x-request-id', request.id);
}

/** What Node could not read as HTTP never becomes a request; it is answered on the bare socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket, ids: Ids): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, headers, body } = problemAnswer(brokenRequest(error.code), ids.ulid());
  const text = JSON.stringify(body);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.end(
    [
      `HTTP/1.1 ${status} ${REASONS[status] ?? 'Bad Request'}`,
      ...lines,
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
      '',
      text,
    ].join('\r\n'),
  );
}

const REASONS: Readonly<Record<number, string>> = { 408: 'Request Timeout', 431: 'Request Header Fields Too Large' };

function brokenRequest(code: string | undefined): DomainError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new DomainError({ status: 408, code: 'request_timeout', detail: 'The request did not arrive in time.' });
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new DomainError({ status: 431, code: 'headers_too_large', detail: 'The headers are larger than 16 KiB.' });
  }
  const field = {
    field: 'request',
    code: 'invalid_field',
    message: 'is no HTTP/1.1',
    accepted: 'a well-formed HTTP request',
  };
  return new DomainError({ status: 400, code: field.code, detail: 'The request is no valid HTTP.', errors: [field] });
}

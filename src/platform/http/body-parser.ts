import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';

import { DomainError } from './domain-error.js';
import { parseJsonBody } from './json-body.js';
import { guardText } from './text-guard.js';

export const BODY_BYTES_MAX = 64 * 1024;

/**
 * Makes JSON the only content type: Fastify's text parser and Nest's form parser would let bodies through unchecked.
 * Routes with `rawBodyOnly` take any type and get the bytes.
 */
export function useStrictBodies(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  fastify.addHook('onRoute', takeRouteLimit);
  fastify.addHook('onRequest', refuseEncodedBodies);
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, parseBody);
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, parseBody);
}

function takeRouteLimit(route: RouteOptions): void {
  route.bodyLimit = route.config?.bodyBytesMax ?? BODY_BYTES_MAX;
}

function parseBody(
  request: FastifyRequest,
  bytes: string | Buffer,
  done: (error: Error | null, body?: unknown) => void,
): void {
  try {
    done(null, bodyOf(request, bytes as Buffer));
  } catch (error) {
    done(error as Error);
  }
}

function bodyOf(request: FastifyRequest, bytes: Buffer): unknown {
  request.rawBody = bytes;
  if (request.routeOptions.config.rawBodyOnly) return bytes;
  if (!isJson(request.headers['content-type'])) throw wrongType();
  if (bytes.length === 0) return undefined;
  const body = parseJsonBody(bytes);
  guardText(withoutGuardedApart(body, request.routeOptions.config.guardedApart));
  return body;
}

/** The body without the members of the list that its route guards itself; whatever else stands there is guarded here. */
function withoutGuardedApart(body: unknown, list: string | undefined): unknown {
  if (list === undefined || typeof body !== 'object' || body === null) return body;
  const fields = Object.entries(body);
  return Object.fromEntries(fields.map(([name, value]) => [name, name === list && Array.isArray(value) ? [] : value]));
}

// A compressed body would be measured, guarded and signed in a form that nobody reads.
function refuseEncodedBodies(request: FastifyRequest, _reply: unknown, done: (error?: Error) => void): void {
  const encoding = request.headers['content-encoding'];
  done(encoding === undefined || encoding === 'identity' ? undefined : wrongType());
}

function isJson(contentType: string | undefined): boolean {
  const [type = '', ...parameters] = (contentType ?? '')
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  return type === 'application/json' && parameters.every((each) => each === '' || /^charset="?utf-8"?$/.test(each));
}

function wrongType(): DomainError {
  return new DomainError({
    status: 415,
    code: 'unsupported_media_type',
    detail: 'Send application/json in UTF-8, not compressed.',
  });
}

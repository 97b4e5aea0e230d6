import { bytesOf, RawBodyRequired } from './raw-body.js';
import { receive, replyTo, type ReceiverOptions } from './receive.js';
import type { NodeRequest } from './node-request.js';

type FastifyRequestLike = Pick<NodeRequest, 'headers' | 'body' | 'rawBody'>;

interface FastifyReplyLike {
  code(status: number): unknown;
  headers(headers: Record<string, string>): unknown;
  send(body: string): unknown;
}

type Parsed = (error: Error | null, body?: unknown) => void;

/** As much of a Fastify instance as is used. */
export interface FastifyScope {
  removeAllContentTypeParsers(): unknown;
  addContentTypeParser(
    contentType: string,
    options: { parseAs: 'buffer' },
    parser: (request: never, body: Buffer, done: Parsed) => void,
  ): unknown;
  post(path: string, handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown>): unknown;
}

const REMEDY =
  'Use app.register(fastifyReceiver({ … })), which keeps the bytes of its own route; or keep them with fastify-raw-body.';

/** A plugin for `app.register(…)`: one route whose body stays raw. The rest of the application parses JSON as before. */
export function fastifyReceiver({ path, ...options }: ReceiverOptions & { path: string }) {
  // eslint-disable-next-line @typescript-eslint/require-await -- Fastify tells plugins that have no callback by their promise.
  return async (scope: FastifyScope): Promise<void> => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body);
    });
    scope.post(path, fastifyHandler(options));
  };
}

/** The route's handler alone, for a route that has `request.rawBody` or a body of bytes. @throws {RawBodyRequired} when it has neither. */
export function fastifyHandler(options: ReceiverOptions) {
  return async (request: FastifyRequestLike, reply: FastifyReplyLike): Promise<unknown> => {
    const rawBody = bytesOf(request.rawBody) ?? bytesOf(request.body ?? '');
    if (rawBody === null) throw new RawBodyRequired(REMEDY);
    const { status, headers, body } = replyTo(await receive(rawBody, request.headers, options));
    reply.code(status);
    reply.headers({ ...headers });
    return reply.send(body);
  };
}

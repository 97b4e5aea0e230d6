import { rawBodyOf, type NodeRequest } from './node-request.js';
import { receive, replyTo, type ReceiverOptions } from './receive.js';

/** Express's and Fastify's request, as far as it is read. */
export type NestRequest = NodeRequest;

/** Express's response and Fastify's reply both have these. */
export interface NestResponse {
  status(status: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

const REMEDY = 'Create the application with the raw body kept: NestFactory.create(AppModule, { rawBody: true }).';

/**
 * For a controller's method: `@Post() take(@Req() request, @Res() response) { return this.receive(request, response); }`,
 * on Express and on Fastify. Errors of your handlers, and a body that was parsed already, are thrown to Nest's filters.
 */
export function nestReceiver(options: ReceiverOptions) {
  return async (request: NestRequest, response: NestResponse): Promise<void> => {
    const rawBody = await rawBodyOf(request, REMEDY);
    const received =
      rawBody === 'too_large' ? ({ kind: 'too_large' } as const) : await receive(rawBody, request.headers, options);
    const { status, headers, body } = replyTo(received);
    response.status(status);
    for (const [name, value] of Object.entries(headers)) response.header(name, value);
    response.send(body);
  };
}

import { rawBodyOf, type NodeRequest } from './node-request.js';
import { receive, replyTo, type ReceiverOptions } from './receive.js';

/** As much of Express's (or Node's own) response as is used. */
export interface NodeResponse {
  writeHead(status: number, headers: Record<string, string>): unknown;
  end(body: string): unknown;
}

const REMEDY =
  'Mount the receiver before app.use(express.json()); or give its route express.raw({ type: "application/json" }); or keep ' +
  'the bytes: express.json({ verify: (req, _res, bytes) => { req.rawBody = bytes } }).';

/**
 * A handler for `app.post(path, expressReceiver({ … }))`, with Express 4 and 5. Errors of your handlers, and a body that
 * was parsed already, go to `next`.
 */
export function expressReceiver(options: ReceiverOptions) {
  return (request: NodeRequest, response: NodeResponse, next: (error: unknown) => void): void => {
    answer(request, response, options).catch(next);
  };
}

async function answer(request: NodeRequest, response: NodeResponse, options: ReceiverOptions): Promise<void> {
  const rawBody = await rawBodyOf(request, REMEDY);
  const received =
    rawBody === 'too_large' ? ({ kind: 'too_large' } as const) : await receive(rawBody, request.headers, options);
  const { status, headers, body } = replyTo(received);
  response.writeHead(status, { ...headers });
  response.end(body);
}

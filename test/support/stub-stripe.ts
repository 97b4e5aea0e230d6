import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as it came over the wire. */
export interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingMessage['headers'];
  form: URLSearchParams;
  /** Which connection it came by, counted from 1. */
  connection: number;
}

/** What the stub does with one request. */
export type Answer =
  | { status?: number; body: object; headers?: Record<string, string> }
  | { status?: number; text: string; headers?: Record<string, string> }
  /** Announces the whole body and closes after a part of it. */
  | { truncated: object }
  /** Sends the headers and a first byte, then nothing. */
  | { stalls: true }
  | { hangs: true }
  | { resets: true };

/** A stub of Stripe's HTTP face: answers in the order it was told, and remembers what it was asked. */
export class StubStripe {
  readonly seen: SeenRequest[] = [];
  private readonly answers: Answer[] = [];
  private connections = 0;

  private constructor(
    private readonly server: Server,
    readonly url: URL,
  ) {}

  static async start(): Promise<StubStripe> {
    const server = createServer({ keepAliveTimeout: 30_000 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stub = new StubStripe(server, new URL(`http://127.0.0.1:${String(port)}`));
    const numbers = new WeakMap<Socket, number>();
    server.on('connection', (socket) => numbers.set(socket, ++stub.connections));
    server.on('request', (request, response) => {
      void stub.serve(request, response, numbers.get(request.socket) ?? 0);
    });
    return stub;
  }

  /** Queues answers; a request beyond them gets a 500 that says so. */
  willAnswer(...answers: Answer[]): this {
    this.answers.push(...answers);
    return this;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse, connection: number): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? '/', this.url);
    this.seen.push({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      form: new URLSearchParams(Buffer.concat(chunks).toString()),
      connection,
    });
    answer(response, this.answers.shift() ?? { status: 500, body: { error: { type: 'stub', message: 'no answer' } } });
  }
}

function answer(response: ServerResponse, told: Answer): void {
  if ('hangs' in told) return;
  if ('resets' in told) {
    response.socket?.resetAndDestroy();
    return;
  }
  if ('stalls' in told) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' }).write('{');
    return;
  }
  if ('truncated' in told) {
    const text = JSON.stringify(told.truncated);
    response.writeHead(200, { 'content-length': String(text.length) }).write(text.slice(0, text.length / 2), () => {
      response.socket?.end();
    });
    return;
  }
  const text = 'text' in told ? told.text : JSON.stringify(told.body);
  response.writeHead(told.status ?? 200, { 'request-id': 'req_stub', ...told.headers }).end(text);
}

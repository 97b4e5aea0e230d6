import { createServer, request as send, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request on its way to the gateway. */
export interface Passing {
  method: string;
  path: string;
  idempotencyKey: string | null;
  /** The account's. */
  secretKey: string;
  form: URLSearchParams;
}

/**
 * What happens to a request in place of being passed on: `refuse` cuts it off before the gateway has worked it,
 * `loseReply` after, and `withholdReply` never answers what the gateway has worked.
 */
export type Interference =
  'loseReply' | 'withholdReply' | 'refuse' | { status: number; body: object } | { until: Promise<unknown> };

type Rule = (request: Passing) => Interference | null;

/** Stands between the service and a gateway, and breaks what a test tells it to. */
export class GatewayProxy {
  readonly seen: Passing[] = [];
  private rule: Rule = () => null;

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
    readonly url: string,
  ) {}

  static async start(target: string): Promise<GatewayProxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const proxy = new GatewayProxy(server, new URL(target), `http://127.0.0.1:${String(port)}`);
    server.on('request', (incoming, reply) => void proxy.serve(incoming, reply));
    return proxy;
  }

  /** From now on each request is asked about; null passes it on. */
  interfere(rule: Rule): void {
    this.rule = rule;
  }

  calm(): void {
    this.rule = () => null;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async serve(incoming: IncomingMessage, reply: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const key = incoming.headers['idempotency-key'];
    const passing: Passing = {
      method: incoming.method ?? '',
      path: new URL(incoming.url ?? '/', this.target).pathname,
      idempotencyKey: typeof key === 'string' ? key : null,
      secretKey: (incoming.headers.authorization ?? '').replace(/^Bearer /, ''),
      form: new URLSearchParams(body.toString()),
    };
    this.seen.push(passing);
    const told = this.rule(passing);
    if (told === 'refuse') {
      reply.socket?.destroy();
      return;
    }
    if (told !== null && typeof told === 'object' && 'status' in told) {
      reply.writeHead(told.status, { 'content-type': 'application/json', 'request-id': 'req_proxy' });
      reply.end(JSON.stringify(told.body));
      return;
    }
    if (told !== null && typeof told === 'object') await told.until;
    await this.pass(incoming, body, reply, told);
  }

  private async pass(
    incoming: IncomingMessage,
    body: Buffer,
    reply: ServerResponse,
    told: Interference | null,
  ): Promise<void> {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const options = { method: incoming.method, headers: { ...incoming.headers, host: this.target.host } };
      const outgoing = send(new URL(incoming.url ?? '/', this.target), options, resolve);
      outgoing.on('error', reject);
      outgoing.end(body);
    }).catch(() => null);
    if (answer === null || told === 'loseReply' || told === 'withholdReply') {
      answer?.resume();
      if (told !== 'withholdReply') reply.socket?.destroy();
      return;
    }
    reply.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(reply);
  }
}

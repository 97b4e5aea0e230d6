import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Seeded } from '../support/seeded.js';

/** An event as a merchant has taken it. */
export interface Taken {
  id: string;
  event: string;
  final: boolean;
  transactionId: string;
}

interface Body {
  id: string;
  event: string;
  final: boolean;
  revtainTransactionId: string;
}

/** Merchants' backends that fail: some deliveries are refused, some are taken and the answer is lost on the way. */
export class FailingReceiver {
  /** By event id: what was answered 200, or taken without an answer. */
  readonly taken = new Map<string, Taken>();
  deliveries = 0;
  private failing = true;

  private constructor(
    private readonly server: Server,
    private readonly random: Seeded,
    private readonly share: number,
  ) {}

  /** `share` of all deliveries fail, one way or another. */
  static async start(random: Seeded, share: number): Promise<FailingReceiver> {
    const server = createServer();
    const receiver = new FailingReceiver(server, random, share);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void receiver.take(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  heal(): void {
    this.failing = false;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    // A sender that was killed in the middle has delivered nothing.
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.deliveries += 1;
    const draw = this.random.fraction();
    const fails = this.failing && draw < this.share;
    if (fails && draw < this.share / 2) return void response.writeHead(500).end();
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Body;
    const { id, event, final, revtainTransactionId: transactionId } = body;
    this.taken.set(id, { id, event, final, transactionId });
    if (fails) response.destroy();
    else response.writeHead(200).end();
  }
}

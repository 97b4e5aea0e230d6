import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { messageOf } from '../../src/platform/error-facts.js';
import { firstBytes, forward, type Forwarded } from './forward.js';

const HOST = '127.0.0.1';

export interface Arrived {
  headers: IncomingMessage['headers'];
  body: Buffer;
}

export interface RelayOptions {
  forwardTo: string;
  /** The path that deliveries come to: a secret, for any page in a browser can post to loopback. */
  path: string;
  /** How long the handler may take. Default 9,500. */
  deadlineMs?: number;
  onArrived: (arrived: Arrived) => Promise<void>;
  onForwarded: (forwarded: Forwarded) => void;
}

/** Takes deliveries on loopback, forwards their bytes and headers, and gives the answer's status back. */
export class Relay {
  private constructor(
    private readonly server: Server,
    private readonly options: RelayOptions,
  ) {}

  static async listen(options: RelayOptions): Promise<Relay> {
    const server = createServer();
    const relay = new Relay(server, options);
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => void relay.take(incoming, outgoing));
    server.listen(0, HOST);
    await once(server, 'listening');
    return relay;
  }

  get url(): string {
    return `http://${HOST}:${(this.server.address() as AddressInfo).port}${this.options.path}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async take(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    try {
      await this.relay(incoming, outgoing);
    } catch (error) {
      this.options.onForwarded({ kind: 'not_forwarded', why: `the delivery broke off: ${messageOf(error)}` });
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end();
    }
  }

  private async relay(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (incoming.method !== 'POST' || incoming.url !== this.options.path) {
      outgoing.writeHead(404).end();
      return;
    }
    const body = await firstBytes(incoming, Infinity);
    await this.options.onArrived({ headers: incoming.headers, body });
    const forwarded = await forward(
      this.options.forwardTo,
      { rawHeaders: incoming.rawHeaders, body },
      this.options.deadlineMs,
    );
    this.options.onForwarded(forwarded);
    if (forwarded.kind === 'not_forwarded') {
      outgoing.writeHead(502).end();
      return;
    }
    const { status, retryAfter, excerpt } = forwarded;
    outgoing.writeHead(status, retryAfter === null ? {} : { 'retry-after': retryAfter });
    outgoing.end(status === 204 || status === 304 ? undefined : excerpt);
  }
}

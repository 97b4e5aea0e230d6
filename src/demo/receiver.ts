import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Clock } from '../platform/clock.js';
import { ConfigError } from '../platform/config.js';
import { hasCode, messageOf } from '../platform/error-facts.js';
import { checkSignatures } from './signature-check.js';
import { webhookText, type WebhookBody } from './webhook-text.js';

const HOST = '127.0.0.1';
const PATH = '/webhooks/revtain';
/** Our events are some 2 KiB; more than this is nobody's of ours. */
const BODY_BYTES_MAX = 256 * 1_024;

/** What the demo does with the webhooks. */
export interface ReceiverOptions {
  /** 0: any free port. */
  port: number;
  clock: Clock;
  print: (text: string) => void;
}

/**
 * The backend of the demo merchant: takes webhooks on loopback, checks both signatures, prints each event once, answers.
 * It knows the service only as a merchant does, by what arrives.
 */
export class DemoReceiver {
  private readonly seen = new Set<string>();
  private secret: string | null = null;
  private onTest: ((body: WebhookBody) => void) | null = null;

  private constructor(
    private readonly server: Server,
    private readonly options: ReceiverOptions,
  ) {}

  /** @throws {ConfigError} when the port is in use. */
  static async listen(options: ReceiverOptions): Promise<DemoReceiver> {
    const server = createServer();
    const receiver = new DemoReceiver(server, options);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void receiver.take(request, response));
    server.listen(options.port, HOST);
    try {
      await once(server, 'listening');
    } catch (cause) {
      if (!hasCode(cause, 'EADDRINUSE')) throw cause;
      throw new ConfigError('REVTAIN_DEMO_RECEIVER_PORT', `is ${options.port}, which is in use`, { cause });
    }
    return receiver;
  }

  /** Where webhooks go. */
  get url(): string {
    return `http://${HOST}:${(this.server.address() as AddressInfo).port}${PATH}`;
  }

  /** Until it is told the endpoint's secret, the receiver can verify nothing and refuses everything. */
  trust(secret: string): void {
    this.secret = secret;
  }

  /** The next `webhook.test` that is verified, which is then not printed. */
  nextTest(): Promise<WebhookBody> {
    return new Promise((resolve) => {
      this.onTest = resolve;
    });
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.server.closeAllConnections();
    await closed;
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      response.writeHead(await this.answerTo(request)).end();
    } catch (error) {
      // A sender that went away, or a body that is no JSON: the next one may be better.
      this.options.print(`   webhook not taken: ${messageOf(error)}`);
      if (!response.headersSent) response.writeHead(400).end();
    }
  }

  private async answerTo(request: IncomingMessage): Promise<number> {
    if (request.method !== 'POST' || request.url !== PATH) return 404;
    const bytes = await readBody(request);
    if (bytes === null) return 413;
    if (this.secret === null) return 503;

    // The raw bytes are what was signed: only after the check are they read as JSON.
    const check = checkSignatures(request.headers, bytes, this.secret, this.options.clock.now());
    if (check.kind === 'refused') {
      this.options.print(`   webhook refused: ${check.reason}`);
      return 401;
    }
    this.accept(JSON.parse(bytes.toString('utf8')) as WebhookBody);
    return 204;
  }

  /** Any event can come twice: a handler that acts must remember ids, and so does this one. */
  private accept(body: WebhookBody): void {
    const id = String(body['id']);
    if (this.onTest && body['event'] === 'webhook.test') {
      this.onTest(body);
      this.onTest = null;
    } else if (this.seen.has(id)) {
      this.options.print(`   ${id} came again: nothing to do`);
    } else {
      this.options.print(webhookText(body, 'both signatures verified'));
    }
    this.seen.add(id);
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

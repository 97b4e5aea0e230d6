import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a merchant's backend reads in an event; every published field that the tests look at by name. */
export interface WebhookBody extends Record<string, unknown> {
  event: string;
  id: string;
  revtainTransactionId: string;
  recommendedAction: string;
  trigger: string | null;
  final: boolean;
  sequence: number;
  createdAt: string;
}

/** One delivery as it arrived. */
export interface ReceivedWebhook {
  path: string;
  headers: IncomingHttpHeaders;
  /** The raw body, which is what the signatures are over. */
  bytes: Buffer;
  body: WebhookBody;
  answeredWith: number;
  receivedAt: Date;
}

/** What to answer one delivery: a status, with headers where they matter. */
export interface ScriptedAnswer {
  status: number;
  headers?: Record<string, string>;
}

const WAIT_MAX_MS = 10_000;
const WAIT_STEP_MS = 10;

/**
 * A merchant's backend on loopback: it keeps every webhook with its headers and bytes, and answers what it is told to,
 * 200 unless a script says otherwise. Each path is a mailbox of its own, so that many merchants may share one receiver.
 */
export class Receiver {
  readonly received: ReceivedWebhook[] = [];
  private readonly scripts = new Map<string, ScriptedAnswer[]>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer();
    const receiver = new Receiver(server);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void receiver.take(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  /** The address of a mailbox, such as `/hooks/1`. */
  url(path: string): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${path}`;
  }

  /** The next deliveries to this mailbox are answered so, one each; after them 200 again. */
  answer(path: string, ...answers: ScriptedAnswer[]): void {
    this.scripts.set(path, [...(this.scripts.get(path) ?? []), ...answers]);
  }

  /** Drops what is left of a mailbox's script: 200 from now on. */
  forget(path: string): void {
    this.scripts.delete(path);
  }

  /** What has come to a mailbox so far, oldest first. */
  at(path: string): ReceivedWebhook[] {
    return this.received.filter((webhook) => webhook.path === path);
  }

  /** Waits until so many deliveries of a kind have come. @throws when they do not, telling what did come. */
  async waitFor(
    fits: (webhook: ReceivedWebhook) => boolean,
    count = 1,
    waitMs = WAIT_MAX_MS,
  ): Promise<ReceivedWebhook[]> {
    for (let waitedMs = 0; waitedMs < waitMs; waitedMs += WAIT_STEP_MS) {
      const found = this.received.filter(fits);
      if (found.length >= count) return found;
      await sleep(WAIT_STEP_MS);
    }
    const came = this.received.map(({ path, body }) => `${path} ${body.event} ${body.revtainTransactionId}`);
    throw new Error(`no ${count} such webhooks came; these did:\n${came.slice(-20).join('\n')}`);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    const path = request.url ?? '/';
    const { status, headers } = this.scripts.get(path)?.shift() ?? { status: 200 };
    const body = JSON.parse(bytes.toString('utf8')) as WebhookBody;
    this.received.push({ path, headers: request.headers, bytes, body, answeredWith: status, receivedAt: new Date() });
    response.writeHead(status, headers).end();
  }
}

/**
 * Checks both signatures of a delivery, as openapi.yaml writes them and by nothing of the product's own code.
 * @throws when one does not fit, or the timestamp is not of these five minutes.
 */
export function assertSigned({ headers, bytes, body }: ReceivedWebhook, secret: string): void {
  const hex = createHmac('sha256', secret).update(bytes).digest('hex');
  if (!isEqual(String(headers['x-revtain-signature']), hex)) throw new Error('X-Revtain-Signature does not fit');
  const id = String(headers['webhook-id']);
  const timestamp = String(headers['webhook-timestamp']);
  if (id !== body.id) throw new Error(`webhook-id is ${id}, the body's id ${body.id}`);
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest('base64');
  const given = String(headers['webhook-signature']).split(' ');
  if (!given.some((each) => isEqual(each, `v1,${mac}`))) throw new Error('webhook-signature does not fit');
  if (Math.abs(Date.now() / 1_000 - Number(timestamp)) > 300) throw new Error('webhook-timestamp is not of now');
}

function isEqual(given: string, expected: string): boolean {
  return given.length === expected.length && timingSafeEqual(Buffer.from(given), Buffer.from(expected));
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

import { Agent, request } from 'undici';

interface Letter {
  body: Buffer;
  headers: Record<string, string>;
}

const AT_ONCE = 16;
const agent = new Agent({ connections: AT_ONCE });

/**
 * Stands between a gateway's events and the service: keeps what comes, hands it on in another order and more than once,
 * and during an outage takes nothing at all. `fraction` draws in [0, 1).
 */
export class Courier {
  private letters: Letter[] = [];
  private isOut = false;
  refused = 0;
  delivered = 0;

  private constructor(
    private readonly server: Server,
    private readonly fraction: () => number,
  ) {}

  static async start(fraction: () => number): Promise<Courier> {
    const server = createServer();
    const courier = new Courier(server, fraction);
    server.on('request', (got: IncomingMessage, answer: ServerResponse) => void courier.take(got, answer));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return courier;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/events`;
  }

  /** From now on nothing is taken, as when the service is down. */
  outage(isOut: boolean): void {
    this.isOut = isOut;
  }

  get waiting(): number {
    return this.letters.length;
  }

  /** Hands on all that came, shuffled, a third of it twice. @throws when one is not taken. */
  async deliver(url: string): Promise<void> {
    const letters = this.letters.flatMap((letter) => (this.fraction() < 0.34 ? [letter, letter] : [letter]));
    this.letters = [];
    for (let left = letters.length - 1; left > 0; left -= 1) {
      const other = Math.floor(this.fraction() * (left + 1));
      [letters[left], letters[other]] = [letters[other] as Letter, letters[left] as Letter];
    }
    const lane = async () => {
      for (let letter = letters.pop(); letter; letter = letters.pop()) await this.handOn(url, letter);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handOn(url: string, { body, headers }: Letter): Promise<void> {
    const answer = await request(url, { method: 'POST', body, headers, dispatcher: agent });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`an event was answered ${answer.statusCode}: ${text}`);
    this.delivered += 1;
  }

  private async take(got: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of got) chunks.push(chunk as Buffer);
    if (this.isOut) {
      this.refused += 1;
      answer.writeHead(503).end();
      return;
    }
    const signature = String(got.headers['stripe-signature']);
    const headers = { 'content-type': 'application/json', 'stripe-signature': signature };
    this.letters.push({ body: Buffer.concat(chunks), headers });
    answer.writeHead(200).end();
  }
}

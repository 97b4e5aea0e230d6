import { createHmac, randomUUID } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** Where signed events go, and the secret they are signed with. */
export interface Receiver {
  url: string;
  path: string;
  secret: string;
}

export interface Received {
  events: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** CPU time of the service and of PostgreSQL for one event, in µs: other work on the machine moves it less than the rate. */
  cpuUs?: number;
}

/** More than any side here takes in a second, so that a round never runs out of events. */
const MADE_PER_SECOND = 15_000;

/**
 * Sends signed Stripe events of about 1 KB from so many connections, each waiting for its answer. Every event is new, and
 * made and signed before the clock runs: sender and service share the machine, so the sender does as little as it can.
 * @throws when one is not answered 200: a rate of errors is no rate.
 */
export async function sendEvents(to: Receiver, seconds: number, connections: number): Promise<Received> {
  const requests = Array.from({ length: seconds * MADE_PER_SECOND }, () => signedRequest(to));
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const endsMs = startedMs + seconds * 1_000;
  const next = () => (performance.now() < endsMs ? requests.pop() : undefined);
  await Promise.all(Array.from({ length: connections }, () => lane(to, next, latenciesMs)));
  const elapsedSeconds = (performance.now() - startedMs) / 1_000;
  if (requests.length === 0) throw new Error('the events ran out before the time did');
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? NaN;
  const events = latenciesMs.length;
  return { events, perSecond: events / elapsedSeconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** The first digit of the status in `HTTP/1.1 200`. */
const STATUS_2 = '2'.charCodeAt(0);

/** One connection: the next request goes out when the answer to the one before is whole. */
function lane(to: Receiver, next: () => Buffer | undefined, latenciesMs: number[]): Promise<void> {
  const { hostname, port } = new URL(to.url);
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
    let sentMs = 0;
    let answer = '';
    // Every good answer of one service has the same length: the first is read, the others are weighed.
    let goodLength = 0;
    const send = () => {
      const request = next();
      if (!request) return socket.end(() => resolve());
      sentMs = performance.now();
      socket.write(request);
      return socket;
    };
    socket.once('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      if (answer !== '' || chunk.length !== goodLength || chunk[9] !== STATUS_2) {
        answer += chunk.toString('latin1');
        if (!isWhole(answer)) return;
        if (!answer.startsWith('HTTP/1.1 200')) return void reject(new Error(`an event was answered: ${answer}`));
        goodLength = answer.length;
        answer = '';
      }
      latenciesMs.push(performance.now() - sentMs);
      send();
    });
  });
}

function isWhole(answer: string): boolean {
  const headersEnd = answer.indexOf('\r\n\r\n');
  if (headersEnd < 0) return false;
  const length = /content-length: (\d+)/i.exec(answer)?.[1];
  if (length === undefined) throw new Error('an answer names no length');
  return answer.length >= headersEnd + 4 + Number(length);
}

function signedRequest({ url, path, secret }: Receiver): Buffer {
  const body = stripeEvent(randomUUID().replaceAll('-', ''));
  const seconds = Math.floor(Date.now() / 1_000);
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      `Host: ${new URL(url).host}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      `Stripe-Signature: t=${seconds},v1=${mac}`,
      'User-Agent: Stripe/1.0 (bench)',
      '',
      body,
    ].join('\r\n'),
  );
}

const FILLING = 'x'.repeat(300);

function stripeEvent(id: string): string {
  return JSON.stringify({
    id: `evt_${id}`,
    object: 'event',
    api_version: '2026-10-28.endive',
    created: 1_795_000_000,
    livemode: true,
    type: 'invoice.paid',
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    data: {
      object: {
        id: `in_${id}`,
        object: 'invoice',
        customer: `cus_${id}`,
        status: 'paid',
        attempt_count: 1,
        amount_remaining: 0,
        next_payment_attempt: null,
        customer_email: 'somebody@example.com',
        description: FILLING,
        parent: { type: 'subscription_details', subscription_details: { subscription: `sub_${id}`, metadata: {} } },
      },
    },
  });
}

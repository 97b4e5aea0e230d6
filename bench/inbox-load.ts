import { createHmac, randomUUID } from 'node:crypto';

import { Pool } from 'undici';

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
}

/**
 * Sends signed Stripe events of about 1 KB from so many connections, each waiting for its answer. Every event is new.
 * Signing them costs the sender the same for every side.
 * @throws when one is not answered 200: a rate of errors is no rate.
 */
export async function sendEvents(to: Receiver, seconds: number, connections: number): Promise<Received> {
  const pool = new Pool(to.url, { connections, pipelining: 1 });
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const lane = async () => {
    while (performance.now() < startedMs + seconds * 1_000) latenciesMs.push(await sendOne(pool, to));
  };
  try {
    await Promise.all(Array.from({ length: connections }, lane));
  } finally {
    await pool.destroy();
  }
  const elapsedSeconds = (performance.now() - startedMs) / 1_000;
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? NaN;
  const events = latenciesMs.length;
  return { events, perSecond: events / elapsedSeconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function sendOne(pool: Pool, { path, secret }: Receiver): Promise<number> {
  const body = stripeEvent(randomUUID().replaceAll('-', ''));
  const seconds = Math.floor(Date.now() / 1_000);
  const mac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  const headers = { 'content-type': 'application/json', 'stripe-signature': `t=${seconds},v1=${mac}` };
  const startedMs = performance.now();
  const answer = await pool.request({ path, method: 'POST', headers, body });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`an event was answered ${answer.statusCode}: ${text}`);
  return performance.now() - startedMs;
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

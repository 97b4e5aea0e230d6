import { Agent, request } from 'undici';

import type { GatewayParts } from './execution.js';
import { stripeSignature } from './stripe-signature.js';

/** When the next try comes after the first, the second … failed one, in real time. After the last: never. */
const RETRY_AFTER_MS = [5_000, 60_000, 3_600_000];
const TRY_MS_MAX = 10_000;
/** Another process may take a delivery whose sender has not come back for this long. Longer than any try. */
const LEASE_MS = 30_000;
const BATCH = 50;
const POLL_MS = 1_000;

export interface EventDelivery {
  /** Looks for due deliveries now, and not at the next poll. */
  wake(): void;
  /** Finishes the tries that are on the way. */
  stop(): Promise<void>;
}

interface Due {
  account_id: string;
  event_id: string;
  endpoint_id: string;
  tries: number;
  body: object;
  url: string | null;
  secret: string | null;
}

/** Sends signed events to the endpoints that asked for them, in no particular order, until each has answered 2xx. */
export function startDelivery(parts: GatewayParts, onError: (error: unknown) => void): EventDelivery {
  const agent = new Agent({ headersTimeout: TRY_MS_MAX, bodyTimeout: TRY_MS_MAX, connect: { timeout: TRY_MS_MAX } });
  let stopped = false;
  let running: Promise<void> | null = null;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const work = async () => {
    do {
      again = false;
      while ((await deliverDue(parts, agent)) === BATCH && !stopped);
    } while (isWoken());
  };
  const isWoken = () => again && !stopped;
  const wake = () => {
    if (stopped) return;
    again = true;
    clearTimeout(timer);
    running ??= work()
      .catch(onError)
      .finally(() => {
        running = null;
        if (!stopped) timer = setTimeout(wake, POLL_MS).unref();
      });
  };
  wake();
  return {
    wake,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
      await agent.close();
    },
  };
}

/** Works one batch of due deliveries; returns how many there were. */
async function deliverDue(parts: GatewayParts, agent: Agent): Promise<number> {
  const now = parts.clock.now();
  const { rows } = await parts.pool.query<Due>({
    name: 'test_gateway_claim',
    text: CLAIM,
    values: [now, new Date(now.getTime() + LEASE_MS), BATCH],
  });
  await Promise.all(rows.map((due) => deliver(parts, agent, due)));
  return rows.length;
}

async function deliver(parts: GatewayParts, agent: Agent, due: Due): Promise<void> {
  const { url, secret } = due;
  // The endpoint was deleted meanwhile: nobody waits for this one any more.
  const status = url === null || secret === null ? null : await trySend(parts, agent, due.body, url, secret);
  const now = parts.clock.now();
  const delivered = status !== null && status >= 200 && status < 300;
  const retryAfterMs = url === null ? undefined : RETRY_AFTER_MS[due.tries];
  const dueAt = delivered || retryAfterMs === undefined ? null : new Date(now.getTime() + retryAfterMs);
  await parts.pool.query({
    name: 'test_gateway_tried',
    text: `UPDATE test_gateway.deliveries SET tries = tries + 1, due_at = $4, delivered_at = $5, last_status = $6
      WHERE account_id = $1 AND event_id = $2 AND endpoint_id = $3`,
    values: [due.account_id, due.event_id, due.endpoint_id, dueAt, delivered ? now : null, status],
  });
}

/** The status that the endpoint answered, or null when it gave none. */
async function trySend(
  { clock }: GatewayParts,
  dispatcher: Agent,
  event: object,
  url: string,
  secret: string,
): Promise<number | null> {
  const body = JSON.stringify(event);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'stripe-signature': stripeSignature(secret, body, clock.now()),
    'user-agent': 'Stripe/1.0 (test gateway)',
  };
  try {
    const signal = AbortSignal.timeout(TRY_MS_MAX);
    const answer = await request(url, { method: 'POST', body, headers, dispatcher, signal });
    await answer.body.dump({ limit: 16_384 });
    return answer.statusCode;
  } catch {
    // Unreachable, too slow, or cut off: to the retry schedule all of these are the same failed try.
    return null;
  }
}

const CLAIM = `
UPDATE test_gateway.deliveries d SET due_at = $2
FROM (
  SELECT account_id, event_id, endpoint_id FROM test_gateway.deliveries
  WHERE due_at <= $1 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
) due
JOIN test_gateway.events e ON e.account_id = due.account_id AND e.id = due.event_id
LEFT JOIN test_gateway.objects w ON w.account_id = due.account_id AND w.id = due.endpoint_id
WHERE d.account_id = due.account_id AND d.event_id = due.event_id AND d.endpoint_id = due.endpoint_id
RETURNING d.account_id, d.event_id, d.endpoint_id, d.tries, e.body, w.hidden->>'url' AS url, w.hidden->>'secret' AS secret`;

import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import axios from 'axios';
import pg from 'pg';
import { Pool, request } from 'undici';

import { signatureHeaders } from '../src/webhooks/signature.js';
import { cpuMs, type Started, startScript } from './processes.js';
import type { Stops } from './runner.js';
import { ADMIN_KEY, SERVICE, STARTED } from './sides.js';

/** Requests on the wire at once, of every side. */
export const LANES = 32;
/** A dispatcher has at most eight requests at once on the wire to one endpoint. */
export const ENDPOINTS = LANES / 8;

/** As long as it takes to have every row written before the first one falls due, also on a busy machine. */
const AHEAD_MS = 1_500;
const AHEAD_EACH_MS = 0.2;

/** An event as merchants receive it, about 900 bytes. `ID` stands for its id. */
export const BODY = JSON.stringify({
  event: 'recovery.success',
  revtainTransactionId: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
  ...{ recommendedAction: 'monitor', amount: 2500, currency: 'USD', declineCode: 'insufficient_funds' },
  message: 'The payment was collected.',
  ...{ strategyUsed: 'primary', idempotencyKey: 'inv_42', reference: 'inv_42', customerId: 'c_9', trigger: 'initial' },
  gatewayTransactionToken: 'pi_3Oq2NdAbCdEfGhIjKlMnOpQr',
  recommendedActionReason: 'The debt is paid; nothing is asked of the customer.',
  ...{
    recommendedActionDetail: null,
    declineCategory: 'retry_only',
    networkDeclineCode: '51',
    networkAdviceCode: null,
  },
  ...{ attemptCount: 3, final: true, willRetry: false, endReason: null, round: 1, amountRequested: 2500 },
  ...{
    nextAttemptAt: null,
    openRecoveriesForCustomer: 0,
    id: 'ID',
    sequence: 7,
    createdAt: '2026-11-21T12:00:00.000Z',
  },
  ...{ apiVersion: '2026-11-01', livemode: true, isSimulated: false, metadata: { plan: 'gold', seats: '12' } },
});

/** Sends so many signed webhooks, or for so many seconds; answers how many a second that were. */
export type Send = (amount: { seconds: number; count: number }) => Promise<number>;

/** What the product says besides: the peers post the same headers. */
const NUMBERS = { 'X-Revtain-Delivery-Attempt': '1', 'X-Revtain-Sequence': '1' };
const SECRET = `whsec_${randomBytes(32).toString('base64')}`;

function signed(number: number): { headers: Record<string, string>; body: Buffer } {
  const id = `evt_bench_${number}`;
  const body = Buffer.from(BODY.replace('ID', id));
  const headers = signatureHeaders({ id, sentAt: new Date(), body }, { current: SECRET, previous: null });
  return { headers: { 'Content-Type': 'application/json', 'User-Agent': 'bench', ...NUMBERS, ...headers }, body };
}

/** What most people write: axios with its defaults, signed, and nothing stored; so many requests at once. */
export function axiosSide(receiver: string, atOnce: number): Send {
  return lanes(atOnce, async (number) => {
    const { headers, body } = signed(number);
    await axios.post(`${receiver}/axios`, body, { headers, timeout: 10_000, maxRedirects: 0 });
  });
}

/** As fast as Node sends: a bare pool of undici to one origin, signed, and nothing stored. */
export function poolSide(receiver: string, stops: Stops): Send {
  const pool = new Pool(receiver, { connections: LANES, pipelining: 1 });
  stops.push(() => pool.destroy());
  return lanes(LANES, async (number) => {
    const { headers, body } = signed(number);
    const answer = await pool.request({ path: '/pool', method: 'POST', headers, body });
    if (answer.statusCode !== 200) throw new Error(`the receiver answered ${answer.statusCode}`);
    await answer.body.dump();
  });
}

function lanes(atOnce: number, sendOne: (number: number) => Promise<void>): Send {
  return async ({ seconds }) => {
    let sent = 0;
    const startedMs = performance.now();
    const lane = async () => {
      while (performance.now() < startedMs + seconds * 1_000) await sendOne((sent += 1));
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return sent / ((performance.now() - startedMs) / 1_000);
  };
}

interface RevtainParts {
  register: (each: Started) => void;
  stops: Stops;
  /** CPU that others have used for it, in ms, by their names. */
  others: Record<string, () => number>;
  say: (text: string) => void;
}

/** The product as it is started, with events that fall due all at once; ends when each is marked as delivered. */
export async function revtainSide(
  databaseUrl: string,
  receiver: string,
  { register, stops, others, say }: RevtainParts,
): Promise<Send> {
  const started = await startScript(SERVICE, settings(databaseUrl), STARTED);
  register(started);
  const parts = { service: () => cpuMs(started.child.pid ?? 0), ...others };
  const { clientId, endpointIds } = await newMerchant(
    started.said,
    receiver,
    Array.from({ length: ENDPOINTS }, (_, index) => `/revtain/${index}`),
  );
  const rows = new pg.Client({ connectionString: databaseUrl });
  await rows.connect();
  stops.push(() => rows.end());
  let batch = 0;
  return async ({ count }) => {
    await rows.query('SET ROLE revtain_worker');
    batch += 1;
    const dueAt = new Date(Date.now() + AHEAD_MS + count * AHEAD_EACH_MS);
    await rows.query(FILL, [clientId, endpointIds, batch * 1_000_000, count, BODY, dueAt]);
    if (Date.now() > dueAt.getTime()) throw new Error('the rows were not written before they fell due');
    await sleep(Math.max(0, dueAt.getTime() - Date.now()));
    const before = Object.values(parts).map((used) => used());
    for (;;) {
      const { rows: waiting } = await rows.query(SOME_WAITING);
      if (waiting.length === 0) break;
      await sleep(20);
    }
    const elapsedMs = Date.now() - dueAt.getTime();
    const used = Object.entries(parts).map(([name, now], index) => {
      const us = ((now() - (before[index] ?? 0)) * 1_000) / count;
      return `${name} ${us.toFixed(0)}`;
    });
    say(`         CPU for each delivery, in µs: ${used.join(', ')}`);
    await demandDelivered(rows, clientId, batch * count);
    return count / (elapsedMs / 1_000);
  };
}

// From the index's far end: from its near one, each look would read past all that is delivered already.
const SOME_WAITING = `
  SELECT 1 FROM webhook_deliveries WHERE status = 'pending' ORDER BY endpoint_id DESC, next_try_at DESC LIMIT 1`;

const FILL = `
  WITH told AS (
    INSERT INTO webhook_events (client_id, id, recovery_id, type, is_default, sequence, final, body, created_at)
    SELECT $1, 'evt_' || lpad(($3 + n)::text, 26, '0'), 'r' || ($3 + n), 'recovery.success', true, 1, true,
      convert_to(replace($5, '"ID"', '"evt_' || lpad(($3 + n)::text, 26, '0') || '"'), 'UTF8'), now()
    FROM generate_series(1, $4::int) n
    RETURNING client_id, id, recovery_id)
  INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, next_try_at,
    created_at, updated_at)
  SELECT client_id, 'dlv_' || right(id, 26), id, ($2::text[])[1 + right(id, 9)::int % ${ENDPOINTS}], recovery_id, 1, 'pending', $6,
    now(), now()
  FROM told`;

/** The service as `npm start` runs it, but for its log. */
export function settings(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    PORT: '0',
    REVTAIN_MASTER_KEY: randomBytes(32).toString('base64'),
    REVTAIN_ADMIN_KEY: ADMIN_KEY,
    REVTAIN_ALLOW_LOOPBACK: 'on',
    LOG_LEVEL: 'warn',
  };
}

/** A client with an endpoint at each of these paths of the receiver. */
export async function newMerchant(
  url: string,
  receiver: string,
  paths: readonly string[],
): Promise<{ clientId: string; endpointIds: string[] }> {
  const post = async (path: string, headers: Record<string, string>, body: object) => {
    const answer = await request(url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
    if (answer.statusCode !== 201)
      throw new Error(`${path} answered ${answer.statusCode}: ${await answer.body.text()}`);
    return (await answer.body.json()) as Record<string, string>;
  };
  const client = { name: 'Bench', gateway: { provider: 'stripe', secretKey: 'sk_live_bench' } };
  const { clientId = '', apiKey = '' } = await post('/api/clients', { 'x-admin-key': ADMIN_KEY }, client);
  const endpointIds: string[] = [];
  for (const path of paths) {
    const made = await post('/api/webhook-endpoints', { 'x-api-key': apiKey }, { url: receiver + path });
    endpointIds.push(made['id'] ?? '');
  }
  return { clientId, endpointIds };
}

/** A rate of failures is no rate. */
async function demandDelivered(rows: pg.Client, clientId: string, count: number): Promise<void> {
  const { rows: counted } = await rows.query<{ delivered: string }>(
    `SELECT count(*) AS delivered FROM webhook_deliveries WHERE client_id = $1 AND status = 'delivered' AND try_count = 1`,
    [clientId],
  );
  if (Number(counted[0]?.delivered) !== count)
    throw new Error(`${counted[0]?.delivered} of ${count} were delivered at once`);
}

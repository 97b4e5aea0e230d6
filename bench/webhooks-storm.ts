import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import pg from 'pg';
import { request } from 'undici';

import { startScript } from './processes.js';
import { registerIn, runBench, startPostgres, type Stops } from './runner.js';
import { createDatabase, SERVICE, STARTED } from './sides.js';
import { BODY, newMerchant, settings } from './webhook-sides.js';

const HELP = `node dist-bench/bench/webhooks-storm.js [--events 1000000] [--rate 1000]

Half of the endpoints fail: some answer 500, some never answer. Events come at a steady rate, first to the healthy half alone,
then to all. Nothing may be lost, and the first try of a healthy endpoint's event may not come late: its p99 must be at most
one second, and the failing half may move it by at most a tenth or 20 ms. Exit code 1 when it is not so.
`;
const ENDPOINTS_EACH = 5;
const TICK_MS = 100;
const P99_MAX_MS = 1_000;
const MOVED_MAX = 1.1;
const MOVED_FREE_MS = 20;

interface Scene {
  rows: pg.Client;
  receiver: string;
  healthy: Target;
  failing: Target;
}

interface Target {
  clientId: string;
  endpointIds: string[];
}

const FEED = `
  WITH told AS (
    INSERT INTO webhook_events (client_id, id, recovery_id, type, is_default, sequence, final, body, created_at)
    SELECT $1, 'evt_' || lpad(($3::bigint + n)::text, 26, '0'), 'r' || ($3::bigint + n), 'recovery.success', true, 1, true,
      convert_to(regexp_replace($5, '"createdAt":"[^"]*"', '"createdAt":"' || $6 || '"'), 'UTF8'), now()
    FROM generate_series(1, $4::int) n
    RETURNING client_id, id, recovery_id)
  INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, next_try_at,
    created_at, updated_at)
  SELECT client_id, 'dlv_' || right(id, 26), id, ($2::text[])[1 + right(id, 9)::int % cardinality($2::text[])], recovery_id, 1,
    'pending', $6::timestamptz, now(), now()
  FROM told`;

async function setUp(stops: Stops): Promise<Scene> {
  const postgres = await startPostgres(stops);
  const register = registerIn(stops);
  const merchant = await startScript('./webhook-receiver.js', {}, /ready (\d+)\n/);
  register(merchant);
  const receiver = `http://127.0.0.1:${merchant.said}`;
  const databaseUrl = await createDatabase(postgres.connectionString, 'bench_storm');
  const service = await startScript(SERVICE, settings(databaseUrl), STARTED);
  register(service);
  const paths = (kind: (index: number) => string) => Array.from({ length: ENDPOINTS_EACH }, (_, index) => kind(index));
  const healthy = await newMerchant(
    service.said,
    receiver,
    paths((index) => `/timed/${index}`),
  );
  const failing = await newMerchant(
    service.said,
    receiver,
    paths((index) => (index % 2 === 0 ? `/fail/${index}` : `/silent/${index}`)),
  );
  const rows = new pg.Client({ connectionString: databaseUrl });
  await rows.connect();
  stops.push(() => rows.end());
  await rows.query('SET ROLE revtain_worker');
  return { rows, receiver, healthy, failing };
}

/** Tells events at a steady rate, the same number to each target. Answers how many each got. */
async function feed({ rows }: Scene, targets: Target[], events: number, rate: number): Promise<number> {
  const perTick = Math.max(1, Math.round((rate * TICK_MS) / 1_000 / targets.length));
  let told = 0;
  for (const startedMs = performance.now(), from = { tick: 0 }; told * targets.length < events; from.tick += 1) {
    for (const { clientId, endpointIds } of targets) {
      const at = new Date();
      await rows.query(FEED, [clientId, endpointIds, at.getTime() * 1_000, perTick, BODY, at.toISOString()]);
    }
    told += perTick;
    await sleep(Math.max(0, startedMs + (from.tick + 1) * TICK_MS - performance.now()));
  }
  return told;
}

/** How late the first tries came, once all have; throws when some do not come within a minute. */
async function agesOf({ receiver }: Scene, count: number): Promise<{ p50: number; p99: number; max: number }> {
  const ages: number[] = [];
  for (let waitedMs = 0; ages.length < count; waitedMs += 200) {
    if (waitedMs > 60_000) throw new Error(`${count - ages.length} of ${count} events did not come`);
    await sleep(200);
    ages.push(...((await (await request(`${receiver}/ages`)).body.json()) as number[]));
  }
  ages.sort((one, other) => one - other);
  const at = (share: number) => ages[Math.floor((ages.length - 1) * share)] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Deliveries of a client that are neither delivered nor waiting for their next try: none may be. */
async function lostOf({ rows }: Scene, { clientId }: Target, told: number): Promise<number> {
  const { rows: counted } = await rows.query<{ safe: string }>(
    `SELECT count(*) AS safe FROM webhook_deliveries
     WHERE client_id = $1 AND (status = 'delivered' OR (status = 'pending' AND next_try_at IS NOT NULL))`,
    [clientId],
  );
  return told - Number(counted[0]?.safe);
}

async function storm(events: number, rate: number, stops: Stops): Promise<boolean> {
  const scene = await setUp(stops);
  const say = (name: string, { p50, p99, max }: { p50: number; p99: number; max: number }) =>
    console.log(`${name}: first try p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`);
  await agesOf(scene, await feed(scene, [scene.healthy], Math.min(events / 10, 2_000), rate)); // Warms up.
  const aloneTold = await feed(scene, [scene.healthy], events / 5, rate / 2);
  const alone = await agesOf(scene, aloneTold);
  say('healthy endpoints alone  ', alone);
  const told = await feed(scene, [scene.healthy, scene.failing], events, rate);
  const among = await agesOf(scene, told);
  say('among as many failing ones', among);
  const lost = await lostOf(scene, scene.failing, told);
  console.log(`events ${told * 2}, lost ${lost}`);
  const moved = among.p99 <= Math.max(alone.p99 * MOVED_MAX, alone.p99 + MOVED_FREE_MS);
  return lost === 0 && among.p99 <= P99_MAX_MS && moved;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { events: text, rate: text, help: { type: 'boolean' } } });
  if (values.help) return console.log(HELP);
  await runBench((stops) => storm(Number(values.events ?? 1_000_000), Number(values.rate ?? 1_000), stops));
}

await main();

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import pg from 'pg';
import { request } from 'undici';

import { addCrowd, crowdId } from '../test/support/crowd.js';
import { startScript } from './processes.js';
import { registerIn, runBench, startPostgres, type Stops } from './runner.js';
import { ADMIN_KEY, createDatabase, SERVICE, STARTED } from './sides.js';

const HELP = `npm run bench:crowd -- [--rows 1000000] [--asked 50]

How late one client's recoveries are worked while another one has very many due: first alone, then beside the crowd. Exit code 1
when the crowd delays the slowest of them by more than a second.
`;
const DELAY_MS_MAX = 1_000;

interface Scene {
  rows: pg.Client;
  prototypeId: string;
  crowded: string;
  other: string;
}

async function setUp(stops: Stops): Promise<Scene> {
  const { connectionString } = await startPostgres(stops);
  const databaseUrl = await createDatabase(connectionString, 'bench_crowd');
  const env = {
    DATABASE_URL: databaseUrl,
    PORT: '0',
    REVTAIN_MASTER_KEY: Buffer.alloc(32, 1).toString('base64'),
    REVTAIN_ADMIN_KEY: ADMIN_KEY,
    REVTAIN_TEST_GATEWAY: 'on',
    LOG_LEVEL: 'warn',
  };
  const service = await startScript(SERVICE, env, STARTED);
  registerIn(stops)(service);
  const post = async (path: string, headers: Record<string, string>, body: object) => {
    const send = {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    };
    return (await (await request(service.said + path, { ...send, method: 'POST' })).body.json()) as Record<
      string,
      string
    >;
  };
  const account = { name: 'Bench', gateway: { provider: 'test' } };
  const [crowded, other] = [
    await post('/api/clients', { 'x-admin-key': ADMIN_KEY }, account),
    await post('/api/clients', { 'x-admin-key': ADMIN_KEY }, account),
  ];
  const asked = { paymentMethodToken: 'pm_card_visa', amount: 2_500, simulateOutcome: 'queued_then_success' };
  const { transactionId } = await post('/api/recovery/execute', { 'x-api-key': crowded['apiKey'] ?? '' }, asked);
  if (transactionId === undefined) throw new Error('no recovery was accepted');
  const rows = new pg.Client({ connectionString: databaseUrl });
  await rows.connect();
  stops.push(() => rows.end());
  // Live ones, to the engine: no clock of theirs is moved.
  await rows.query('UPDATE clients SET is_test = false');
  return { rows, prototypeId: transactionId, crowded: crowded['clientId'] ?? '', other: other['clientId'] ?? '' };
}

/** Lets recoveries of the other client fall due, one after the other; answers how late each was worked, sorted. */
async function lateness({ rows, other }: Scene, from: number, to: number): Promise<number[]> {
  const late: number[] = [];
  for (let nth = from; nth <= to; nth += 1) {
    const which = [other, crowdId(nth)];
    const fallDue =
      'UPDATE recoveries SET due_at = clock_timestamp() WHERE client_id = $1 AND id = $2 RETURNING due_at';
    const dueAt = (await rows.query<{ due_at: Date }>(fallDue, which)).rows[0]?.due_at.getTime() ?? NaN;
    for (;;) {
      const look = 'SELECT recovered_at FROM recoveries WHERE client_id = $1 AND id = $2';
      const at = (await rows.query<{ recovered_at: Date | null }>(look, which)).rows[0]?.recovered_at;
      if (at) {
        late.push(at.getTime() - dueAt);
        break;
      }
      await sleep(20);
    }
  }
  return late.sort((a, b) => a - b);
}

async function bench({ count, asked }: { count: number; asked: number }, stops: Stops): Promise<boolean> {
  const scene = await setUp(stops);
  const { rows, prototypeId, crowded, other } = scene;
  const inADay = new Date(Date.now() + 86_400_000);
  await addCrowd(rows, { prototypeId, clientId: other, count: 2 * asked, from: inADay, everyMs: 1 });
  const alone = await lateness(scene, 1, asked);
  console.log(`alone                 ${told(alone)}`);
  console.log(`writing ${count} due recoveries of another client …`);
  const anHourAgo = new Date(Date.now() - 3_600_000);
  await addCrowd(rows, { prototypeId, clientId: crowded, count, from: anHourAgo, everyMs: 0 });
  const waiting = async () => {
    const text = `SELECT count(*)::int AS due FROM recoveries WHERE client_id = $1 AND due_at IS NOT NULL`;
    return (await rows.query<{ due: number }>(text, [crowded])).rows[0]?.due ?? 0;
  };
  const [before, startedMs] = [await waiting(), performance.now()];
  const beside = await lateness(scene, asked + 1, 2 * asked);
  const [after, seconds] = [await waiting(), (performance.now() - startedMs) / 1_000];
  console.log(`beside ${before} due   ${told(beside)}`);
  console.log(`the crowd meanwhile   ${((before - after) / seconds).toFixed(0)} worked a second, ${after} left`);
  if (after === 0) throw new Error('the crowd was worked before the measure ended: give more --rows');
  const delayMs = (beside.at(-1) ?? NaN) - (alone.at(-1) ?? NaN);
  console.log(`delay of the slowest  ${delayMs.toFixed(0)} ms   (must be <= ${DELAY_MS_MAX})`);
  return delayMs <= DELAY_MS_MAX;
}

function told(sorted: number[]): string {
  const at = (share: number) => `${sorted[Math.floor((sorted.length - 1) * share)] ?? NaN} ms`;
  return `median ${at(0.5)}, p90 ${at(0.9)}, slowest ${at(1)}`;
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { rows: text, asked: text, help: { type: 'boolean' } } });
  if (values.help) return console.log(HELP);
  const number = (name: 'rows' | 'asked', otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`);
    return value;
  };
  const options = { count: number('rows', 1_000_000), asked: number('asked', 50) };
  await runBench((stops) => bench(options, stops));
}

await main();

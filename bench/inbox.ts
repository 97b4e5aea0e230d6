import { randomBytes, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';

import pg from 'pg';
import { request } from 'undici';

import { sendEvents, type Received, type Receiver } from './inbox-load.js';
import { cpuMs, startScript } from './processes.js';
import { median, registerIn, runBench, startPostgres, type Stops } from './runner.js';
import { ADMIN_KEY, analyze, createDatabase, SERVICE, STARTED } from './sides.js';

const CONNECTIONS = 64;
const NAIVE_RATIO_MUST = 4;
const INSERTS_RATIO_MUST = 0.45;
const SECRET = 'whsec_bench';

const HELP = `npm run bench:inbox -- [--seconds 3] [--rounds 7]

Signed Stripe events taken in per second at ${CONNECTIONS} connections: Revtain (verified, read, committed, then answered; worked by
another process), against a Nest + Express + TypeORM query-builder receiver that verifies and inserts, and against bare inserts
of one row of about the same size, each its own transaction by a prepared statement, as pgbench does them at ${CONNECTIONS} connections. They take turns within each round,
because a machine's speed drifts: the ratio inside a round counts. Exit code 1 when a median is below its mark.
`;

interface Options {
  seconds: number;
  rounds: number;
}

type Name = 'revtain' | 'naive' | 'inserts';

/** The service as `api`: it takes events in, and leaves working them to a worker. */
async function startRevtain(databaseUrl: string, register: (each: Awaited<ReturnType<typeof startScript>>) => void) {
  const started = await startScript(
    SERVICE,
    {
      DATABASE_URL: databaseUrl,
      PORT: '0',
      REVTAIN_MASTER_KEY: randomBytes(32).toString('base64'),
      REVTAIN_ADMIN_KEY: ADMIN_KEY,
      LOG_LEVEL: 'warn',
      REVTAIN_ROLE: 'api',
    },
    STARTED,
  );
  register(started);
  const { body } = await request(`${started.said}/api/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-admin-key': ADMIN_KEY },
    body: JSON.stringify({
      name: 'Bench',
      gateway: { provider: 'stripe', secretKey: 'sk_live_bench', webhookSecret: SECRET },
    }),
  });
  const { clientId } = (await body.json()) as { clientId: string };
  const path = `/api/connectors/stripe-billing/webhook/${clientId}`;
  const receiver: Receiver = { url: started.said, path, secret: SECRET };
  return { receiver, pid: started.child.pid };
}

/** One row an insert, one transaction a row, each connection waiting for its commit. */
function insertsSide(databaseUrl: string, stops: Stops): (options: Options) => Promise<Received> {
  const text = 'INSERT INTO bench_events (id, type, body, received_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING';
  const body = JSON.stringify({ filling: 'x'.repeat(900) });
  const pool = new pg.Pool({ connectionString: databaseUrl, max: CONNECTIONS });
  stops.push(() => pool.end());
  const ready = pool.query(
    'CREATE TABLE bench_events (id text PRIMARY KEY, type text NOT NULL, body jsonb NOT NULL, received_at timestamptz NOT NULL)',
  );
  return async ({ seconds }) => {
    await ready;
    const latenciesMs: number[] = [];
    const startedMs = performance.now();
    const lane = async () => {
      const client = await pool.connect();
      while (performance.now() < startedMs + seconds * 1_000) {
        const sentMs = performance.now();
        await client.query({ name: 'insert', text, values: [randomUUID(), 'invoice.paid', body, new Date()] });
        latenciesMs.push(performance.now() - sentMs);
      }
      client.release();
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, lane));
    const elapsedSeconds = (performance.now() - startedMs) / 1_000;
    latenciesMs.sort((a, b) => a - b);
    const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? NaN;
    const events = latenciesMs.length;
    return { events, perSecond: events / elapsedSeconds, p50Ms: at(0.5), p99Ms: at(0.99) };
  };
}

async function setUp(stops: Stops): Promise<Record<Name, (options: Options) => Promise<Received>>> {
  console.log('starting PostgreSQL and both services …');
  const postgres = await startPostgres(stops);
  const register = registerIn(stops);
  const revtainDb = await createDatabase(postgres.connectionString, 'bench_inbox');
  const revtain = await startRevtain(revtainDb, register);
  const naiveDb = await createDatabase(postgres.connectionString, 'bench_receiver');
  const env = { DATABASE_URL: naiveDb, STRIPE_WEBHOOK_SECRET: SECRET };
  const receiver = await startScript('./naive/receiver.js', env, /ready (.+)\n/);
  register(receiver);
  const naive = { url: receiver.said, path: '/webhooks/stripe', secret: SECRET };
  const inserts = insertsSide(await createDatabase(postgres.connectionString, 'bench_inserts'), stops);
  const measured = async (pid: number | undefined, to: Receiver, { seconds }: Options): Promise<Received> => {
    const cpuNow = () => cpuMs(pid ?? 0) + cpuMs(postgres.pid, true);
    const before = cpuNow();
    const received = await sendEvents(to, seconds, CONNECTIONS);
    return { ...received, cpuUs: ((cpuNow() - before) * 1_000) / received.events };
  };
  return {
    revtain: async (options) => {
      const received = await measured(revtain.pid, revtain.receiver, options);
      await assertKept(revtainDb, received.events);
      await analyze(revtainDb);
      return received;
    },
    naive: (options) => measured(receiver.child.pid, naive, options),
    inserts,
  };
}

/** @throws when fewer rows stand than were acknowledged. Emptied, so that every round finds the same table. */
async function assertKept(databaseUrl: string, acknowledged: number): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ kept: number }>('SELECT count(*)::int AS kept FROM connector_events');
    if ((rows[0]?.kept ?? 0) < acknowledged) throw new Error('an event was acknowledged and is not there');
    await client.query('TRUNCATE connector_events');
  } finally {
    await client.end();
  }
}

async function compare(sides: Awaited<ReturnType<typeof setUp>>, options: Options) {
  const names: Name[] = ['revtain', 'naive', 'inserts'];
  const ratios = { naive: [] as number[], inserts: [] as number[] };
  for (let round = 0; round < options.rounds; round += 1) {
    const results = {} as Record<Name, Received>;
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] ?? 'revtain';
      results[name] = await sides[name](options);
    }
    ratios.naive.push(results.revtain.perSecond / results.naive.perSecond);
    ratios.inserts.push(results.revtain.perSecond / results.inserts.perSecond);
    const shown = names.map((name) => {
      const { perSecond, p50Ms, p99Ms, cpuUs } = results[name];
      const cpu = cpuUs === undefined ? '' : `, CPU ${cpuUs.toFixed(0)} µs`;
      return `${name} ${perSecond.toFixed(0)}/s (p50 ${p50Ms.toFixed(1)}, p99 ${p99Ms.toFixed(1)} ms${cpu})`;
    });
    const [toNaive, toInserts] = [ratios.naive.at(-1) ?? NaN, ratios.inserts.at(-1) ?? NaN];
    console.log(`round ${round + 1}  ${shown.join('  ')}  ratios ${toNaive.toFixed(2)} ${toInserts.toFixed(2)}`);
  }
  return ratios;
}

async function bench(options: Options, stops: Stops): Promise<boolean> {
  const sides = await setUp(stops);
  for (const name of ['revtain', 'naive', 'inserts'] as const) await sides[name](options);
  const ratios = await compare(sides, options);
  const [toNaive, toInserts] = [median(ratios.naive), median(ratios.inserts)];
  console.log(`\nto Nest + Express + TypeORM, median  ${toNaive.toFixed(2)}   (must be >= ${NAIVE_RATIO_MUST})`);
  console.log(`to single-row inserts, median        ${toInserts.toFixed(2)}   (must be >= ${INSERTS_RATIO_MUST})`);
  return toNaive >= NAIVE_RATIO_MUST && toInserts >= INSERTS_RATIO_MUST;
}

/** @throws when an option is no positive whole number. */
function readOptions(): Options | null {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { seconds: text, rounds: text, help: { type: 'boolean' } } });
  if (values.help) return null;
  const number = (name: keyof Options, otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`);
    return value;
  };
  return { seconds: number('seconds', 3), rounds: number('rounds', 7) };
}

const options = readOptions();
if (options) await runBench((stops) => bench(options, stops));
else console.log(HELP);

import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import pg from 'pg';
import { request } from 'undici';

import { startScript, stopChild } from './processes.js';
import type { Stops } from './runner.js';
import { ADMIN_KEY, createDatabase, SERVICE, STARTED } from './sides.js';

export const SIDES = ['revtain', 'graphile', 'bullmq'] as const;
export type RetrySideName = (typeof SIDES)[number];

/** One way to work due retries, over a database of its own in the same PostgreSQL. */
export interface RetrySide {
  name: RetrySideName;
  pid: number;
  postgresPid: number;
  rows: pg.Pool;
  /** Queues debts by the API, as a merchant's batch does, and returns their ids. Nothing works them yet. */
  seed(count: number): Promise<string[]>;
  /** Lets them fall due: at the instants of the table `bench_due`, or now. */
  fire(ids: readonly string[]): Promise<void>;
}

export interface Scenery {
  adminUrl: string;
  postgresPid: number;
  stub: string;
  inFlight: number;
  stops: Stops;
}

const BATCH = 1_000;
/** Twice what our worker has; with one for each job in flight the server's hundred would not do. */
const PEER_CONNECTIONS = 20;

export async function startSide(name: RetrySideName, scenery: Scenery): Promise<RetrySide> {
  const { adminUrl, postgresPid, stub, inFlight, stops } = scenery;
  const databaseUrl = await createDatabase(adminUrl, `bench_${name}`);
  const masterKey = randomBytes(32).toString('base64');
  const secretKey = `sk_live_bench_${name}`;
  const env = {
    DATABASE_URL: databaseUrl,
    PORT: '0',
    REVTAIN_MASTER_KEY: masterKey,
    REVTAIN_ADMIN_KEY: ADMIN_KEY,
    STRIPE_API_BASE: stub,
    LOG_LEVEL: 'warn',
    REVTAIN_IN_FLIGHT: String(inFlight),
  };
  const api = await startScript(SERVICE, { ...env, REVTAIN_ROLE: 'api' }, STARTED);
  stops.push(() => stopChild(api.child));
  const apiKey = await createClient(api.said, secretKey);
  const rows = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  stops.push(() => rows.end());
  await rows.query('CREATE TABLE bench_due (id text PRIMARY KEY, due_at timestamptz NOT NULL)');
  const seed = (count: number) => seedDebts(api.said, apiKey, rows, count);
  if (name === 'revtain') {
    const { child } = await startScript(SERVICE, { ...env, REVTAIN_ROLE: 'worker' }, STARTED);
    stops.push(() => stopChild(child));
    return { name, pid: child.pid ?? 0, postgresPid, rows, seed, fire: (ids) => fireOurs(rows, ids) };
  }
  const redisPort = name === 'bullmq' ? await startRedis(stops) : 0;
  const options = { databaseUrl, masterKey, stub, secretKey, inFlight, redisPort, connections: PEER_CONNECTIONS };
  const peer = await startPeer(name, options, stops);
  const fire = (ids: readonly string[]) => Promise.resolve(void peer.stdin?.write(`${JSON.stringify({ ids })}\n`));
  return { name, pid: peer.pid ?? 0, postgresPid, rows, seed, fire };
}

async function createClient(url: string, secretKey: string): Promise<string> {
  const { body } = await request(`${url}/api/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-admin-key': ADMIN_KEY },
    // Without an endpoint nobody has webhooks to deliver: the peers deliver none.
    body: JSON.stringify({ name: 'Bench', gateway: { provider: 'stripe', secretKey }, executesPerMinute: 1_000_000 }),
  });
  const { apiKey } = (await body.json()) as { apiKey?: string };
  if (apiKey === undefined) throw new Error('no client could be created');
  return apiKey;
}

async function seedDebts(url: string, apiKey: string, rows: pg.Pool, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let left = count; left > 0; left -= BATCH) {
    const items = Array.from({ length: Math.min(left, BATCH) }, () => debt());
    const { body } = await request(`${url}/api/recovery/execute/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
      body: JSON.stringify({ items }),
      headersTimeout: 300_000,
    });
    const { results } = (await body.json()) as { results: { status: number; body: { transactionId: string } }[] };
    const refused = results.find(({ status }) => status !== 202);
    if (refused) throw new Error(`a debt was not queued: ${JSON.stringify(refused)}`);
    ids.push(...results.map(({ body: { transactionId } }) => transactionId));
    // The worker runs already: nothing is due before it is fired.
  }
  await rows.query('ANALYZE');
  return ids;
}

function debt(): object {
  const id = randomBytes(12).toString('hex');
  const notBefore = new Date(Date.now() + 86_400_000).toISOString();
  const named = { reference: `order-${id}`, idempotencyKey: `key-${id}` };
  return { paymentMethodToken: `pm_${id}`, amount: 2_500, currency: 'USD', ...named, policy: { notBefore } };
}

async function fireOurs(rows: pg.Pool, ids: readonly string[]): Promise<void> {
  await rows.query(
    `UPDATE recoveries r SET due_at = coalesce((SELECT b.due_at FROM bench_due b WHERE b.id = r.id), now())
     WHERE r.id = ANY ($1)`,
    [ids],
  );
}

/** Its own modules are installed beside it (bench/package.json), so it runs from the sources. */
async function startPeer(name: string, options: object, stops: Stops): Promise<ChildProcess> {
  const script = fileURLToPath(new URL(`../../bench/peers/${name}.mjs`, import.meta.url));
  const flags = ['--max-old-space-size=512', script, JSON.stringify(options)];
  const child = spawn(process.execPath, flags, {
    env: { ...process.env, NODE_ENV: 'production' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  stops.push(() => stopChild(child));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('ready') && resolve());
    child.once('exit', (code) => reject(new Error(`${name} ended with ${String(code)}`)));
  });
  return child;
}

async function startRedis(stops: Stops): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'revtain-bench-redis-'));
  stops.push(() => Promise.resolve(rmSync(dir, { recursive: true, force: true })));
  const port = await freePort();
  const args = ['--port', String(port), '--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--dir', dir];
  const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  stops.push(() => stopChild(child));
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('Ready to accept') && resolve());
  });
  return port;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

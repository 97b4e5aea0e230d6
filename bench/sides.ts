import { randomBytes } from 'node:crypto';

import pg from 'pg';
import { request } from 'undici';

import { migrate } from '../src/platform/db/migrate.js';
import type { Target } from './load.js';
import { type Started, startScript } from './processes.js';

export type SideName = 'revtain' | 'naive';

/** One of the two services that are compared, with what it needs to be looked into. */
export interface Side extends Target {
  name: SideName;
  pid: number;
  databaseUrl: string;
  /** Its gateway key: the stub counts calls by it. */
  secretKey: string;
}

export const SERVICE = '../../dist/main.js';
/** What it says once it serves, and where. */
export const STARTED = /"url":"([^"]+)","event":"service.started"/;
export const ADMIN_KEY = 'bench-admin-key-0123456789';
const EXECUTES_PER_MINUTE = 1_000_000;

/**
 * The service with default settings. As `api` it does what the naive side does: it accepts, charges and stores, and leaves
 * delivery to a worker. As `all` it delivers the webhooks meanwhile, as `npm start` does.
 */
export async function startRevtain(
  role: 'api' | 'all',
  databaseUrl: string,
  stub: string,
  register: (each: Started) => void,
): Promise<Side> {
  const secretKey = 'sk_live_bench_revtain';
  const started = await startScript(
    SERVICE,
    {
      DATABASE_URL: databaseUrl,
      PORT: '0',
      REVTAIN_MASTER_KEY: randomBytes(32).toString('base64'),
      REVTAIN_ADMIN_KEY: ADMIN_KEY,
      REVTAIN_ALLOW_LOOPBACK: 'on',
      STRIPE_API_BASE: stub,
      LOG_LEVEL: 'warn',
      REVTAIN_ROLE: role,
    },
    STARTED,
  );
  register(started);
  const { body, statusCode } = await request(`${started.said}/api/clients`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-admin-key': ADMIN_KEY },
    body: JSON.stringify({
      name: 'Bench',
      gateway: { provider: 'stripe', secretKey },
      webhookUrl: `${stub}/hook/revtain`,
      executesPerMinute: EXECUTES_PER_MINUTE,
    }),
  });
  const { apiKey } = (await body.json()) as { apiKey?: string };
  if (apiKey === undefined) throw new Error(`no client could be created: HTTP ${statusCode}`);
  return { name: 'revtain', url: started.said, apiKey, pid: pidOf(started), databaseUrl, secretKey };
}

/** The naive service, on the same tables. Nothing delivers the webhooks that it stores. */
export async function startNaive(databaseUrl: string, stub: string, register: (each: Started) => void): Promise<Side> {
  await migrate(databaseUrl);
  const secretKey = 'sk_live_bench_naive';
  const env = { DATABASE_URL: databaseUrl, STRIPE_API_BASE: stub, STRIPE_SECRET_KEY: secretKey };
  const started = await startScript('./naive/main.js', env, /ready (.+)\n/);
  register(started);
  const [url = '', apiKey = ''] = started.said.split(' ');
  return { name: 'naive', url, apiKey, pid: pidOf(started), databaseUrl, secretKey };
}

/** Makes an empty database on the server of `adminUrl`. Returns its address. */
export async function createDatabase(adminUrl: string, name: string): Promise<string> {
  await runStatement(adminUrl, `CREATE DATABASE ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.toString();
}

/** Lets the planner know the tables, as autovacuum does within a minute of the first rows: a bench is not that long. */
export async function analyze(databaseUrl: string): Promise<void> {
  await runStatement(databaseUrl, 'ANALYZE');
}

async function runStatement(connectionString: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

function pidOf({ child }: Started): number {
  if (child.pid === undefined) throw new Error('a child that runs has a pid');
  return child.pid;
}

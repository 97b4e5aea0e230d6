import pg from 'pg';
import { request } from 'undici';

import type { Side } from './sides.js';

/** What both sides must store and call alike. The engine's own bookkeeping (rate limits, tries) is on top of it. */
const TABLES = [
  'recoveries',
  'attempts',
  'recovery_events',
  'idempotency_keys',
  'webhook_events',
  'webhook_deliveries',
] as const;

export interface Work {
  /** Rows per execute, by table. */
  rows: Record<string, number>;
  /** Gateway calls per execute, by call. */
  calls: Record<string, number>;
}

/** What one execute of a side has stored and called, counted in its database and by the gateway. */
export async function workOf(side: Side, stub: string): Promise<Work> {
  const client = new pg.Client({ connectionString: side.databaseUrl });
  await client.connect();
  try {
    const counts = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
    const { rows } = await client.query<Record<string, number>>(`SELECT ${counts.join(', ')}`);
    const stored = rows[0] ?? {};
    const executes = stored['recoveries'] ?? 0;
    const called = await callsOf(side, stub);
    return { rows: shared(stored, executes), calls: shared(called, executes) };
  } finally {
    await client.end();
  }
}

/** Webhooks that a side has delivered so far. */
export async function webhooksOf(name: string, stub: string): Promise<number> {
  return (await countsOf(stub))['webhooks']?.[`/hook/${name}`] ?? 0;
}

/** @throws when the two do different work: their ratio would compare nothing. */
export function demandSameWork(ours: Work, naive: Work): void {
  const [first, second] = [ours, naive].map((work) => JSON.stringify(work));
  if (first !== second) throw new Error(`the two sides do different work:\n  revtain ${first}\n  naive   ${second}`);
}

async function callsOf(side: Side, stub: string): Promise<Record<string, number>> {
  return (await countsOf(stub))[side.secretKey] ?? {};
}

async function countsOf(stub: string): Promise<Record<string, Record<string, number>>> {
  const { body } = await request(`${stub}/counts`);
  return (await body.json()) as Record<string, Record<string, number>>;
}

function shared(totals: Record<string, number>, executes: number): Record<string, number> {
  const entries = Object.entries(totals).map(([name, total]) => [name, total / executes] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

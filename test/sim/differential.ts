import { parseArgs } from 'node:util';

import { Database, violatedUnique, type Statement } from '../../src/platform/db/database.js';
import type { Row } from './memory/rows.js';
import type { Tables } from './memory/tables.js';
import type { Recorder, RecordedFlight } from './recorder.js';
import { replaceTimers } from './virtual-timers.js';

/**
 * Plays a world on the in-memory store, then flies the same flights against PostgreSQL, in the same order and at the same
 * instants, and compares what each of them answers. The first difference ends it with exit code 1.
 */
const { values } = parseArgs({
  options: { url: { type: 'string' }, seed: { type: 'string', default: '1' }, world: { type: 'string', default: '0' } },
});

/** Leases ask the database's own clock: it says what the world's clock said. */
const CLOCK = `
  CREATE SCHEMA sim;
  GRANT USAGE ON SCHEMA sim TO PUBLIC;
  CREATE FUNCTION sim.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS $$ SELECT current_setting('sim.now')::timestamptz $$`;

const WORKER = { role: 'worker' as const };

/** Where every row of both must be equal when all has been flown. */
const TABLES = [
  ['recoveries', 'recoveries'],
  ['attempts', 'attempts'],
  ['timeline', 'recovery_events'],
  ['keys', 'idempotency_keys'],
  ['cardStops', 'card_stops'],
  ['seenCharges', 'seen_charges'],
  ['events', 'webhook_events'],
  ['deliveries', 'webhook_deliveries'],
] as const;

async function record(): Promise<{ recorder: Recorder; setting: Statement[]; tables: Tables }> {
  const putBack = replaceTimers();
  const { World } = await import('./world.js');
  const { makeThread } = await import('./thread.js');
  const { Recorder: Kept } = await import('./recorder.js');
  const { settingOf } = await import('./setting-rows.js');
  const world = new World({ seed: Number(values.seed), index: Number(values.world), debts: 10 }, makeThread());
  const setting = settingOf(world.tables);
  const recorder = new Kept(() => world.timeline.nowMs);
  world.surroundings.store.listener = recorder;
  const { violations } = await world.play();
  putBack();
  if (violations.length > 0) throw new Error(`the world itself broke ${violations[0]?.invariant}`);
  return { recorder, setting, tables: world.tables };
}

async function flyAgain(database: Database, { atMs, statements, results }: RecordedFlight): Promise<string | null> {
  const clock = { text: `SELECT set_config('sim.now', $1, true)`, values: [new Date(atMs).toISOString()] };
  // Named statements are prepared under one role, and here all are flown by the worker's.
  const unnamed = statements.map(({ text, values: given }) => ({ text, ...(given ? { values: given } : {}) }));
  try {
    const [, ...real] = await database.flight(WORKER, [clock, ...unnamed]);
    if (results instanceof Error) return `was refused in memory: ${results.message}`;
    for (const [place, { rows, rowCount }] of real.entries()) {
      const memory = results[place];
      // What is only written answers how many rows.
      if (isLock(statements[place]) || (rows.length === 0 && rowCount === memory?.rowCount)) continue;
      const difference = differenceOf(rows, memory?.rows ?? []);
      if (difference !== null) return `${nameOf(statements[place])}: ${difference}`;
    }
    return null;
  } catch (error) {
    const constraint = violatedUnique(error);
    const expected = results instanceof Error ? violatedUnique(results) : null;
    if (constraint !== null && constraint === expected) return null;
    return `${nameOf(statements.at(-1))} was refused by PostgreSQL: ${String(error)}; in memory: ${results instanceof Error ? results.message : 'it stood'}`;
  }
}

async function compareTables(database: Database, tables: Tables): Promise<void> {
  for (const [name, table] of TABLES) {
    const memory: Row[] = [...tables[name].all()];
    const [columns] = memory.map((row) => Object.keys(row));
    if (!columns) continue;
    const { rows } = await database.query(WORKER, { text: `SELECT ${columns.join(', ')} FROM ${table}` });
    const difference = differenceOf(rows, memory);
    if (difference === null) continue;
    console.error(`${table}: ${difference}`);
    process.exitCode = 1;
  }
}

function isLock(statement: Statement | undefined): boolean {
  return statement?.text.includes('pg_advisory_xact_lock') === true;
}

function nameOf(statement: Statement | undefined): string {
  return statement?.name ?? statement?.text.slice(0, 60) ?? 'a flight';
}

/** Rows of a set have no order; of a row, what PostgreSQL answers counts. */
function differenceOf(real: readonly object[], memory: readonly object[]): string | null {
  if (real.length !== memory.length) return `${real.length} rows, ${memory.length} in memory`;
  const [columns] = real.map((row) => Object.keys(row));
  const plain = (rows: readonly object[]) => rows.map((row) => plainRow(row, columns ?? [])).sort();
  const [ours, theirs] = [plain(memory), plain(real)];
  const place = theirs.findIndex((row, index) => row !== ours[index]);
  return place < 0 ? null : `${theirs[place]}\n  in memory ${ours[place]}`;
}

function plainRow(row: object, columns: readonly string[]): string {
  const values: Record<string, unknown> = { ...row };
  return columns.map((column) => `${column}=${plainValue(values[column])}`).join(' ');
}

/** 64-bit integers come as text, JSON with its keys in another order. */
function plainValue(value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return `${value}`;
  if (value === null || value === undefined) return 'null';
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (Array.isArray(value)) return `[${value.map(plainValue).join(',')}]`;
  if (typeof value !== 'object') throw new Error(`no column holds a ${typeof value}`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members
    .map(([key, member]) => `${key}:${plainValue(member)}`)
    .sort()
    .join(',')}}`;
}

async function main(): Promise<void> {
  if (values.url === undefined) throw new Error('--url is missing');
  const { recorder, setting, tables } = await record();
  const own = new URL(values.url);
  own.searchParams.set('options', '-c search_path=sim,public,pg_catalog');
  const database = Database.connect(own.href, 1);
  const admin = new (await import('pg')).default.Client({ connectionString: values.url });
  await admin.connect();
  await admin.query(CLOCK);
  for (const { text, values: given } of setting) await admin.query(text, given ? [...given] : []);
  await admin.end();
  const flights = recorder.standing();
  for (const [place, flight] of flights.entries()) {
    const difference = await flyAgain(database, flight);
    if (difference === null) continue;
    console.error(`flight ${place} of ${flights.length}, ${new Date(flight.atMs).toISOString()}: ${difference}`);
    process.exitCode = 1;
    break;
  }
  if (process.exitCode === undefined) await compareTables(database, tables);
  await database.close();
  console.log(`${flights.length} flights answered alike`);
}

await main();

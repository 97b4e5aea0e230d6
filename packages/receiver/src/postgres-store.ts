import type { DedupeStore } from './once.js';

/** Runs one statement. Of `pg`: `(text, values) => pool.query(text, values)`. */
export type QueryFunction = (
  text: string,
  values: unknown[],
) => Promise<{ rows: readonly Readonly<Record<string, unknown>>[] }>;

export interface PostgresStoreOptions {
  /** Letters, digits and _, with a schema before it if need be. Default `revtain_webhook_events`. */
  table?: string | undefined;
}

export interface PostgresStore extends DedupeStore {
  /** Drops what was handled so many days ago; 30 or more, for a delivery can be sent again by hand. */
  forget(olderThanDays: number): Promise<void>;
}

const TABLE = 'revtain_webhook_events';
const TABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$/;

/** The statement that makes the table. @throws {TypeError} for a name that would need quotes. */
export function tableDdl(table: string = TABLE): string {
  assertTable(table);
  return `CREATE TABLE IF NOT EXISTS ${table} (
  event_id text PRIMARY KEY,
  token text NOT NULL,
  claimed_until timestamptz NOT NULL,
  done_at timestamptz
);`;
}

/**
 * Remembers in PostgreSQL: any number of processes, and across restarts. Times are the database's.
 * @throws {TypeError} for a table name that would need quotes. Its methods throw what `query` throws.
 */
export function postgresStore(query: QueryFunction, { table = TABLE }: PostgresStoreOptions = {}): PostgresStore {
  assertTable(table);
  // clock_timestamp, not now(): inside a long transaction, now() stands still.
  const claimSql = `INSERT INTO ${table} AS known (event_id, token, claimed_until)
    VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
    ON CONFLICT (event_id) DO UPDATE SET token = EXCLUDED.token, claimed_until = EXCLUDED.claimed_until
      WHERE known.done_at IS NULL AND known.claimed_until <= clock_timestamp()
    RETURNING event_id`;
  const isDoneSql = `SELECT event_id FROM ${table} WHERE event_id = $1 AND done_at IS NOT NULL`;
  const completeSql = `INSERT INTO ${table} AS known (event_id, token, claimed_until, done_at)
    VALUES ($1, '', clock_timestamp(), clock_timestamp())
    ON CONFLICT (event_id) DO UPDATE SET done_at = COALESCE(known.done_at, EXCLUDED.done_at)`;
  const releaseSql = `DELETE FROM ${table} WHERE event_id = $1 AND token = $2 AND done_at IS NULL`;
  const forgetSql = `DELETE FROM ${table} WHERE done_at < clock_timestamp() - $1 * interval '1 day'`;

  return {
    async claim(eventId, token, leaseMs) {
      const claimed = await query(claimSql, [eventId, token, leaseMs]);
      if (claimed.rows.length > 0) return 'claimed';
      const done = await query(isDoneSql, [eventId]);
      return done.rows.length > 0 ? 'done' : 'in_progress';
    },
    async complete(eventId) {
      await query(completeSql, [eventId]);
    },
    async release(eventId, token) {
      await query(releaseSql, [eventId, token]);
    },
    async forget(olderThanDays) {
      await query(forgetSql, [olderThanDays]);
    },
  };
}

function assertTable(table: string): void {
  if (!TABLE_NAME.test(table)) throw new TypeError(`${table} is no plain table name`);
}

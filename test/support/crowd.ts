import type pg from 'pg';

/** What a crowd is made like: a recovery that needs no gateway, such as one of `simulateOutcome` `queued_then_success`. */
export interface CrowdOptions {
  /** The recovery that each of the crowd is a copy of. */
  prototypeId: string;
  /** Whose they are: a client that no clock is moved for. */
  clientId: string;
  count: number;
  /** The first one falls due then, each next one `everyMs` later. */
  from: Date;
  everyMs: number;
}

/**
 * Puts many due recoveries into the database at once, timelines and all, past its triggers: a superuser's connection is
 * needed. They are live ones, which the engine claims by the machine's time.
 */
export async function addCrowd(database: pg.Client | pg.PoolClient, options: CrowdOptions): Promise<void> {
  const { prototypeId, clientId, count, from, everyMs } = options;
  const id = `'01' || lpad(n::text, 24, '0')`;
  const dueAt = `'${from.toISOString()}'::timestamptz + n * ${everyMs} * interval '1 ms'`;
  const own = {
    client_id: `'${clientId}'`,
    id,
    debt_name: id,
    reference: id,
    idempotency_key: 'NULL',
    due_at: dueAt,
    is_test: 'false',
  };
  await database.query('BEGIN');
  await database.query(`SET LOCAL session_replication_role = 'replica'`);
  await copy(database, 'recoveries', own, `p.id = '${prototypeId}'`, count);
  const told = { client_id: `'${clientId}'`, recovery_id: id };
  await copy(database, 'recovery_events', told, `p.recovery_id = '${prototypeId}'`, count);
  await database.query('COMMIT');
  await database.query('ANALYZE recoveries, recovery_events');
  // What was written at once here comes over days elsewhere: it must not be flushed under the eyes of a measure.
  await database.query('CHECKPOINT');
}

async function copy(
  database: pg.Client | pg.PoolClient,
  table: string,
  own: Record<string, string>,
  which: string,
  count: number,
): Promise<void> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> 'written_in'`,
    [table],
  );
  const columns = rows.map(({ name }) => name);
  const values = columns.map((name) => own[name] ?? `p.${name}`);
  await database.query(
    `INSERT INTO ${table} (${columns.join(', ')})
     SELECT ${values.join(', ')} FROM ${table} p, generate_series(1, ${count}) n WHERE ${which}`,
  );
}

/** The id of the nth of a crowd, from 1. */
export function crowdId(nth: number): string {
  return `01${String(nth).padStart(24, '0')}`;
}

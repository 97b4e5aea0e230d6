import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { Database } from './database.js';

const A = 'cli_01AAAAAAAAAAAAAAAAAAAAAAAA';
const B = 'cli_01BBBBBBBBBBBBBBBBBBBBBBBB';

/** Tables that hold no client's data, with the reason; one that appears must be put behind a policy or named here. */
const SHARED_TABLES = new Map([
  ['schema_migrations', 'which migrations have run'],
  ['audit_progress', 'one row: how far the timeline is linked'],
  ['live_processes', 'which processes are up'],
]);

describe('row-level security', () => {
  let test: TestDatabase;
  let owner: pg.Client;
  let database: Database;
  let tables: string[];

  beforeAll(async () => {
    test = await createTestDatabase();
    owner = new pg.Client({ connectionString: test.url });
    await owner.connect();
    database = Database.connect(test.url, 2);
    tables = (
      await owner.query<{ name: string }>(
        `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1`,
      )
    ).rows.map(({ name }) => name);
    for (const client of [A, B]) await fill(owner, tables, client);
  });
  afterAll(async () => {
    await database.close();
    await owner.end();
    await test.drop();
  });

  const tenantTables = () => tables.filter((name) => !SHARED_TABLES.has(name));

  it('covers every table: each has the client’s id, a policy for each role, and holds its owner to them', async () => {
    const { rows } = await owner.query<{
      name: string;
      enabled: boolean;
      forced: boolean;
      policies: string[];
      columns: string[];
    }>(
      `SELECT c.relname AS name, c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
              ARRAY(SELECT r.rolname::text FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
                    WHERE p.polrelid = c.oid ORDER BY 1) AS policies,
              ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns
       FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')`,
    );
    expect(rows.length).toBeGreaterThan(10);
    for (const { name, columns, ...security } of rows) {
      if (SHARED_TABLES.has(name)) continue;
      expect({ name, holds: columns.includes(columnOf(name)) }).toEqual({ name, holds: true });
      expect({ name, ...security }).toEqual({
        name,
        enabled: true,
        forced: true,
        policies: ['revtain_tenant', 'revtain_worker'],
      });
    }
  });

  it('gives neither role a login, a table, a bypass or superuser rights', async () => {
    const { rows } = await owner.query<Record<string, boolean>>(
      `SELECT rolcanlogin, rolbypassrls, rolsuper, rolcreaterole, rolcreatedb,
              EXISTS (SELECT FROM pg_class WHERE relowner = r.oid) AS owns
       FROM pg_roles r WHERE rolname IN ('revtain_tenant', 'revtain_worker')`,
    );
    expect(rows).toHaveLength(2);
    for (const row of rows) expect(Object.values(row)).toEqual(Object.values(row).map(() => false));
  });

  it('leads every primary key and foreign key with the client’s id', async () => {
    const { rows } = await owner.query<{ name: string; first: string }>(
      `SELECT con.conname AS name, a.attname AS first FROM pg_constraint con
       JOIN pg_class c ON c.oid = con.conrelid
       JOIN pg_attribute a ON a.attrelid = con.conrelid AND a.attnum = con.conkey[1]
       WHERE c.relnamespace = 'public'::regnamespace AND con.contype IN ('p', 'f') AND c.relname <> ALL ($1)`,
      [['clients', ...SHARED_TABLES.keys()]],
    );
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) expect(row).toEqual({ ...row, first: 'client_id' });
  });

  it('shows a tenant its own rows only, when the query has lost its filter, in every table', async () => {
    for (const table of tenantTables()) {
      const { rows } = await database.query<{ owner: string }>(
        { role: 'tenant', clientId: A },
        { text: `SELECT ${columnOf(table)} AS owner FROM ${table}` },
      );
      // A row of A's proves that the table was filled, so that seeing none of B's means something.
      expect({ table, owners: rows.map((row) => row.owner) }).toEqual({ table, owners: [A] });
    }
  });

  it('changes no row of another tenant, when the statement has lost its filter', async () => {
    for (const table of tenantTables()) {
      const column = columnOf(table);
      const attempt = { text: `UPDATE ${table} SET ${column} = ${column}` };
      const changed = await database.query({ role: 'tenant', clientId: A }, attempt).then(
        ({ rowCount }) => rowCount,
        (error: { code?: string }) => error.code,
      );
      // 42501: where a role may only add, it may not even change its own.
      expect({ table, changed: changed === 1 || changed === '42501' }).toEqual({ table, changed: true });
    }
  });

  it('lets a tenant write no row in another’s name', async () => {
    const statement = {
      text: `INSERT INTO pulses (client_id, id, amount_minor, currency, created_at) VALUES ($1, 'stolen', 1, 'USD', now())`,
      values: [B],
    };
    await expect(database.query({ role: 'tenant', clientId: A }, statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('shows the worker every client, and nothing to a tenant without a name', async () => {
    for (const table of tenantTables()) {
      const text = `SELECT count(*)::int AS found FROM ${table}`;
      const worker = await database.query<{ found: number }>({ role: 'worker' }, { text });
      const nobody = await database.query<{ found: number }>({ role: 'tenant', clientId: '' }, { text });
      expect({ table, worker: worker.rows[0]?.found, nobody: nobody.rows[0]?.found }).toEqual({
        table,
        worker: 2,
        nobody: 0,
      });
    }
  });

  it('leaves no role and no client behind on a connection, after success and after failure', async () => {
    const single = Database.connect(test.url, 1);
    try {
      await single.query({ role: 'tenant', clientId: A }, { text: 'SELECT 1' });
      await expect(single.query({ role: 'tenant', clientId: A }, { text: 'SELECT 1/0' })).rejects.toMatchObject({
        code: '22012',
      });
      const { rows } = await single.query<{ client: string }>(
        { role: 'worker' },
        { text: `SELECT current_setting('revtain.client_id', true) AS client` },
      );
      expect(rows[0]?.client).toBe('');
      const seen = await single.query<{ id: string }>(
        { role: 'tenant', clientId: B },
        { text: 'SELECT id FROM clients' },
      );
      expect(seen.rows.map(({ id }) => id)).toEqual([B]);
    } finally {
      await single.close();
    }
  });
});

/**
 * Gives the client one row in every table. Checks are dropped, foreign keys and triggers are off meanwhile: whose row
 * it is is all that counts here, and tables that are added later are filled without a word of this spec.
 */
async function fill(owner: pg.Client, tables: string[], client: string): Promise<void> {
  await owner.query('BEGIN');
  await owner.query(`SET LOCAL session_replication_role = 'replica'`);
  for (const table of tables.filter((name) => !SHARED_TABLES.has(name))) {
    await dropChecks(owner, table);
    const { rows } = await owner.query<{ name: string; type: string }>(
      `SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
       WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull AND NOT atthasdef`,
      [table],
    );
    const values = rows.map(({ name, type }) => (name === columnOf(table) ? `'${client}'` : valueOf(type, client)));
    await owner.query(
      `INSERT INTO ${table} (${rows.map(({ name }) => name).join(', ')}) VALUES (${values.join(', ')})`,
    );
  }
  await owner.query('COMMIT');
}

async function dropChecks(owner: pg.Client, table: string): Promise<void> {
  const { rows } = await owner.query<{ name: string }>(
    `SELECT conname AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c'`,
    [table],
  );
  for (const { name } of rows) await owner.query(`ALTER TABLE ${table} DROP CONSTRAINT ${name}`);
}

/** Any value of the type; bytes differ between clients, as hashes must. */
function valueOf(type: string, client: string): string {
  const byType: [string, string][] = [
    ['bytea', `'${client}'::bytea`],
    ['json', `'{}'`],
    ['timestamp', 'now()'],
    ['boolean', 'true'],
    // Some texts are unique over all clients.
    ['text', `'${client}'`],
  ];
  return byType.find(([start]) => type.startsWith(start))?.[1] ?? '1';
}

function columnOf(table: string): string {
  return table === 'clients' ? 'id' : 'client_id';
}

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase, type TestDatabase } from '../../../test/support/database.js';
import { severable, type SeverableDatabase } from '../../../test/support/severed-database.js';
import { CommitOutcomeUnknown, Database, type Scope } from './database.js';

const WORKER: Scope = { role: 'worker' };
const TENANT: Scope = { role: 'tenant', clientId: `it's "one"` };

let test: SeverableDatabase;
let direct: TestDatabase;
let owner: pg.Client;
let database: Database;

beforeAll(async () => {
  direct = await createTestDatabase();
  test = await severable(direct);
  owner = new pg.Client({ connectionString: direct.url });
  await owner.connect();
  await owner.query(`
    CREATE TABLE notes (id integer PRIMARY KEY, text text);
    GRANT SELECT, INSERT, UPDATE ON notes TO revtain_worker, revtain_tenant`);
  database = Database.connect(test.url, 1);
});
afterAll(async () => {
  await database.close();
  await owner.end();
  await test.drop();
});
beforeEach(() => owner.query('TRUNCATE notes'));

const write = (id: number, name?: string) => ({
  ...(name === undefined ? {} : { name }),
  text: 'INSERT INTO notes VALUES ($1, $2) RETURNING id',
  values: [id, `note ${id}`],
});
const notes = async () => (await owner.query<{ id: number }>('SELECT id FROM notes ORDER BY id')).rows.map((r) => r.id);

describe('a flight', () => {
  it('hands values over and back as they are', async () => {
    const at = new Date('2026-11-21T10:00:00.123Z');
    const values = [null, 7, true, `it's\n"x" \\ €`, at, Buffer.from([0, 255]), ['a"b', 'c\\d', null, ''], { a: [1] }];
    const { rows } = await database.query(WORKER, {
      text: `SELECT $1::text AS nothing, $2::int AS number, $3::boolean AS truth, $4::text AS text, $5::timestamptz AS at,
                    $6::bytea AS bytes, $7::text[] AS list, $8::jsonb AS json`,
      values,
    });
    expect(Object.values(rows[0] ?? {})).toEqual(values);
  });

  it('refuses a value that has no form before anything is sent, and the connection goes on', async () => {
    const text = 'SELECT $1::text';
    await expect(database.query(WORKER, { text, values: [() => 1] })).rejects.toThrow(TypeError);
    await expect(database.query(WORKER, { text, values: ['x'] })).resolves.toMatchObject({ rowCount: 1 });
  });

  it('takes the role and the client for its statements, and leaves none behind', async () => {
    const text = `SELECT current_user AS role, current_setting('revtain.client_id', true) AS client`;
    const [tenant, worker] = [await database.query(TENANT, { text }), await database.query(WORKER, { text })];
    expect(tenant.rows).toEqual([{ role: 'revtain_tenant', client: TENANT.clientId }]);
    expect(worker.rows).toEqual([{ role: 'revtain_worker', client: '' }]);
  });

  it('is one transaction: where one statement fails, none stands', async () => {
    const flight = database.flight(WORKER, [write(1), write(1), write(2)]);
    await expect(flight).rejects.toMatchObject({ code: '23505', constraint: 'notes_pkey' });
    expect(await notes()).toEqual([]);
  });

  it('names the sender in the stack of what fails', async () => {
    const failure = await database.query(WORKER, { text: 'SELECT 1 / 0' }).catch((error: unknown) => error);
    expect((failure as Error).stack).toContain('database.db.spec');
  });

  it('runs a named statement again after it has failed, and after its table has changed', async () => {
    const read = { name: 'read_notes', text: 'SELECT * FROM notes' };
    await expect(database.flight(WORKER, [{ text: 'SELECT 1 / 0' }, read])).rejects.toMatchObject({ code: '22012' });
    await database.flight(WORKER, [read, write(1, 'write_note')]);
    await expect(database.query(WORKER, write(1, 'write_note'))).rejects.toMatchObject({ code: '23505' });
    await owner.query('ALTER TABLE notes ADD COLUMN more text');
    // The connection may find its plan stale once; then it prepares the statement anew.
    await database.query(WORKER, read).catch((error: unknown) => expect(error).toMatchObject({ code: '0A000' }));
    await expect(database.query(WORKER, read)).resolves.toMatchObject({ rows: [{ id: 1, more: null }] });
  });

  it('does not know whether it stands when its connection is lost', async () => {
    const flight = database.query(WORKER, { text: 'SELECT pg_sleep(5)' });
    await sleepingBackend();
    await test.cut();
    await expect(flight).rejects.toBeInstanceOf(CommitOutcomeUnknown);
    await test.mend();
    await expect(database.query(WORKER, { text: 'SELECT 1 AS one' })).resolves.toMatchObject({ rows: [{ one: 1 }] });
  });
});

describe('a transaction', () => {
  it('commits what its work has written', async () => {
    await database.transaction(WORKER, async (tx) => {
      expect((await tx.query(write(1))).rowCount).toBe(1);
      expect(await notes()).toEqual([]);
    });
    expect(await notes()).toEqual([1]);
  });

  it('ends with its last statement', async () => {
    const ended = await database.transaction(WORKER, (tx) => tx.end(write(1)));
    expect(ended.rows).toEqual([{ id: 1 }]);
    expect(await notes()).toEqual([1]);
    const after = database.transaction(WORKER, async (tx) => {
      await tx.end(write(2));
      await tx.query(write(3));
    });
    await expect(after).rejects.toThrow('has ended');
    expect(await notes()).toEqual([1, 2]);
  });

  it.each([
    ['a statement', () => Promise.resolve()],
    ['the work itself', () => Promise.reject(new Error('thought better of it'))],
  ])('rolls back when %s fails, and its connection goes on', async (_name, then) => {
    const work = database.transaction(WORKER, async (tx) => {
      await tx.flight([write(1), write(2)]);
      await then();
      await tx.end(write(2));
    });
    await expect(work).rejects.toThrow();
    expect(await notes()).toEqual([]);
    await database.query(WORKER, write(3));
    expect(await notes()).toEqual([3]);
  });

  it('does not pass for committed when its work has swallowed a failure', async () => {
    const work = database.transaction(WORKER, async (tx) => {
      await tx.query(write(1));
      await tx.query(write(1)).catch(() => undefined);
    });
    await expect(work).rejects.toThrow('rolled back');
    expect(await notes()).toEqual([]);
  });

  it('costs nothing when its work asks for nothing', async () => {
    await expect(database.transaction(WORKER, () => Promise.resolve(7))).resolves.toBe(7);
  });
});

/** Resolves when the server has begun to sleep for us. */
async function sleepingBackend(): Promise<void> {
  for (;;) {
    const { rowCount } = await owner.query(
      `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(5)%' AND pid <> pg_backend_pid()`,
    );
    if (rowCount === 1) return;
  }
}

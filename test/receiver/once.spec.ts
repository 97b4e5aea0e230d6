import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { memoryStore } from '../../packages/receiver/src/memory-store.js';
import { once, type DedupeStore } from '../../packages/receiver/src/once.js';
import { postgresStore, tableDdl, type PostgresStore } from '../../packages/receiver/src/postgres-store.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const TABLE = 'public.webhook_events_seen';
const LEASE_MS = 60_000;

let database: TestDatabase;
let pool: pg.Pool;
let postgres: PostgresStore;

beforeAll(async () => {
  database = await createTestDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 20 });
  postgres = postgresStore((text, values) => pool.query(text, values), { table: TABLE });
  await pool.query(tableDdl(TABLE));
  await pool.query(tableDdl(TABLE)); // A start script may run it each time.
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

let names = 0;
const newId = () => `evt_${++names}`;

describe.each([
  ['in memory', () => memoryStore()],
  ['in PostgreSQL', () => postgres],
])('once, %s', (_name, storeOf: () => DedupeStore) => {
  it('works one of 50 deliveries at the same time', async () => {
    const [store, id] = [storeOf(), newId()];
    let worked = 0;
    // It goes on until somebody else has been told that it does.
    let anotherWasTold = (): void => undefined;
    const told = new Promise<void>((resolve) => (anotherWasTold = resolve));
    const work = async () => {
      await told;
      worked += 1;
      return 'result';
    };
    const deliver = async () => {
      const answer = await once(store, id, work);
      if (answer.kind === 'in_progress') anotherWasTold();
      return answer;
    };
    const all = await Promise.all(Array.from({ length: 50 }, deliver));
    expect(worked).toBe(1);
    expect(all.filter(({ kind }) => kind === 'handled')).toEqual([{ kind: 'handled', result: 'result' }]);
    expect(await once(store, id, work)).toEqual({ kind: 'duplicate' });
    expect(worked).toBe(1);
  });

  it('works 50 different events side by side', async () => {
    const store = storeOf();
    const all = await Promise.all(Array.from({ length: 50 }, () => once(store, newId(), () => 1)));
    expect(all.map(({ kind }) => kind)).toEqual(Array<string>(50).fill('handled'));
  });

  it('lets the next delivery in when the work failed', async () => {
    const [store, id] = [storeOf(), newId()];
    await expect(once(store, id, () => Promise.reject(new Error('no mail server')))).rejects.toThrow('no mail server');
    expect(await once(store, id, () => 'at last')).toEqual({ kind: 'handled', result: 'at last' });
  });

  it('frees the claim of a process that died when its lease ends', async () => {
    const [store, id] = [storeOf(), newId()];
    expect(await store.claim(id, 'dead', 20)).toBe('claimed');
    expect(await once(store, id, () => 1)).toEqual({ kind: 'in_progress' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await once(store, id, () => 1)).toEqual({ kind: 'handled', result: 1 });
  });

  it('takes no release of one whose lease was taken over, nor of a handled event', async () => {
    const [store, id] = [storeOf(), newId()];
    await store.claim(id, 'slow', 0);
    expect(await store.claim(id, 'next', LEASE_MS)).toBe('claimed');
    await store.release(id, 'slow');
    expect(await store.claim(id, 'third', LEASE_MS)).toBe('in_progress');
    await store.complete(id);
    await store.release(id, 'next');
    expect(await store.claim(id, 'fourth', LEASE_MS)).toBe('done');
  });

  it('remembers what a slow one completed after its claim was given back', async () => {
    const [store, id] = [storeOf(), newId()];
    await store.claim(id, 'slow', LEASE_MS);
    await store.release(id, 'slow');
    await store.complete(id);
    expect(await store.claim(id, 'next', LEASE_MS)).toBe('done');
  });
});

describe('once', () => {
  it('tells both errors when the release fails too', async () => {
    const store = { ...memoryStore(), release: () => Promise.reject(new Error('no database')) };
    const failed = once(store, newId(), () => Promise.reject(new Error('no mail server')));
    await expect(failed).rejects.toMatchObject({
      errors: [new Error('no mail server'), new Error('no database')],
    });
  });
});

describe('memoryStore', () => {
  it('forgets the oldest handled events, never one at work', async () => {
    const store = memoryStore({ idsMax: 2 });
    await store.claim('at work', 'token', LEASE_MS);
    for (const id of ['a', 'b', 'c']) await store.complete(id);
    const claims = await Promise.all(['at work', 'b', 'c', 'a'].map((id) => store.claim(id, 'other', LEASE_MS)));
    expect(claims).toEqual(['in_progress', 'claimed', 'done', 'claimed']);
  });
});

describe('postgresStore', () => {
  it('forgets what was handled long ago, and nothing else', async () => {
    const [old, recent, atWork] = [newId(), newId(), newId()];
    for (const id of [old, recent]) await postgres.complete(id);
    await postgres.claim(atWork, 'token', LEASE_MS);
    await pool.query(`UPDATE ${TABLE} SET done_at = now() - interval '31 days' WHERE event_id = $1`, [old]);
    await postgres.forget(30);
    const { rows } = await pool.query(`SELECT event_id FROM ${TABLE} WHERE event_id = ANY($1)`, [
      [old, recent, atWork],
    ]);
    expect(rows).toHaveLength(2);
    expect(await postgres.claim(old, 'token', LEASE_MS)).toBe('claimed');
  });

  it('works in the transaction of the effect: rolled back together', async () => {
    const id = newId();
    const connection = await pool.connect();
    await connection.query('BEGIN');
    const within = postgresStore((text, values) => connection.query(text, values), { table: TABLE });
    expect(await once(within, id, () => 'told')).toMatchObject({ kind: 'handled' });
    await connection.query('ROLLBACK');
    connection.release();
    expect(await once(postgres, id, () => 'told again')).toMatchObject({ kind: 'handled' });
  });

  it.each(['a b', 'a;drop table b', '"quoted"', '', 'a.b.c'])('refuses the table name %p', (table) => {
    expect(() => tableDdl(table)).toThrow(TypeError);
    expect(() => postgresStore(() => Promise.resolve({ rows: [] }), { table })).toThrow(TypeError);
  });
});

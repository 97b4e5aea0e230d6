import { describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { createTestDatabase } from './database.js';

describe('a test database', () => {
  it('is migrated, is apart from the next one, and can be dropped', async () => {
    const [first, second] = [await createTestDatabase(), await createTestDatabase()];
    await query(first.url, 'CREATE TABLE only_here (id int)');

    expect(await query(second.url, "SELECT to_regclass('only_here') AS found")).toEqual([{ found: null }]);
    expect(await query(second.url, "SELECT to_regclass('clients') IS NULL AS missing")).toEqual([{ missing: false }]);

    await first.drop();
    await expect(query(first.url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
    await second.drop();
  });
});

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString });
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

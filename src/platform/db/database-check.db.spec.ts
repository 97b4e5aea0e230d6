import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { startTestApp } from '../../../test/support/app.js';
import { createEmptyDatabase, type TestDatabase } from '../../../test/support/database.js';

describe('a start on a database that does not fit', () => {
  let database: TestDatabase;
  afterEach(() => database.drop());

  /** How it was refused, and how many tables it left. */
  async function refused(url = database.url): Promise<{ reason: unknown; tables: number }> {
    const start = startTestApp({ database: { ...database, url } });
    const reason = await start.then(
      async (app) => (await app.stop(), 'it started'),
      (error: unknown) => error,
    );
    const { rows } = await asAdmin(
      `SELECT count(*)::int AS tables FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
    );
    return { reason, tables: (rows[0] as { tables: number }).tables };
  }

  it.each(['LATIN1', 'SQL_ASCII'])('names the encoding %s in one line, and makes no table', async (encoding) => {
    database = await createEmptyDatabase(encoding);
    const message = expect.stringMatching(
      new RegExp(`^DATABASE_URL: the database has the encoding ${encoding}; [^\n]*$`),
    );
    expect(await refused()).toEqual({ reason: expect.objectContaining({ name: 'StartRefused', message }), tables: 0 });
  });

  it('says in one line that its login may make no tables', async () => {
    database = await createEmptyDatabase('UTF8');
    await asAdmin('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const login = `revtain_guest_${new URL(database.url).pathname.slice(-12)}`;
    await asAdmin(`CREATE ROLE ${login} LOGIN PASSWORD 'guest'`);
    try {
      const url = new URL(database.url);
      url.username = login;
      url.password = 'guest';
      const message = expect.stringMatching(/^DATABASE_URL: the database does not let its login make tables; [^\n]*$/);
      expect(await refused(url.href)).toEqual({
        reason: expect.objectContaining({ name: 'StartRefused', message }),
        tables: 0,
      });
    } finally {
      await asAdmin(`DROP ROLE ${login}`);
    }
  });

  async function asAdmin(sql: string): Promise<pg.QueryResult> {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    try {
      return await admin.query(sql);
    } finally {
      await admin.end();
    }
  }
});

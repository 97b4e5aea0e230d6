import { randomBytes } from 'node:crypto';

import pg from 'pg';

import { migrate } from '../../src/platform/db/migrate.js';

/** A migrated database of a test file's own. */
export interface TestDatabase {
  url: string;
  /** Close the file's own connections first; those it forgot are cut. */
  drop(): Promise<void>;
}

/** Makes a database with every migration applied. The first call of a run migrates; the others copy its result. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const template = databaseName('template');
  const name = databaseName(randomBytes(6).toString('hex'));
  await withAdmin(async (admin) => {
    await makeTemplateOnce(admin, template);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  const drop = () =>
    withAdmin(async (admin) => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    });
  return { url: urlOf(name), drop };
}

/** A copy of a database as it is now, as a backup is. Nobody may be connected to it meanwhile. */
export async function copyOf(database: TestDatabase): Promise<TestDatabase> {
  const name = databaseName(randomBytes(6).toString('hex'));
  const source = new URL(database.url).pathname.slice(1);
  await withAdmin(async (admin) => {
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${source}`);
  });
  const drop = () =>
    withAdmin(async (admin) => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    });
  return { url: urlOf(name), drop };
}

/** A database without a table in it, in an encoding of its own. */
export async function createEmptyDatabase(encoding: string): Promise<TestDatabase> {
  const name = databaseName(randomBytes(6).toString('hex'));
  await withAdmin(async (admin) => {
    await admin.query(
      `CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C' LOCALE_PROVIDER libc`,
    );
  });
  const drop = () =>
    withAdmin(async (admin) => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    });
  return { url: urlOf(name), drop };
}

// ASCII "TEMP"; jest's workers share the server, and only one of them may migrate.
const TEMPLATE_LOCK = 0x54454d50;

async function makeTemplateOnce(admin: pg.Client, template: string): Promise<void> {
  await admin.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK]);
  try {
    // The mark is set last, so a half-migrated one, left by a failure, is not taken for whole.
    const { rows } = await admin.query<{ whole: boolean }>(
      'SELECT datistemplate AS whole FROM pg_database WHERE datname = $1',
      [template],
    );
    if (rows[0]?.whole) return;
    await admin.query(`DROP DATABASE IF EXISTS ${template} WITH (FORCE)`);
    await admin.query(`CREATE DATABASE ${template} TEMPLATE template0 ENCODING 'UTF8'`);
    await migrate(urlOf(template));
    await admin.query(`ALTER DATABASE ${template} IS_TEMPLATE true`);
  } finally {
    await admin.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK]);
  }
}

async function withAdmin(work: (admin: pg.Client) => Promise<void>): Promise<void> {
  const admin = new pg.Client({ connectionString: setting('REVTAIN_TEST_CLUSTER') });
  await admin.connect();
  try {
    await work(admin);
  } finally {
    await admin.end();
  }
}

function databaseName(suffix: string): string {
  return `revtain_test_${setting('REVTAIN_TEST_RUN')}_${suffix}`;
}

function urlOf(database: string): string {
  const url = new URL(setting('REVTAIN_TEST_CLUSTER'));
  url.pathname = `/${database}`;
  return url.href;
}

function setting(name: 'REVTAIN_TEST_CLUSTER' | 'REVTAIN_TEST_RUN'): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this spec in the jest project "whole", whose set-up sets it.`);
  return value;
}

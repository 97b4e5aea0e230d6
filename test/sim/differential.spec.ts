import { afterEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { createTestDatabase, type TestDatabase } from '../support/database.js';

const run = promisify(execFile);

let database: TestDatabase | null = null;

afterEach(async () => {
  await database?.drop();
  database = null;
});

describe('the in-memory store of the simulation', () => {
  it.each(['1', '4', '21'])('answers every statement of world %s as PostgreSQL does', async (world) => {
    database = await createTestDatabase();
    const options = ['--import', './scripts/typescript.mjs', 'test/sim/differential.ts', '--url', database.url];
    const { stdout, stderr } = await run(process.execPath, [...options, '--world', world]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^\d{3,} flights answered alike$/m);
  });
});

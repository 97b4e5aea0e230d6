import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { MigrationInterface, QueryRunner } from 'typeorm';

import { buildConcurrently } from '../../src/platform/db/concurrently.js';
import { migrate, MIGRATIONS } from '../../src/platform/db/migrate.js';
import { startTestApp } from '../support/app.js';
import type { Merchant } from '../support/merchant.js';
import { World } from '../support/story.js';

/** What the next version's migrations do to tables that are in use: each kind of step that docs/reliability.md allows. */
class Expand9000000000001 implements MigrationInterface {
  readonly name = 'Expand9000000000001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE recoveries ADD COLUMN next_version_word text NOT NULL DEFAULT 'none'`);
    await runner.query('ALTER TABLE attempts ADD COLUMN next_version_word text');
    await runner.query('ALTER TABLE recoveries DROP CONSTRAINT recoveries_due_kind_check');
    await runner.query('CREATE TABLE next_version (id text PRIMARY KEY)');
    await runner.query(
      'ALTER TABLE recoveries ADD CONSTRAINT next_version_check CHECK (next_version_word <> $$x$$) NOT VALID',
    );
  }
  async down(): Promise<void> {
    await Promise.reject(new Error('not needed here'));
  }
}
class Validate9000000000002 implements MigrationInterface {
  readonly name = 'Validate9000000000002';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE recoveries VALIDATE CONSTRAINT next_version_check');
  }
  async down(): Promise<void> {
    await Promise.reject(new Error('not needed here'));
  }
}
class Index9000000000003 implements MigrationInterface {
  readonly name = 'Index9000000000003';
  readonly transaction = false;
  async up(runner: QueryRunner): Promise<void> {
    await buildConcurrently(runner, 'recoveries_next_version', 'ON recoveries (client_id, next_version_word)');
  }
  async down(): Promise<void> {
    await Promise.reject(new Error('not needed here'));
  }
}
const NEXT_VERSION = [...MIGRATIONS, Expand9000000000001, Validate9000000000002, Index9000000000003];

/** The forgotten session goes on sitting on its table for so long after a migration has found it there. */
const HELD_ON_MS = 1_500;
/** A migration gives up a table after 80 ms, so that nobody waits longer for it; the rest is for a machine that is busy. */
const LOCK_WAIT_MS_MAX = HELD_ON_MS / 2;

let world: World;
let second: Awaited<ReturnType<typeof startTestApp>>;
let merchant: Merchant;

beforeAll(async () => {
  world = await World.start();
  second = await startTestApp({ database: world.app.database, masterKey: world.app.masterKey });
  merchant = await world.merchant();
}, 120_000);

afterAll(async () => {
  await second.stop();
  await world.stop();
});

/** Looks, every few milliseconds, how long the service's own sessions wait for a table; answers the longest wait seen. */
async function watchingLocks<T>(work: () => Promise<T>): Promise<{ result: T; longestMs: number }> {
  const watcher = new pg.Client({ connectionString: world.app.database.url });
  await watcher.connect();
  let [longestMs, isOver] = [0, false];
  const watch = (async () => {
    while (!isOver) {
      const { rows } = await watcher.query<{ ms: number | null }>(
        `SELECT max(extract(epoch FROM clock_timestamp() - l.waitstart) * 1000)::float AS ms FROM pg_locks l
         JOIN pg_stat_activity a USING (pid)
         WHERE NOT l.granted AND l.locktype = 'relation' AND a.application_name IN ('revtain', 'revtain-orm')`,
      );
      longestMs = Math.max(longestMs, rows[0]?.ms ?? 0);
      await sleep(3);
    }
  })();
  try {
    return { result: await work(), longestMs };
  } finally {
    isOver = true;
    await watch;
    await watcher.end();
  }
}

/** Executes without a pause, in turn at both processes, until told to stop. Answers every status that came. */
function load(): { stop(): Promise<number[]> } {
  let isOver = false;
  const lane = async (caller: Merchant, statuses: number[]) => {
    while (!isOver) statuses.push((await caller.execute()).status);
  };
  const statuses: number[] = [];
  const callers = [merchant, merchant.at(second.url)];
  const lanes = Array.from({ length: 8 }, (_, index) => lane(callers[index % 2] as Merchant, statuses));
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(lanes);
      return statuses;
    },
  };
}

describe('migrations of the next version while this one is at work', () => {
  it('fail no request and hold up nobody for long, though a transaction sits on the table', async () => {
    const running = load();
    await sleep(1_000);
    // As a person's forgotten session does, or a long report.
    const forgotten = new pg.Client({ connectionString: world.app.database.url });
    await forgotten.connect();
    await forgotten.query('BEGIN');
    await forgotten.query('SELECT count(*) FROM recoveries');
    let released = Promise.resolve();

    const migrated: string[] = [];
    const { longestMs } = await watchingLocks(async () => {
      const tell = (line: string) => {
        if (migrated.push(line) === 1) released = sleep(HELD_ON_MS).then(() => forgotten.end());
      };
      await migrate(world.app.database.url, tell, NEXT_VERSION);
      await sleep(500);
    });
    await released;
    const statuses = await running.stop();

    const asking = 'a table is in use by a long transaction: asking again until it is free';
    expect(migrated).toEqual([asking, ...NEXT_VERSION.slice(-3).map(({ name }) => `migrated ${name}`)]);
    expect(statuses.length).toBeGreaterThan(15);
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(longestMs).toBeLessThan(LOCK_WAIT_MS_MAX);
    expect(await merchant.ledger()).toHaveLength(statuses.length);
    process.stdout.write(`longest wait for a table while migrating: ${longestMs.toFixed(0)} ms\n`);
  }, 120_000);

  it('leave the older version able to schedule, retry and verify', async () => {
    const { body } = await merchant.execute({ originalDeclineCode: 'insufficient_funds' });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(await merchant.status(body.transactionId)).toMatchObject({ state: 'succeeded' });
    expect((await world.operator.get<{ held: boolean }>('/api/verify')).body.held).toBe(true);
  });
});

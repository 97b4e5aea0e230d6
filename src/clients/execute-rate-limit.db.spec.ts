import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { insertClient, settingsOf } from '../../test/support/client-rows.js';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import type { Caller } from './caller.js';
import { ExecuteRateLimit } from './execute-rate-limit.service.js';

class MovedClock extends Clock {
  at = new Date('2026-11-21T10:00:10.000Z');
  override now(): Date {
    return this.at;
  }
  override monotonicMs(): number {
    return this.at.getTime();
  }
}

describe('ExecuteRateLimit', () => {
  let test: TestDatabase;
  let databases: [Database, Database];
  const clock = new MovedClock();
  let callers = 0;

  beforeAll(async () => {
    test = await createTestDatabase();
    databases = [Database.connect(test.url, 5), Database.connect(test.url, 5)];
  });
  afterAll(async () => {
    await Promise.all(databases.map((each) => each.close()));
    await test.drop();
  });

  const caller = async (executesPerMinute: number): Promise<Caller> => {
    const clientId = await insertClient(databases[0], ++callers);
    return { clientId, keyId: 'key_1', kind: 'secret', settings: { ...settingsOf(clientId), executesPerMinute } };
  };
  const processes = () => databases.map((each) => new ExecuteRateLimit(each, clock));

  it('gives out exactly the limit, then refuses with what to wait', async () => {
    const [limit] = processes();
    const who = await caller(3);
    const told: string[] = [];
    for (let count = 0; count < 3; count += 1) {
      const allowance = await limit?.take(who);
      expect(allowance).toMatchObject({ granted: 1, refusal: null });
      told.push(allowance?.headers['ratelimit-remaining'] ?? '');
    }
    expect(told).toEqual(['2', '1', '0']);
    const refused = await limit?.take(who);
    expect(refused).toMatchObject({
      granted: 0,
      headers: { 'ratelimit-limit': '3', 'ratelimit-remaining': '0', 'ratelimit-reset': '50' },
      refusal: {
        status: 429,
        code: 'rate_limited',
        members: { retryAfter: '50 seconds' },
        headers: { 'retry-after': '50' },
      },
    });
  });

  it.each([1, 60, 601, 5_000])(
    'gives out exactly %i over two processes that ask at once',
    async (executesPerMinute) => {
      const who = await caller(executesPerMinute);
      const limits = processes();
      let granted = 0;
      for (let round = 0; round < 400 && granted < executesPerMinute; round += 1) {
        const count = Math.max(1, Math.ceil(executesPerMinute / 40));
        const taken = await Promise.all(limits.flatMap((each) => [each.take(who, count), each.take(who, count)]));
        granted += taken.reduce((sum, each) => sum + each.granted, 0);
      }
      expect(granted).toBe(executesPerMinute);
      for (const each of limits) expect((await each.take(who)).granted).toBe(0);
    },
  );

  it('begins anew with the next minute, and keeps one row a key', async () => {
    const [limit] = processes();
    const who = await caller(1);
    await limit?.take(who);
    clock.at = new Date('2026-11-21T10:01:00.000Z');
    expect(await limit?.take(who)).toMatchObject({ granted: 1, headers: { 'ratelimit-reset': '60' } });
    const { rows } = await databases[0].query<{ count: number }>(
      { role: 'tenant', clientId: who.clientId },
      { text: 'SELECT count(*)::int AS count FROM rate_windows' },
    );
    expect(rows[0]?.count).toBe(1);
  });

  it('counts each key by itself', async () => {
    const [limit] = processes();
    const who = await caller(1);
    expect((await limit?.take(who))?.granted).toBe(1);
    expect((await limit?.take({ ...who, keyId: 'key_2' }))?.granted).toBe(1);
  });

  it('sees a limit that was raised within the minute', async () => {
    const [limit] = processes();
    const who = await caller(1);
    await limit?.take(who);
    expect((await limit?.take(who))?.granted).toBe(0);
    const raised = { ...who, settings: { ...who.settings, executesPerMinute: 2 } };
    expect((await limit?.take(raised))?.granted).toBe(1);
    expect((await limit?.take(raised))?.granted).toBe(0);
  });

  it('a burst takes what it needs, and not a chunk for each caller', async () => {
    const who = await caller(10_000);
    const [one, other] = processes();
    if (!one) throw new Error('two processes were made');
    const burst = await Promise.all(Array.from({ length: 150 }, () => one.take(who)));
    expect(burst.every((each) => each.granted === 1)).toBe(true);
    const { rows } = await databases[0].query<{ used: number }>(
      { role: 'tenant', clientId: who.clientId },
      { text: 'SELECT used FROM rate_windows' },
    );
    expect(rows).toEqual([{ used: 200 }]);
    expect((await other?.take(who))?.granted).toBe(1);
  });

  it('grants of a batch what is left, and counts a high limit with few writes', async () => {
    const [limit] = processes();
    const small = await caller(10);
    expect((await limit?.take(small, 25))?.granted).toBe(10);
    const large = await caller(1_000_000);
    for (let count = 0; count < 50; count += 1) await limit?.take(large);
    const { rows } = await databases[0].query<{ used: number }>(
      { role: 'tenant', clientId: large.clientId },
      { text: 'SELECT used FROM rate_windows' },
    );
    expect(rows).toEqual([{ used: 10_000 }]);
  });
});

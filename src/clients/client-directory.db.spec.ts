import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { insertClient, settingsOf, TEST_VAULT } from '../../test/support/client-rows.js';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';
import { Clock } from '../platform/clock.js';
import { Database, type Statement } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import { SystemRandom } from '../platform/random.js';
import { makeApiKey } from './api-key.js';
import { ClientDirectory } from './client-directory.service.js';
import { clientNow } from './client-settings.js';

class MovedClock extends Clock {
  atMs = Date.parse('2026-11-21T10:00:00.000Z');
  override now(): Date {
    return new Date(this.atMs);
  }
  override monotonicMs(): number {
    return this.atMs;
  }
}

describe('ClientDirectory', () => {
  let test: TestDatabase;
  let database: Database;
  let directory: ClientDirectory;
  const clock = new MovedClock();
  let clients = 0;

  beforeAll(async () => {
    test = await createTestDatabase();
    database = Database.connect(test.url, 3);
    directory = new ClientDirectory(database, TEST_VAULT, clock, new Log('silent'));
  });
  afterAll(async () => {
    await database.close();
    await test.drop();
  });

  const run = (clientId: string, statement: Statement) => database.query({ role: 'tenant', clientId }, statement);
  const rename = (clientId: string, name: string) =>
    run(clientId, { text: 'UPDATE clients SET name = $2 WHERE id = $1', values: [clientId, name] });
  const giveKey = async (clientId: string): Promise<string> => {
    const { text, hash, hint } = makeApiKey('secret', new SystemRandom());
    await run(clientId, {
      text: `INSERT INTO api_keys (client_id, id, kind, hash, hint, created_at) VALUES ($1, 'key_1', 'secret', $2, $3, now())`,
      values: [clientId, hash, hint],
    });
    return text;
  };
  const lastUsed = async (clientId: string): Promise<string | undefined> => {
    const { rows } = await run(clientId, { text: 'SELECT last_used_at AS at FROM api_keys' });
    return (rows[0] as { at: Date | null } | undefined)?.at?.toISOString();
  };
  const until = async (probe: () => Promise<boolean>): Promise<void> => {
    for (let tries = 0; !(await probe()); tries += 1) {
      if (tries > 200) throw new Error('it never came');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  it('reads every setting under its own name', async () => {
    const id = await insertClient(database, ++clients);
    const settings = await directory.settings(id);
    const { createdAt, updatedAt } = settings;
    expect([createdAt, updatedAt]).toEqual([expect.any(Date), expect.any(Date)]);
    expect(settings).toEqual(settingsOf(id, { createdAt, updatedAt }));
  });

  it('finds a caller by its key, with settings, and nobody by another', async () => {
    const id = await insertClient(database, ++clients);
    const key = await giveKey(id);
    expect(await directory.authenticate(key)).toMatchObject({
      clientId: id,
      keyId: 'key_1',
      kind: 'secret',
      settings: { id },
    });
    expect(await directory.authenticate(`${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`)).toBeNull();
    expect(await directory.authenticate("' OR 1=1 --")).toBeNull();
  });

  const revoke = (clientId: string) => run(clientId, { text: 'UPDATE api_keys SET revoked_at = now()' });

  it('refuses a key that another process revoked: a live client’s within a second, a test client’s at once', async () => {
    const live = await insertClient(database, ++clients);
    const test = await insertClient(database, ++clients, { isTest: true });
    const [liveKey, testKey] = [await giveKey(live), await giveKey(test)];
    expect(await directory.authenticate(liveKey)).not.toBeNull();
    expect(await directory.authenticate(testKey)).not.toBeNull();
    await revoke(live);
    await revoke(test);
    expect(await directory.authenticate(testKey)).toBeNull();
    clock.atMs += 1_001;
    expect(await directory.authenticate(liveKey)).toBeNull();
  });

  it('refuses at once a key that this process revoked', async () => {
    const id = await insertClient(database, ++clients);
    const key = await giveKey(id);
    expect(await directory.authenticate(key)).not.toBeNull();
    await revoke(id);
    directory.forget(id);
    await directory.settings(id); // What is known of the client again must not bring its key back.
    expect(await directory.authenticate(key)).toBeNull();
  });

  it('notes the use of a key, at most once a minute', async () => {
    const id = await insertClient(database, ++clients);
    const key = await giveKey(id);
    const firstAt = clock.now().toISOString();
    await directory.authenticate(key);
    await until(async () => (await lastUsed(id)) === firstAt);
    clock.atMs += 59_000;
    await directory.authenticate(key);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await lastUsed(id)).toBe(firstAt);
    clock.atMs += 1_001;
    await directory.authenticate(key);
    const secondAt = clock.now().toISOString();
    await until(async () => (await lastUsed(id)) === secondAt);
  });

  it('shows a live client’s change within a second, a test client’s at once', async () => {
    const live = await insertClient(database, ++clients);
    const test = await insertClient(database, ++clients, { isTest: true });
    for (const id of [live, test]) {
      await directory.settings(id);
      await rename(id, 'Changed');
    }
    expect((await directory.settings(live)).name).toBe('Acme');
    expect((await directory.settings(test)).name).toBe('Changed');
    clock.atMs += 1_001;
    expect((await directory.settings(live)).name).toBe('Changed');
  });

  it('forgets on demand', async () => {
    const id = await insertClient(database, ++clients);
    await directory.settings(id);
    await rename(id, 'Changed');
    directory.forget(id);
    expect((await directory.settings(id)).name).toBe('Changed');
  });

  it('opens the gateway’s key, and refuses one copied from another client', async () => {
    const first = await insertClient(database, ++clients, { gatewayKey: 'sk_test_first' });
    const second = await insertClient(database, ++clients);
    expect(await directory.gatewayAccount(first)).toEqual({
      clientId: first,
      provider: 'stripe',
      secretKey: 'sk_test_first',
    });
    await database.query(
      { role: 'worker' },
      {
        text: `UPDATE clients SET gateway_key_sealed = (SELECT gateway_key_sealed FROM clients WHERE id = $1) WHERE id = $2`,
        values: [first, second],
      },
    );
    await expect(directory.gatewayAccount(second)).rejects.toThrow('does not open');
  });

  it('answers 404 for a client that is not', async () => {
    await expect(directory.settings('cli_none')).rejects.toMatchObject({ status: 404 });
  });

  it('tells a client’s time as the database does', async () => {
    const now = new Date('2026-11-21T10:00:00.000Z');
    const clocks = [
      { clockOffsetMs: 0, clockFrozenAt: null, clockFrozenUntil: null },
      { clockOffsetMs: 86_400_000, clockFrozenAt: null, clockFrozenUntil: null },
      {
        clockOffsetMs: 5,
        clockFrozenAt: new Date('2026-12-01T00:00:00Z'),
        clockFrozenUntil: new Date('2026-11-21T10:00:00.001Z'),
      },
      { clockOffsetMs: 5, clockFrozenAt: new Date('2026-12-01T00:00:00Z'), clockFrozenUntil: now },
    ];
    for (const each of clocks) {
      const { rows } = await database.query<{ at: Date }>(
        { role: 'worker' },
        {
          text: 'SELECT client_time($1::timestamptz, $2::bigint, $3::timestamptz, $4::timestamptz) AS at',
          values: [now, each.clockOffsetMs, each.clockFrozenAt, each.clockFrozenUntil],
        },
      );
      expect(clientNow(each, now)).toEqual(rows[0]?.at);
    }
  });
});

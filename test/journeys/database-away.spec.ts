import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';

import { type TestApp, startTestApp } from '../support/app.js';
import { unique } from '../support/merchant.js';

/** The answer of the very write that books the money is lost, for the first that is charged. */
const LOST = { REVTAIN_FAILPOINTS: 'database.save:recovered=cut_after' };

const debt = () => ({ paymentMethodToken: 'pm_card_visa', amount: 2_500, reference: unique('inv') });

async function executor(app: TestApp) {
  const { apiKey } = await app.createClient();
  return (body: object) => app.http().post('/execute').set('x-api-key', apiKey).send(body);
}

describe('the database goes away in the middle of a charge', () => {
  it('under a key: in flight, and from then on one and the same answer', async () => {
    const app = await startTestApp({ settings: LOST });
    try {
      const execute = await executor(app);
      const sent = { ...debt(), idempotencyKey: unique('key') };
      const first = await execute(sent);
      expect(first.status).toBe(409);
      expect(first.body).toMatchObject({ code: 'idempotency_in_flight', existingTransactionId: expect.any(String) });
      expect(first.headers['retry-after']).toBe('1');
      const second = await execute(sent);
      expect(second.status).toBe(200);
      expect(second.body).toMatchObject({
        state: 'succeeded',
        transactionId: (first.body as Record<string, string>)['existingTransactionId'],
      });
      expect((await execute(sent)).text).toBe(second.text);
    } finally {
      await app.stop();
    }
  });

  it('without one: unknown, for to be sent again it would be another debt', async () => {
    const app = await startTestApp({ settings: LOST });
    try {
      const execute = await executor(app);
      const answer = await execute(debt());
      expect(answer.status).toBe(202);
      expect(answer.body).toMatchObject({ status: 'unknown', state: 'reconciling' });
    } finally {
      await app.stop();
    }
  });
});

describe('a database that lets nobody write, as after a failover', () => {
  let app: TestApp;
  let admin: pg.Client;

  beforeAll(async () => {
    app = await startTestApp();
    admin = new pg.Client({ connectionString: app.database.url });
    await admin.connect();
  });

  afterAll(async () => {
    await admin.end();
    await app.stop();
  });

  /** Every connection breaks; new ones find the setting. */
  async function readOnly(setting: string): Promise<void> {
    const name = new URL(app.database.url).pathname.slice(1);
    await admin.query(`BEGIN READ WRITE; ALTER DATABASE ${name} ${setting}; COMMIT`);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
  }

  it('accepts nothing and says so, and goes on by itself when it can', async () => {
    const execute = await executor(app);
    const sent = { ...debt(), idempotencyKey: unique('key') };
    await readOnly('SET default_transaction_read_only = on');
    const refused = await execute(sent);
    expect(refused.status).toBe(503);
    expect(refused.body).toMatchObject({ code: 'not_accepted' });
    await readOnly('RESET default_transaction_read_only');
    let answer = await execute(sent);
    // A connection of the pool may still be one of the broken ones.
    for (let tries = 0; tries < 20 && answer.status === 503; tries += 1) answer = await execute(sent);
    expect(answer.status).toBe(200);
  });
});

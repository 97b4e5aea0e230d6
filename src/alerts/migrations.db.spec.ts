import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DataSource } from 'typeorm';

import { AddAlertSettings1763700020000 } from '../platform/db/migrations/1763700020000-add-alert-settings.js';
import { CreateAlertMessages1763700021000 } from '../platform/db/migrations/1763700021000-create-alert-messages.js';
import { createTestDatabase, type TestDatabase } from '../../test/support/database.js';

let database: TestDatabase;
let source: DataSource;

beforeAll(async () => {
  database = await createTestDatabase();
  source = await new DataSource({ type: 'postgres', url: database.url }).initialize();
});

afterAll(async () => {
  await source.destroy();
  await database.drop();
});

it('the tables and columns of alerts come and go, and alerts that were there before are told to nobody', async () => {
  const runner = source.createQueryRunner();
  const [settings, messages] = [new AddAlertSettings1763700020000(), new CreateAlertMessages1763700021000()];
  const columns = async () => {
    const rows: unknown = await runner.query(
      `SELECT table_name, column_name FROM information_schema.columns
       WHERE table_schema = 'public' AND (table_name LIKE '%alert%' OR column_name LIKE 'alert%') ORDER BY 1, 2`,
    );
    return rows;
  };
  const before = await columns();
  await messages.down(runner);
  await settings.down(runner);
  expect(await columns()).not.toEqual(before);
  await runner.query(`
    INSERT INTO clients (id, name, gateway_provider, gateway_key_sealed, is_test, created_at, updated_at)
    VALUES ('cli_00000000000000000000000000', 'Acme', 'test', '\\x00', true, now(), now())`);
  await runner.query(`
    INSERT INTO operator_alerts (client_id, id, kind, severity, facts, dedupe_key, created_at)
    VALUES ('cli_00000000000000000000000000', '1', 'late_success', 'warning', '{}', 'k', now())`);
  await settings.up(runner);
  await messages.up(runner);
  expect(await columns()).toEqual(before);
  expect(await runner.query('SELECT taken_number FROM operator_alerts')).toEqual([{ taken_number: '0' }]);
  await runner.release();
});

import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { DataSource, type Logger, type MigrationInterface } from 'typeorm';

import { hasCode } from '../error-facts.js';
import { CreateRoles1763700000000 } from './migrations/1763700000000-create-roles.js';
import { CreateClients1763700001000 } from './migrations/1763700001000-create-clients.js';
import { CreateRecoveries1763700002000 } from './migrations/1763700002000-create-recoveries.js';
import { CreateWebhooks1763700003000 } from './migrations/1763700003000-create-webhooks.js';
import { CreateNetworkLedger1763700004000 } from './migrations/1763700004000-create-network-ledger.js';
import { AddDebtLookups1763700005000 } from './migrations/1763700005000-add-debt-lookups.js';
import { AddEndpointHealth1763700010000 } from './migrations/1763700010000-add-endpoint-health.js';
import { CreateWebhookResends1763700011000 } from './migrations/1763700011000-create-webhook-resends.js';
import { AllowWebhookRetention1763700012000 } from './migrations/1763700012000-allow-webhook-retention.js';
import { EaseDeliveryWrites1763700013000 } from './migrations/1763700013000-ease-delivery-writes.js';
import { AddAlertSettings1763700020000 } from './migrations/1763700020000-add-alert-settings.js';
import { CreateAlertMessages1763700021000 } from './migrations/1763700021000-create-alert-messages.js';
import { CreateConnectorEvents1763700030000 } from './migrations/1763700030000-create-connector-events.js';
import { CreateCardUpdates1763700040000 } from './migrations/1763700040000-create-card-updates.js';
import { CreateStripeConnections1763700041000 } from './migrations/1763700041000-create-stripe-connections.js';
import { GuardTheTimeline1763700050000 } from './migrations/1763700050000-guard-the-timeline.js';
import { ValidateTheTimeline1763700050100 } from './migrations/1763700050100-validate-the-timeline.js';
import { CreateAuditChain1763700050200 } from './migrations/1763700050200-create-audit-chain.js';
import { IndexWhatIsToLink1763700050300 } from './migrations/1763700050300-index-what-is-to-link.js';
import { IndexDueByClient1763700050400 } from './migrations/1763700050400-index-due-by-client.js';
import { CreateLiveProcesses1763700050500 } from './migrations/1763700050500-create-live-processes.js';
import { KeepTheReceiptWithItsDelivery1763700060000 } from './migrations/1763700060000-keep-the-receipt-with-its-delivery.js';
import { NameTheLineOnce1763700060100 } from './migrations/1763700060100-name-the-line-once.js';
import { KeepRoomBesideRecoveries1763700070000 } from './migrations/1763700070000-keep-room-beside-recoveries.js';

export const MIGRATIONS = [
  CreateRoles1763700000000,
  CreateClients1763700001000,
  CreateRecoveries1763700002000,
  CreateWebhooks1763700003000,
  CreateNetworkLedger1763700004000,
  AddDebtLookups1763700005000,
  AddEndpointHealth1763700010000,
  CreateWebhookResends1763700011000,
  AllowWebhookRetention1763700012000,
  EaseDeliveryWrites1763700013000,
  AddAlertSettings1763700020000,
  CreateAlertMessages1763700021000,
  CreateConnectorEvents1763700030000,
  CreateCardUpdates1763700040000,
  CreateStripeConnections1763700041000,
  GuardTheTimeline1763700050000,
  ValidateTheTimeline1763700050100,
  CreateAuditChain1763700050200,
  IndexWhatIsToLink1763700050300,
  IndexDueByClient1763700050400,
  CreateLiveProcesses1763700050500,
  KeepTheReceiptWithItsDelivery1763700060000,
  NameTheLineOnce1763700060100,
  KeepRoomBesideRecoveries1763700070000,
];

export type Migration = new () => MigrationInterface;

// Any fixed number does, as long as no other application on the same database takes it.
const MIGRATION_LOCK = 7_381_201;
const LOCK_ASKED_EVERY_MS = 100;
/**
 * A migration waits no longer than this for a table, because everybody who comes after it waits as long: what serves
 * payments must not stand still (docs/reliability.md, "Upgrade and restore").
 */
const TABLE_LOCK_WAIT_MS = 80;
/** In between the table is free for those who were held up. */
const TABLE_LOCK_AGAIN_MS = 250;
/** Two minutes of asking: then something holds the table that a person must end. */
const TABLE_LOCK_ASKS_MAX = 360;
/** PostgreSQL: lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Brings the database to this version. Any number of processes may call it at once, also beside older ones that are at work:
 * a session advisory lock lets one migrate while the others wait, then find nothing left to do.
 * @throws the database's error; `lock_not_available` when a table was in use by one transaction for minutes.
 */
export async function migrate(
  connectionString: string,
  log: (line: string) => void = () => undefined,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  const lock = new pg.Client({ connectionString, application_name: 'revtain-migrate' });
  await lock.connect();
  const source = new DataSource({
    type: 'postgres',
    url: connectionString,
    migrations: [...migrations],
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
    logger: SILENT,
    extra: { options: `-c lock_timeout=${TABLE_LOCK_WAIT_MS}` },
  });
  try {
    await takeTurn(lock);
    await source.initialize();
    for (const done of await runAll(source, log)) log(`migrated ${done}`);
  } finally {
    if (source.isInitialized) await source.destroy();
    await lock.end();
  }
}

const nothing = (): void => undefined;
/** It would print what fails to stdout, where every line is JSON. Whatever fails is thrown to us as well. */
const SILENT: Logger = {
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
  logMigration: nothing,
  log: nothing,
};

/** Asks again and again: a statement that waits would hold a snapshot, which an index that is built concurrently waits for. */
async function takeTurn(lock: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await lock.query<{ mine: boolean }>('SELECT pg_try_advisory_lock($1) AS mine', [MIGRATION_LOCK]);
    if (rows[0]?.mine) return;
    await sleep(LOCK_ASKED_EVERY_MS);
  }
}

/** The names of what was done. Each migration is a transaction: one that got no lock begins again, the ones before it stand. */
async function runAll(source: DataSource, log: (line: string) => void): Promise<string[]> {
  const before = new Set(await doneNames(source));
  for (let asked = 1; ; asked += 1) {
    try {
      await source.runMigrations();
      return (await doneNames(source)).filter((name) => !before.has(name));
    } catch (error) {
      if (!hasCode(error, LOCK_NOT_AVAILABLE) || asked === TABLE_LOCK_ASKS_MAX) throw error;
      if (asked === 1) log('a table is in use by a long transaction: asking again until it is free');
      await sleep(TABLE_LOCK_AGAIN_MS);
    }
  }
}

async function doneNames(source: DataSource): Promise<string[]> {
  const [there] = await source.query<{ name: string | null }[]>(`SELECT to_regclass('schema_migrations') AS name`);
  if (there?.name == null) return [];
  const rows = await source.query<{ name: string }[]>('SELECT name FROM schema_migrations ORDER BY id');
  return rows.map(({ name }) => name);
}

/** The names of migrations that the database still lacks; `/readyz` reports unready while there are any. */
export async function pendingMigrations(query: (text: string) => Promise<{ name: string }[]>): Promise<string[]> {
  const done = new Set((await query('SELECT name FROM schema_migrations')).map((row) => row.name));
  return MIGRATIONS.map((each) => each.name).filter((name) => !done.has(name));
}

import pg from 'pg';
import { DataSource } from 'typeorm';

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
];

// Any fixed number does, as long as no other application on the same database takes it.
const MIGRATION_LOCK = 7_381_201;

/**
 * Brings the database to this version. Any number of processes may call it at once: a session advisory lock lets one
 * work while the others wait, then find nothing left to do.
 */
export async function migrate(connectionString: string, log: (line: string) => void = () => undefined): Promise<void> {
  const lock = new pg.Client({ connectionString, application_name: 'revtain-migrate' });
  await lock.connect();
  const source = new DataSource({
    type: 'postgres',
    url: connectionString,
    migrations: MIGRATIONS,
    migrationsTableName: 'schema_migrations',
    migrationsTransactionMode: 'each',
  });
  try {
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await source.initialize();
    for (const done of await source.runMigrations()) log(`migrated ${done.name}`);
  } finally {
    if (source.isInitialized) await source.destroy();
    await lock.end();
  }
}

/** The names of migrations that the database still lacks; `/readyz` reports unready while there are any. */
export async function pendingMigrations(query: (text: string) => Promise<{ name: string }[]>): Promise<string[]> {
  const done = new Set((await query('SELECT name FROM schema_migrations')).map((row) => row.name));
  return MIGRATIONS.map((each) => each.name).filter((name) => !done.has(name));
}

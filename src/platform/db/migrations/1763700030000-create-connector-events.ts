import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** What billing platforms tell us, kept until it is worked; the secrets that prove it; how far gaps were looked for. */
export class CreateConnectorEvents1763700030000 implements MigrationInterface {
  readonly name = 'CreateConnectorEvents1763700030000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SECRETS);
    await runner.query(tenantPolicy('gateway_webhook_secrets', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(EVENTS);
    await runner.query(tenantPolicy('connector_events', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(ACCOUNTS);
    await runner.query(tenantPolicy('connector_accounts', 'SELECT, INSERT, UPDATE'));
    await runner.query(CURSORS);
    await runner.query(tenantPolicy('connector_cursors', 'SELECT, INSERT, UPDATE'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE connector_cursors, connector_accounts, connector_events, gateway_webhook_secrets');
  }
}

const SECRETS = `
  -- Beside the one that the client named: earlier ones while they roll, and those of endpoints that we registered.
  CREATE TABLE gateway_webhook_secrets (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    secret_sealed bytea NOT NULL,
    -- Real time; null for one that stays.
    expires_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id)
  );`;

const EVENTS = `
  CREATE TABLE connector_events (
    -- Without a foreign key: it was found before the event was proven, clients are never deleted, and the check of each
    -- row would cost as much as the row.
    client_id text NOT NULL,
    platform text NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    -- What it is about; events about one thing are worked together.
    subject text NOT NULL,
    -- Ids and codes that the event tells; no name, no address, no card number.
    facts jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'done', 'ignored')),
    -- What came of it, or why it was ignored.
    outcome text,
    tries integer NOT NULL DEFAULT 0,
    -- Real time.
    due_at timestamptz,
    -- Since when it fails again and again: an operator was told, and it is tried once an hour.
    parked_at timestamptz,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    received_at timestamptz NOT NULL,
    worked_at timestamptz,
    PRIMARY KEY (client_id, platform, event_id),
    CONSTRAINT pending_is_due CHECK ((due_at IS NOT NULL) = (status = 'pending')),
    CONSTRAINT ended_has_an_outcome CHECK ((outcome IS NOT NULL) = (status <> 'pending'))
  ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
  CREATE INDEX connector_events_due ON connector_events (due_at) WHERE status = 'pending';
  CREATE INDEX connector_events_parked ON connector_events (client_id, platform) WHERE parked_at IS NOT NULL AND status = 'pending';`;

const ACCOUNTS = `
  -- The account at a platform that a client has connected: events of any other are not its own.
  CREATE TABLE connector_accounts (
    client_id text NOT NULL REFERENCES clients (id),
    platform text NOT NULL,
    account_id text NOT NULL,
    connected_at timestamptz NOT NULL,
    deauthorised_at timestamptz,
    PRIMARY KEY (client_id, platform)
  );`;

const CURSORS = `
  -- Up to when the events that never arrived were asked for.
  CREATE TABLE connector_cursors (
    client_id text NOT NULL REFERENCES clients (id),
    platform text NOT NULL,
    -- On the client's clock, as the platform's own instants are.
    listed_until timestamptz NOT NULL,
    -- Real time.
    due_at timestamptz NOT NULL,
    last_received_at timestamptz,
    failures integer NOT NULL DEFAULT 0,
    lease_until timestamptz,
    PRIMARY KEY (client_id, platform)
  );
  CREATE INDEX connector_cursors_due ON connector_cursors (due_at);`;

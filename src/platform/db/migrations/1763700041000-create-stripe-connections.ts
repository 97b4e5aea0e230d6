import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Merchants' accounts that are connected to our platform at Stripe, and the connections that were begun. */
export class CreateStripeConnections1763700041000 implements MigrationInterface {
  readonly name = 'CreateStripeConnections1763700041000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CONNECTIONS);
    await runner.query(tenantPolicy('stripe_connections', 'SELECT, INSERT, UPDATE'));
    await runner.query(STATES);
    await runner.query(tenantPolicy('stripe_connect_states', 'SELECT, INSERT, UPDATE, DELETE'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE stripe_connect_states, stripe_connections');
  }
}

const CONNECTIONS = `
  CREATE TABLE stripe_connections (
    client_id text NOT NULL PRIMARY KEY REFERENCES clients (id),
    account_id text NOT NULL,
    scope text NOT NULL,
    -- The webhook endpoint that was registered for this client, and where it leads.
    endpoint_id text,
    endpoint_url text,
    connected_at timestamptz NOT NULL,
    disconnected_at timestamptz,
    disconnected_by text CHECK (disconnected_by IN ('merchant', 'stripe')),
    -- Real time: set while recoveries of a disconnected account are still open.
    stop_due_at timestamptz,
    CHECK ((disconnected_at IS NULL) = (disconnected_by IS NULL)),
    CHECK (stop_due_at IS NULL OR disconnected_at IS NOT NULL)
  );
  -- An account that two clients charged would have two payers of each of its invoices.
  CREATE UNIQUE INDEX stripe_connections_one_client ON stripe_connections (account_id) WHERE disconnected_at IS NULL;
  CREATE INDEX stripe_connections_to_stop ON stripe_connections (stop_due_at) WHERE stop_due_at IS NOT NULL;`;

const STATES = `
  CREATE TABLE stripe_connect_states (
    client_id text NOT NULL REFERENCES clients (id),
    -- SHA-256 of OAuth's state: 256 random bits. Found before the client is known, hence unique by itself.
    state_hash bytea NOT NULL CHECK (length(state_hash) = 32),
    -- Real time.
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    PRIMARY KEY (client_id, state_hash)
  );
  CREATE UNIQUE INDEX stripe_connect_states_by_state ON stripe_connect_states (state_hash);`;

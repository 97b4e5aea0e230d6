import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Merchant accounts, their keys, and the windows their requests are counted in. */
export class CreateClients1763700001000 implements MigrationInterface {
  readonly name = 'CreateClients1763700001000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(CLIENTS);
    await runner.query(tenantPolicy('clients', 'SELECT, INSERT, UPDATE', 'id'));
    await runner.query(API_KEYS);
    await runner.query(tenantPolicy('api_keys', 'SELECT, INSERT, UPDATE'));
    await runner.query(RATE_WINDOWS);
    await runner.query(tenantPolicy('rate_windows', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(OPERATOR_ALERTS);
    await runner.query(tenantPolicy('operator_alerts', 'SELECT, INSERT, UPDATE'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE operator_alerts, rate_windows, api_keys, clients');
  }
}

const CLIENTS = `
  CREATE TABLE clients (
    id text PRIMARY KEY CHECK (id ~ '^cli_[0-9A-HJKMNP-TV-Z]{26}$'),
    name text NOT NULL,
    gateway_provider text NOT NULL CHECK (gateway_provider IN ('test', 'stripe')),
    gateway_key_sealed bytea NOT NULL,
    gateway_webhook_secret_sealed bytea,
    livemode boolean NOT NULL DEFAULT false,
    -- A test client's clock can be moved (sandbox/clock); a live one's is real time.
    is_test boolean NOT NULL,
    clock_offset_ms bigint NOT NULL DEFAULT 0 CHECK (clock_offset_ms >= 0),
    -- Set while its clock is walked: time stands at clock_frozen_at until the walker moves on, or stops and is outlived.
    clock_frozen_at timestamptz,
    clock_frozen_until timestamptz,
    billing_cycle_day smallint CHECK (billing_cycle_day BETWEEN 1 AND 31),
    timezone text,
    dunning_enabled boolean NOT NULL DEFAULT true,
    notification_channels text[] NOT NULL DEFAULT '{}',
    alert_webhook_url text,
    alert_emails text[] NOT NULL DEFAULT '{}',
    alert_phones text[] NOT NULL DEFAULT '{}',
    card_update_domain text,
    brand_name text,
    brand_logo_url text,
    brand_primary_color text,
    default_currency text NOT NULL DEFAULT 'USD',
    locale text NOT NULL DEFAULT 'en',
    duplicate_requests text NOT NULL DEFAULT 'replay' CHECK (duplicate_requests IN ('replay', 'reject')),
    customer_action_hold_minutes integer NOT NULL DEFAULT 30 CHECK (customer_action_hold_minutes >= 0),
    mode text NOT NULL DEFAULT 'recover' CHECK (mode IN ('observe', 'recover', 'fill')),
    repair_callback_url text,
    holdout_percent smallint NOT NULL DEFAULT 0 CHECK (holdout_percent BETWEEN 0 AND 50),
    executes_per_minute integer NOT NULL DEFAULT 60 CHECK (executes_per_minute BETWEEN 1 AND 1000000),
    policy jsonb NOT NULL DEFAULT '{}',
    -- Set while the gateway refuses this client's credentials: nothing is charged but a probe (docs/behaviour.md 4).
    charging_paused_since timestamptz,
    charging_probe_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
  );
  CREATE INDEX clients_on_test_clock ON clients (id) WHERE is_test;`;

const API_KEYS = `
  CREATE TABLE api_keys (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('secret', 'publishable', 'effects')),
    name text,
    -- SHA-256 of the key: 192 random bits need no slow hash. Found before the client is known, hence not tenant-leading.
    hash bytea NOT NULL CHECK (length(hash) = 32),
    hint text NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    revoked_at timestamptz,
    PRIMARY KEY (client_id, id)
  );
  CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (hash);`;

const RATE_WINDOWS = `
  CREATE TABLE rate_windows (
    client_id text NOT NULL REFERENCES clients (id),
    key_id text NOT NULL,
    window_start timestamptz NOT NULL,
    used integer NOT NULL,
    PRIMARY KEY (client_id, key_id, window_start)
  );`;

const OPERATOR_ALERTS = `
  CREATE TABLE operator_alerts (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    recovery_id text,
    -- Ids, codes, amounts and counts only; never customer data.
    facts jsonb NOT NULL,
    -- One alert a cause: the same key again while it is open changes nothing.
    dedupe_key text NOT NULL,
    created_at timestamptz NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (client_id, id)
  );
  CREATE UNIQUE INDEX operator_alerts_open ON operator_alerts (client_id, dedupe_key) WHERE resolved_at IS NULL;`;

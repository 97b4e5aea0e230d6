import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Where events go, the events themselves (the outbox), and what became of each delivery. */
export class CreateWebhooks1763700003000 implements MigrationInterface {
  readonly name = 'CreateWebhooks1763700003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(ENDPOINTS);
    await runner.query(tenantPolicy('webhook_endpoints', 'SELECT, INSERT, UPDATE'));
    await runner.query(EVENTS);
    await runner.query(tenantPolicy('webhook_events', 'SELECT, INSERT, UPDATE'));
    await runner.query(DELIVERIES);
    await runner.query(tenantPolicy('webhook_deliveries', 'SELECT, INSERT, UPDATE'));
    await runner.query(TRIES);
    await runner.query(tenantPolicy('webhook_tries', 'SELECT, INSERT'));
    await runner.query(DEBT_IS_SETTLED);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP FUNCTION debt_is_settled(text, text)');
    await runner.query('DROP TABLE webhook_tries, webhook_deliveries, webhook_events, webhook_endpoints');
  }
}

const ENDPOINTS = `
  CREATE TABLE webhook_endpoints (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    url text NOT NULL,
    -- Null: the events that are on by default.
    events text[],
    description text,
    enabled boolean NOT NULL DEFAULT true,
    disabled_reason text,
    headers_sealed bytea,
    effect_tracking text NOT NULL DEFAULT 'off' CHECK (effect_tracking IN ('off', 'result', 'receipt_and_result')),
    consolidate boolean NOT NULL DEFAULT false,
    secret_sealed bytea NOT NULL,
    previous_secret_sealed bytea,
    previous_secret_until timestamptz,
    failing_since timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    PRIMARY KEY (client_id, id)
  );`;

const EVENTS = `
  CREATE TABLE webhook_events (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    recovery_id text,
    type text NOT NULL,
    -- Goes to endpoints that name no events of their own.
    is_default boolean NOT NULL,
    -- The state change this event tells, in the recovery's timeline.
    sequence bigint,
    final boolean NOT NULL DEFAULT false,
    -- Fixed when written: every try and every redelivery sends these bytes.
    body bytea NOT NULL,
    -- On the client's clock; null when nothing holds it back.
    held_until timestamptz,
    superseded_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id)
  );
  CREATE INDEX webhook_events_of_recovery ON webhook_events (client_id, recovery_id, sequence) WHERE recovery_id IS NOT NULL;
  -- A round's end is told once, a later success corrects it once.
  CREATE UNIQUE INDEX webhook_events_one_success ON webhook_events (client_id, recovery_id) WHERE type = 'recovery.success';`;

const DELIVERIES = `
  CREATE TABLE webhook_deliveries (
    client_id text NOT NULL,
    id text NOT NULL,
    event_id text NOT NULL,
    endpoint_id text NOT NULL,
    recovery_id text,
    -- Orders one recovery's deliveries to one endpoint; the redelivery of an event keeps its event's place.
    event_sequence bigint,
    status text NOT NULL CHECK (status IN
      ('held', 'pending', 'delivered', 'superseded', 'exhausted', 'endpoint_disabled', 'endpoint_deleted')),
    held_until timestamptz,
    -- Real time.
    next_try_at timestamptz,
    -- Every try ever begun, redeliveries included.
    try_count integer NOT NULL DEFAULT 0,
    -- Failed tries of this run of the retry schedule; a redelivery begins a new run.
    schedule_step integer NOT NULL DEFAULT 0,
    -- X-Revtain-Sequence, given at the first send.
    endpoint_sequence bigint,
    last_status integer,
    last_error text,
    delivered_at timestamptz,
    -- No index holds what a claim changes, so that it rewrites the row in its page and no index.
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id),
    FOREIGN KEY (client_id, event_id) REFERENCES webhook_events (client_id, id),
    FOREIGN KEY (client_id, endpoint_id) REFERENCES webhook_endpoints (client_id, id),
    CHECK ((next_try_at IS NOT NULL) = (status = 'pending')),
    CHECK ((held_until IS NOT NULL) OR status <> 'held')
  ) WITH (fillfactor = 80);
  -- By endpoint first: the dispatcher takes a few of each, however many wait for a dead one.
  CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_try_at) WHERE status = 'pending';
  CREATE INDEX webhook_deliveries_held ON webhook_deliveries (client_id, held_until) WHERE status = 'held';
  CREATE INDEX webhook_deliveries_of_recovery ON webhook_deliveries (client_id, recovery_id, id) WHERE recovery_id IS NOT NULL;
  CREATE UNIQUE INDEX webhook_deliveries_of_event ON webhook_deliveries (client_id, event_id, endpoint_id);`;

const TRIES = `
  CREATE TABLE webhook_tries (
    client_id text NOT NULL,
    delivery_id text NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status integer,
    error text,
    response_excerpt text,
    PRIMARY KEY (client_id, delivery_id, number),
    FOREIGN KEY (client_id, delivery_id) REFERENCES webhook_deliveries (client_id, id)
  );`;

// True when it would be untrue to say that this recovery failed: it was paid or cancelled since, or another recovery of
// the same debt was paid.
const DEBT_IS_SETTLED = `
  CREATE FUNCTION debt_is_settled(client text, recovery text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
      SELECT FROM recoveries r JOIN recoveries other ON other.client_id = r.client_id AND other.debt_name = r.debt_name
      WHERE r.client_id = client AND r.id = recovery
        AND (other.state = 'succeeded'
             OR (other.state = 'cancelled' AND (other.id = r.id OR other.end_reason = 'paid_elsewhere'))))
  $$`;

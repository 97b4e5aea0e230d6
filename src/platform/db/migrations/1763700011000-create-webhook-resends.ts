import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Sending many deliveries again, step by step: how far each such order has come, and what finds its deliveries. */
export class CreateWebhookResends1763700011000 implements MigrationInterface {
  readonly name = 'CreateWebhookResends1763700011000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(RESENDS);
    await runner.query(tenantPolicy('webhook_resends', 'SELECT, INSERT, UPDATE'));
    await runner.query('ALTER TABLE webhook_deliveries ADD COLUMN resend_id text');
    await runner.query(INDEXES);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX webhook_events_superseded, webhook_deliveries_given_up');
    await runner.query('ALTER TABLE webhook_deliveries DROP COLUMN resend_id');
    await runner.query('DROP TABLE webhook_resends');
  }
}

const RESENDS = `
  CREATE TABLE webhook_resends (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    -- What an endpoint has missed, or the rows of the delivery log that fit a filter.
    kind text NOT NULL CHECK (kind IN ('missed', 'filter')),
    endpoint_id text,
    -- The order as it was given, for whoever reads it.
    asked jsonb NOT NULL,
    status text NOT NULL CHECK (status IN ('running', 'done', 'stopped')),
    -- Ids of events (missed) or deliveries (filter): everything up to this one has been dealt with.
    cursor_id text NOT NULL,
    -- Everything from this one on is later than the order.
    end_id text NOT NULL,
    total integer NOT NULL,
    queued integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (client_id, id),
    CHECK (kind = 'filter' OR endpoint_id IS NOT NULL),
    CHECK ((finished_at IS NULL) = (status = 'running'))
  );
  CREATE INDEX webhook_resends_running ON webhook_resends (updated_at) WHERE status = 'running';`;

const INDEXES = `
  CREATE INDEX webhook_deliveries_of_resend ON webhook_deliveries (client_id, resend_id) WHERE resend_id IS NOT NULL;
  CREATE INDEX webhook_deliveries_given_up ON webhook_deliveries (client_id, endpoint_id, event_id)
    WHERE status IN ('exhausted', 'endpoint_disabled');
  CREATE INDEX webhook_events_superseded ON webhook_events (client_id, superseded_at) WHERE superseded_at IS NOT NULL;`;

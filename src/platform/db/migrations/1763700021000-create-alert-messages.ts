import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** How alerts are grouped, the messages made of them, and who wants to hear no more. */
export class CreateAlertMessages1763700021000 implements MigrationInterface {
  readonly name = 'CreateAlertMessages1763700021000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(OPERATOR_ALERTS);
    await runner.query(TURNS);
    await runner.query(tenantPolicy('alert_turns', 'SELECT, INSERT, UPDATE'));
    await runner.query(GROUPS);
    await runner.query(tenantPolicy('alert_groups', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(MESSAGES);
    await runner.query(tenantPolicy('alert_messages', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(OPT_OUTS);
    await runner.query(tenantPolicy('alert_opt_outs', 'SELECT, INSERT, DELETE'));
    await runner.query(CHARGE_HOURS);
    await runner.query(tenantPolicy('alert_charge_hours', 'SELECT, INSERT, UPDATE, DELETE'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE alert_charge_hours, alert_opt_outs, alert_messages, alert_groups, alert_turns');
    await runner.query('DROP INDEX operator_alerts_by_key');
    await runner.query(`
      ALTER TABLE operator_alerts DROP COLUMN taken_number, DROP COLUMN group_key, DROP COLUMN routed,
        DROP COLUMN end_taken_at`);
  }
}

// The default numbers what is there already: it happened before anybody could be told, and is not told now.
const OPERATOR_ALERTS = `
  ALTER TABLE operator_alerts
    -- Given when the alert is taken into its group; per client, in the order they were taken.
    ADD COLUMN taken_number bigint DEFAULT 0,
    ADD COLUMN group_key text,
    -- The channels it is told on.
    ADD COLUMN routed text[],
    -- When its group took note that it is resolved.
    ADD COLUMN end_taken_at timestamptz;
  ALTER TABLE operator_alerts ALTER COLUMN taken_number DROP DEFAULT;
  CREATE INDEX operator_alerts_untaken ON operator_alerts (client_id, id) WHERE taken_number IS NULL;
  CREATE INDEX operator_alerts_end_untaken ON operator_alerts (client_id, id)
    WHERE taken_number > 0 AND resolved_at IS NOT NULL AND end_taken_at IS NULL;
  CREATE INDEX operator_alerts_of_group ON operator_alerts (client_id, group_key, taken_number) WHERE taken_number > 0;
  CREATE INDEX operator_alerts_by_key ON operator_alerts (client_id, dedupe_key);`;

const TURNS = `
  -- One row per client: whoever has it locked decides what the client's team is told.
  CREATE TABLE alert_turns (
    client_id text NOT NULL PRIMARY KEY REFERENCES clients (id),
    last_number bigint NOT NULL DEFAULT 0,
    -- Real time; null while no group waits.
    due_at timestamptz,
    -- The watch has read the outbox up to this instant, and looks back a little each time.
    events_read_until timestamptz,
    charges_counted_until timestamptz
  );
  CREATE INDEX alert_turns_due ON alert_turns (due_at) WHERE due_at IS NOT NULL;`;

const GROUPS = `
  CREATE TABLE alert_groups (
    client_id text NOT NULL REFERENCES clients (id),
    channel text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    subject text,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    told_up_to bigint NOT NULL,
    newest bigint NOT NULL,
    untold integer NOT NULL CHECK (untold >= 0),
    untold_since timestamptz,
    open integer NOT NULL CHECK (open >= 0),
    told_at timestamptz,
    told_open boolean NOT NULL,
    over_since timestamptz,
    thread_id text,
    -- Why other channels could not deliver what waits here.
    took_over text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (client_id, channel, key),
    CHECK ((untold > 0) = (untold_since IS NOT NULL))
  );`;

const MESSAGES = `
  CREATE TABLE alert_messages (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    -- What one notification sends to several addresses has one notification id.
    notification_id text NOT NULL,
    channel text NOT NULL,
    -- The address or the number; null where the channel has one place only.
    target text,
    purpose text NOT NULL CHECK (purpose IN ('firing', 'repeat', 'resolved', 'digest', 'test')),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    status text NOT NULL CHECK (status IN ('queued', 'sent', 'failed', 'opted_out')),
    -- What it says, fixed when made: every try says the same. Counts, amounts and ids only.
    content jsonb NOT NULL,
    thread_id text NOT NULL,
    next_try_at timestamptz,
    try_count integer NOT NULL DEFAULT 0,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    last_error text,
    -- The channel that took over what this one could not deliver.
    fell_back_to text,
    sent_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id),
    CHECK ((next_try_at IS NOT NULL) = (status = 'queued')),
    CHECK ((sent_at IS NOT NULL) = (status = 'sent'))
  );
  CREATE INDEX alert_messages_due ON alert_messages (next_try_at) WHERE status = 'queued';
  CREATE INDEX alert_messages_of_channel ON alert_messages (client_id, channel, created_at);`;

const OPT_OUTS = `
  CREATE TABLE alert_opt_outs (
    client_id text NOT NULL REFERENCES clients (id),
    channel text NOT NULL,
    target text NOT NULL,
    -- '*' for every kind, as a STOP by text message means it.
    kind text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('unsubscribed', 'stop')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, channel, target, kind)
  );`;

const CHARGE_HOURS = `
  -- Charges by hour, so that a rate can be held against the last 28 days without reading them all.
  CREATE TABLE alert_charge_hours (
    client_id text NOT NULL REFERENCES clients (id),
    hour timestamptz NOT NULL,
    charges integer NOT NULL,
    declined integer NOT NULL,
    PRIMARY KEY (client_id, hour)
  );`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** The debts we try to collect, every charge sent for them, every decision made, and the answers stored under keys. */
export class CreateRecoveries1763700002000 implements MigrationInterface {
  readonly name = 'CreateRecoveries1763700002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(RECOVERIES);
    await runner.query(tenantPolicy('recoveries', 'SELECT, INSERT, UPDATE'));
    await runner.query(ATTEMPTS);
    await runner.query(tenantPolicy('attempts', 'SELECT, INSERT, UPDATE'));
    await runner.query(TIMELINE);
    await runner.query(tenantPolicy('recovery_events', 'SELECT, INSERT'));
    await runner.query(IDEMPOTENCY_KEYS);
    await runner.query(tenantPolicy('idempotency_keys', 'SELECT, INSERT, UPDATE, DELETE'));
    await runner.query(CARD_STOPS);
    await runner.query(tenantPolicy('card_stops', 'SELECT, INSERT'));
    await runner.query(PULSES);
    await runner.query(tenantPolicy('pulses', 'SELECT, INSERT'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE pulses, card_stops, idempotency_keys, recovery_events, attempts, recoveries');
  }
}

const RECOVERIES = `
  CREATE TABLE recoveries (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL CHECK (id ~ '^[0-9A-HJKMNP-TV-Z]{26}$'),
    state text NOT NULL CHECK (state IN
      ('queued', 'in_progress', 'reconciling', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled', 'holdout')),
    end_reason text,
    end_detail text,
    round integer NOT NULL DEFAULT 1 CHECK (round >= 1),
    -- The number of the newest timeline row: gap-free, it grows by one with each.
    sequence bigint NOT NULL DEFAULT 0,

    -- The debt, and what is charged for it.
    debt_name text NOT NULL,
    original_resolved text,
    payment_object_id text,
    payment_object_kind text CHECK (payment_object_kind IN ('payment', 'invoice')),
    payment_is_ours boolean NOT NULL DEFAULT false,
    payment_return_url boolean NOT NULL DEFAULT false,
    payment_replacements smallint NOT NULL DEFAULT 0,
    -- An earlier payment of this debt that does not fit any more: read as canceled before another is made.
    payment_to_cancel text,
    -- Uncollectible already at the first reading: still payable. Marked so later, it ends the recovery.
    was_uncollectible boolean NOT NULL DEFAULT false,

    -- The request.
    idempotency_key text,
    reference text,
    customer_id text,
    gateway_customer_id text,
    invoice_id text,
    original_gateway_transaction_id text,
    original_failed_at timestamptz,
    original_signals jsonb,
    prior_attempts jsonb NOT NULL DEFAULT '[]',
    amount_requested_minor bigint NOT NULL CHECK (amount_requested_minor > 0),
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    token_sealed bytea NOT NULL,
    token_hash bytea NOT NULL,
    card jsonb,
    card_fingerprint text,
    token_reusable boolean NOT NULL DEFAULT true,
    fallback_sealed bytea,
    fallback_left smallint NOT NULL DEFAULT 0,
    strategy text NOT NULL DEFAULT 'primary',
    hints jsonb NOT NULL DEFAULT '{}',
    customer_email_sealed bytea,
    policy jsonb NOT NULL,
    metadata jsonb NOT NULL DEFAULT '{}',
    simulate_outcome text,
    livemode boolean NOT NULL,
    is_test boolean NOT NULL,

    -- The round.
    round_opened_at timestamptz NOT NULL,
    deadline_at timestamptz NOT NULL,
    anchor_at timestamptz,
    scheduled_taken integer NOT NULL DEFAULT 0,
    charges_made integer NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    attempts_opened integer NOT NULL DEFAULT 0,
    attempt_count integer NOT NULL DEFAULT 0,
    attempts_remaining integer NOT NULL DEFAULT 0,
    next_trigger text NOT NULL DEFAULT 'initial',

    -- What is next, on the client's clock.
    due_at timestamptz,
    due_kind text CHECK (due_kind IN ('charge', 'accept', 'settle', 'authentication', 'simulated', 'cancel_payment')),
    readings_failed integer NOT NULL DEFAULT 0,
    -- Since when an answer is lost, a debit is at the bank, or the customer is expected to authenticate.
    waiting_since timestamptz,

    -- How it stands.
    last_signals jsonb,
    advice jsonb NOT NULL,
    message text NOT NULL,
    trigger text,
    recovered_at timestamptz,
    gateway_transaction_token text,
    gateways_attempted integer NOT NULL DEFAULT 0,
    engine_applied boolean NOT NULL DEFAULT false,
    final_event_id text,

    -- The right to work on it: every write names the token it holds. Leases alone use the database's clock.
    lease_token bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    crash_count integer NOT NULL DEFAULT 0,

    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- Open and paid recoveries hold their debt: no second one of it is accepted (docs/behaviour.md 1).
    holds_debt boolean GENERATED ALWAYS AS
      (state IN ('queued', 'in_progress', 'reconciling', 'succeeded')
       OR (state = 'cancelled' AND end_reason = 'paid_elsewhere')) STORED,

    PRIMARY KEY (client_id, id),
    CONSTRAINT open_has_a_next_look CHECK
      (due_at IS NOT NULL OR state NOT IN ('queued', 'in_progress', 'reconciling', 'action_required')),
    CONSTRAINT due_has_a_kind CHECK ((due_at IS NULL) = (due_kind IS NULL)),
    CONSTRAINT end_reason_only_when_closed CHECK
      ((end_reason IS NOT NULL) = (state IN ('failed', 'blocked', 'cancelled', 'holdout'))),
    CONSTRAINT recovered_only_when_succeeded CHECK ((recovered_at IS NOT NULL) = (state = 'succeeded'))
  ) WITH (fillfactor = 80);
  CREATE UNIQUE INDEX recoveries_one_per_debt ON recoveries (client_id, debt_name) WHERE holds_debt;
  CREATE UNIQUE INDEX recoveries_one_per_original ON recoveries (client_id, original_resolved)
    WHERE holds_debt AND original_resolved IS NOT NULL;
  CREATE UNIQUE INDEX recoveries_one_per_payment ON recoveries (client_id, payment_object_id)
    WHERE holds_debt AND payment_object_id IS NOT NULL;
  CREATE INDEX recoveries_due_live ON recoveries (due_at) WHERE due_at IS NOT NULL AND NOT is_test;
  CREATE INDEX recoveries_due_test ON recoveries (client_id, due_at) WHERE due_at IS NOT NULL AND is_test;
  CREATE INDEX recoveries_of_debt ON recoveries (client_id, debt_name, id);
  CREATE INDEX recoveries_of_payment ON recoveries (client_id, payment_object_id) WHERE payment_object_id IS NOT NULL;
  CREATE INDEX recoveries_of_token ON recoveries (client_id, token_hash, created_at);
  CREATE INDEX recoveries_of_customer ON recoveries (client_id, customer_id, id) WHERE customer_id IS NOT NULL;
  CREATE INDEX recoveries_of_reference ON recoveries (client_id, reference, id) WHERE reference IS NOT NULL;
  CREATE INDEX recoveries_of_key ON recoveries (client_id, idempotency_key) WHERE idempotency_key IS NOT NULL;`;

const ATTEMPTS = `
  CREATE TABLE attempts (
    client_id text NOT NULL,
    id text NOT NULL,
    recovery_id text NOT NULL,
    number integer NOT NULL,
    round integer NOT NULL,
    trigger text NOT NULL,
    strategy text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    token_hash bytea NOT NULL,
    card_fingerprint text,
    card_brand text,
    payment_object_id text NOT NULL,
    gateway_key text NOT NULL,
    -- What the payment read just before the call; compared when the answer is lost.
    witness jsonb NOT NULL,
    -- Null while the charge is on the wire.
    outcome text CHECK (outcome IN ('succeeded', 'declined', 'pending', 'unknown', 'not_executed')),
    loss text CHECK (loss IN ('lost_reply', 'received_5xx')),
    opened_at timestamptz NOT NULL,
    sent_at timestamptz NOT NULL,
    lost_at timestamptz,
    ended_at timestamptz,
    signals jsonb,
    decline_code text,
    network_decline_code text,
    advice_code text,
    gateway_transaction_token text,
    scheduled boolean NOT NULL DEFAULT false,
    PRIMARY KEY (client_id, id),
    FOREIGN KEY (client_id, recovery_id) REFERENCES recoveries (client_id, id)
  );
  CREATE UNIQUE INDEX attempts_one_open ON attempts (client_id, recovery_id)
    WHERE outcome IS NULL OR outcome IN ('pending', 'unknown');
  CREATE UNIQUE INDEX attempts_one_success ON attempts (client_id, recovery_id) WHERE outcome = 'succeeded';
  CREATE UNIQUE INDEX attempts_by_number ON attempts (client_id, recovery_id, number);
  CREATE INDEX attempts_of_card ON attempts (client_id, token_hash, opened_at);`;

const TIMELINE = `
  CREATE TABLE recovery_events (
    client_id text NOT NULL,
    recovery_id text NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    from_state text,
    to_state text NOT NULL,
    rule text NOT NULL,
    inputs jsonb NOT NULL,
    actor text NOT NULL,
    PRIMARY KEY (client_id, recovery_id, sequence),
    FOREIGN KEY (client_id, recovery_id) REFERENCES recoveries (client_id, id)
  );
  CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$;
  CREATE TRIGGER recovery_events_append_only BEFORE UPDATE OR DELETE ON recovery_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER recovery_events_no_truncate BEFORE TRUNCATE ON recovery_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();`;

const IDEMPOTENCY_KEYS = `
  CREATE TABLE idempotency_keys (
    client_id text NOT NULL REFERENCES clients (id),
    key text NOT NULL,
    -- SHA-256 of the call and of its parsed JSON without idempotencyKey.
    fingerprint bytea NOT NULL,
    recovery_id text,
    -- The finished answer, byte for byte; null while in flight.
    status_code smallint,
    body bytea,
    -- While null body: who works on it, on the database's clock.
    lease_owner text,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, key)
  );
  CREATE INDEX idempotency_keys_of_recovery ON idempotency_keys (client_id, recovery_id) WHERE recovery_id IS NOT NULL;`;

const CARD_STOPS = `
  -- Cards that must not be charged again for a debt, whatever becomes of the recovery that found out.
  CREATE TABLE card_stops (
    client_id text NOT NULL REFERENCES clients (id),
    debt_name text NOT NULL,
    -- The card's fingerprint, and the token's hash: either one is enough to know the card again.
    card_fingerprint text,
    token_hash bytea NOT NULL,
    kind text NOT NULL CHECK (kind IN ('blocked', 'stopped')),
    signals jsonb NOT NULL,
    created_at timestamptz NOT NULL
  );
  -- A card may be replaced behind its token, and the new one be stopped as well.
  CREATE UNIQUE INDEX card_stops_of_debt ON card_stops
    (client_id, debt_name, token_hash, kind, coalesce(card_fingerprint, ''));`;

const PULSES = `
  CREATE TABLE pulses (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    transaction_id text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id)
  );`;

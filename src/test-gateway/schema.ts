import type { Pool } from 'pg';

/**
 * Everything the test gateway keeps, in a schema of its own. It may be run any number of times.
 *
 * Bodies are `json` and not `jsonb`: they are written and read whole, and nothing looks inside them but a few rare
 * list filters. `hidden` is what Stripe would never show: the card's script, how often it was played, an endpoint's
 * secret.
 */
export const testGatewaySchemaSql = `
CREATE SCHEMA IF NOT EXISTS test_gateway;

CREATE TABLE IF NOT EXISTS test_gateway.accounts (
  account_id text PRIMARY KEY,
  clock_offset_ms bigint NOT NULL DEFAULT 0,
  endpoints integer NOT NULL DEFAULT 0 CHECK (endpoints >= 0),
  created_at timestamptz NOT NULL
);
-- While a client's clock is walked it stands still, and its account's with it. Altered once, not at each start: the lock
-- that this takes waits for every transaction on the table.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'test_gateway.accounts'::regclass AND attname = 'clock_frozen_at') THEN
    ALTER TABLE test_gateway.accounts ADD COLUMN clock_frozen_at timestamptz, ADD COLUMN clock_frozen_until timestamptz;
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS test_gateway.secret_keys (
  key_hash bytea PRIMARY KEY CHECK (length(key_hash) = 32),
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  created_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS test_gateway.objects (
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  id text NOT NULL,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  kind text NOT NULL,
  created bigint NOT NULL,
  customer_id text,
  parent_id text,
  related_id text,
  body json NOT NULL,
  hidden jsonb NOT NULL,
  PRIMARY KEY (account_id, id)
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS objects_by_kind ON test_gateway.objects (account_id, kind, seq DESC);
CREATE INDEX IF NOT EXISTS objects_by_customer ON test_gateway.objects (account_id, customer_id, kind, seq DESC) WHERE customer_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_parent ON test_gateway.objects (account_id, parent_id, kind, seq DESC) WHERE parent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS objects_by_related ON test_gateway.objects (account_id, related_id, kind, seq DESC) WHERE related_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS test_gateway.idempotency (
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  path text NOT NULL,
  fingerprint bytea NOT NULL,
  status integer NOT NULL,
  body text NOT NULL,
  request_id text NOT NULL,
  stored_at timestamptz NOT NULL,
  PRIMARY KEY (account_id, key)
);

CREATE TABLE IF NOT EXISTS test_gateway.settlements (
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  payment_intent_id text NOT NULL,
  due_at timestamptz NOT NULL,
  failure_code text,
  PRIMARY KEY (account_id, payment_intent_id)
);
CREATE INDEX IF NOT EXISTS settlements_due ON test_gateway.settlements (account_id, due_at);

CREATE TABLE IF NOT EXISTS test_gateway.events (
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  id text NOT NULL,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  type text NOT NULL,
  created bigint NOT NULL,
  body json NOT NULL,
  PRIMARY KEY (account_id, id)
);
CREATE INDEX IF NOT EXISTS events_newest ON test_gateway.events (account_id, seq DESC);

CREATE TABLE IF NOT EXISTS test_gateway.deliveries (
  account_id text NOT NULL,
  event_id text NOT NULL,
  endpoint_id text NOT NULL,
  tries integer NOT NULL DEFAULT 0,
  due_at timestamptz,
  delivered_at timestamptz,
  last_status integer,
  PRIMARY KEY (account_id, event_id, endpoint_id),
  FOREIGN KEY (account_id, event_id) REFERENCES test_gateway.events,
  CHECK (due_at IS NULL OR delivered_at IS NULL)
);
CREATE INDEX IF NOT EXISTS deliveries_due ON test_gateway.deliveries (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS test_gateway.ledger (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  charge_id text NOT NULL,
  payment_intent_id text NOT NULL,
  invoice_id text,
  idempotency_key text,
  amount bigint NOT NULL CHECK (amount > 0),
  currency text NOT NULL CHECK (currency = lower(currency) AND length(currency) = 3),
  status text NOT NULL CHECK (status IN ('succeeded', 'failed', 'pending')),
  decline_code text,
  at timestamptz NOT NULL,
  CHECK ((decline_code IS NULL) OR (status = 'failed')),
  UNIQUE (account_id, charge_id, status)
);
CREATE INDEX IF NOT EXISTS ledger_by_account ON test_gateway.ledger (account_id, seq);
-- A payment object collects its money once, whatever the code above believes.
CREATE UNIQUE INDEX IF NOT EXISTS ledger_one_success ON test_gateway.ledger (account_id, payment_intent_id) WHERE status = 'succeeded';
-- A charge ends once.
CREATE UNIQUE INDEX IF NOT EXISTS ledger_one_end ON test_gateway.ledger (account_id, charge_id) WHERE status <> 'pending';

-- Connect: an account that has let another, the platform, act for it. The code works once.
CREATE TABLE IF NOT EXISTS test_gateway.connections (
  platform_id text NOT NULL REFERENCES test_gateway.accounts,
  account_id text NOT NULL REFERENCES test_gateway.accounts,
  code_hash bytea UNIQUE,
  code_expires_at timestamptz,
  is_granted boolean NOT NULL DEFAULT false,
  PRIMARY KEY (platform_id, account_id)
);

CREATE OR REPLACE FUNCTION test_gateway.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'test_gateway.ledger is append-only: % refused', TG_OP;
END $$;
CREATE OR REPLACE TRIGGER ledger_is_append_only BEFORE UPDATE OR DELETE ON test_gateway.ledger
  FOR EACH ROW EXECUTE FUNCTION test_gateway.refuse_change();
CREATE OR REPLACE TRIGGER ledger_is_never_emptied BEFORE TRUNCATE ON test_gateway.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION test_gateway.refuse_change();
`;

/** Any constant will do; it only has to be the same in every process. */
const SCHEMA_LOCK = 7_239_511_004;

/** Creates what is missing of the schema. Several processes may call it at once: one works, the others wait for it. */
export async function prepareTestGateway(pool: Pool): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    await client.query(testGatewaySchemaSql);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}

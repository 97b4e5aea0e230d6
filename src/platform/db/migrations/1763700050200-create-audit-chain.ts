import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** One hash chain per client over the timeline, signed heads, and how far the chaining is (docs/reliability.md, "Audit"). */
export class CreateAuditChain1763700050200 implements MigrationInterface {
  readonly name = 'CreateAuditChain1763700050200';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(WRITTEN_IN);
    await runner.query(LINKS);
    await runner.query(tenantPolicy('audit_links', 'SELECT'));
    await runner.query(HEADS);
    await runner.query(tenantPolicy('audit_heads', 'SELECT'));
    await runner.query(PROGRESS);
    await runner.query(`
      GRANT INSERT ON audit_links TO revtain_worker;
      GRANT INSERT, UPDATE ON audit_heads TO revtain_worker;
      GRANT SELECT, UPDATE ON audit_progress TO revtain_worker`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_progress, audit_heads, audit_links');
    await runner.query('ALTER TABLE recovery_events DROP COLUMN written_in');
  }
}

// A constant first, which rewrites no row; what is written from now on knows its transaction. Transactions end in another
// order than they begin: only below the oldest open one is the timeline complete, and only that far it is linked.
const WRITTEN_IN = `
  ALTER TABLE recovery_events ADD COLUMN written_in bigint NOT NULL DEFAULT 0;
  ALTER TABLE recovery_events ALTER COLUMN written_in SET DEFAULT pg_current_xact_id()::text::bigint`;

// No foreign key to the event: it would write to the event's row, and a link must outlive an event that is made away with.
const LINKS = `
  CREATE TABLE audit_links (
    client_id text NOT NULL REFERENCES clients (id),
    number bigint NOT NULL CHECK (number >= 1),
    recovery_id text NOT NULL,
    sequence bigint NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (client_id, number)
  );
  CREATE UNIQUE INDEX audit_links_one_per_event ON audit_links (client_id, recovery_id, sequence);
  CREATE TRIGGER audit_links_append_only BEFORE UPDATE OR DELETE ON audit_links
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
  CREATE TRIGGER audit_links_no_truncate BEFORE TRUNCATE ON audit_links
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();`;

const HEADS = `
  CREATE TABLE audit_heads (
    client_id text PRIMARY KEY REFERENCES clients (id),
    number bigint NOT NULL CHECK (number >= 1),
    hash bytea NOT NULL CHECK (length(hash) = 32),
    -- Ed25519, in base64.
    public_key text NOT NULL,
    signature text NOT NULL,
    signed_at timestamptz NOT NULL
  ) WITH (fillfactor = 50);`;

// The last event looked at, of all clients, in the order of the transactions that wrote them.
const PROGRESS = `
  CREATE TABLE audit_progress (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    written_in bigint NOT NULL,
    client_id text NOT NULL,
    recovery_id text NOT NULL,
    sequence bigint NOT NULL,
    ran_at timestamptz NOT NULL
  );
  INSERT INTO audit_progress (written_in, client_id, recovery_id, sequence, ran_at) VALUES (0, '', '', 0, now());`;

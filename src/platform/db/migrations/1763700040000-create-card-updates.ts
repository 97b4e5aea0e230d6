import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Links by which customers give a new card, and the gateway's pages that were opened from each. */
export class CreateCardUpdates1763700040000 implements MigrationInterface {
  readonly name = 'CreateCardUpdates1763700040000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(LINKS);
    await runner.query(tenantPolicy('card_update_links', 'SELECT, INSERT, UPDATE'));
    await runner.query(PAGES);
    await runner.query(tenantPolicy('card_update_pages', 'SELECT, INSERT, UPDATE'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE card_update_pages, card_update_links');
  }
}

const LINKS = `
  CREATE TABLE card_update_links (
    client_id text NOT NULL REFERENCES clients (id),
    id text NOT NULL,
    -- SHA-256 of the token: 256 random bits need no slow hash.
    token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
    gateway_customer_id text NOT NULL,
    -- Finds the recoveries of the card that is replaced, as recoveries.token_hash does.
    replaced_token_hash bytea NOT NULL,
    -- The recovery the link was made for; null for whatever is open on the replaced card when it is used.
    recovery_id text,
    currency text NOT NULL,
    return_url text,
    -- open: waits for its customer. saved: a card came, and is being put in its place and charged. done: all of that is over.
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'saved', 'done')),
    -- The gateway's page by which the card came.
    session_id text,
    new_token_sealed bytea,
    default_place text,
    recovery_ids text[],
    event_id text,
    -- What became of each recovery's charge: its state, or why it was not charged.
    outcomes jsonb NOT NULL DEFAULT '{}',
    -- On the client's clock.
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    saved_at timestamptz,
    -- Real time from here on: when the next step is worked, and by whom.
    due_at timestamptz,
    failed_tries integer NOT NULL DEFAULT 0,
    last_error text,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    PRIMARY KEY (client_id, id),
    CHECK ((due_at IS NOT NULL) = (state = 'saved')),
    CHECK ((new_token_sealed IS NOT NULL) = (state <> 'open'))
  );
  -- Found before the client is known, as API keys are.
  CREATE UNIQUE INDEX card_update_links_by_token ON card_update_links (token_hash);
  CREATE INDEX card_update_links_due ON card_update_links (due_at) WHERE due_at IS NOT NULL;`;

const PAGES = `
  CREATE TABLE card_update_pages (
    client_id text NOT NULL,
    id text NOT NULL,
    link_id text NOT NULL,
    -- Null while the gateway is being asked for it, and for ever where its answer was lost.
    session_id text,
    -- Real time. The page is read again then, should neither its event nor its customer come back.
    look_at timestamptz,
    looks integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, id),
    FOREIGN KEY (client_id, link_id) REFERENCES card_update_links (client_id, id)
  );
  CREATE INDEX card_update_pages_of_link ON card_update_pages (client_id, link_id, created_at);
  CREATE UNIQUE INDEX card_update_pages_of_session ON card_update_pages (client_id, session_id) WHERE session_id IS NOT NULL;
  CREATE INDEX card_update_pages_to_look_at ON card_update_pages (look_at) WHERE look_at IS NOT NULL;`;

import type { MigrationInterface, QueryRunner } from 'typeorm';

import { tenantPolicy } from '../tenant-policy.js';

/** Charges of a card that others made: with our own attempts they are what the networks' limits count. */
export class CreateNetworkLedger1763700004000 implements MigrationInterface {
  readonly name = 'CreateNetworkLedger1763700004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(SEEN_CHARGES);
    await runner.query(tenantPolicy('seen_charges', 'SELECT, INSERT'));
    await runner.query(ATTEMPTS_OF_FINGERPRINT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX attempts_of_fingerprint');
    await runner.query('DROP TABLE seen_charges');
  }
}

const SEEN_CHARGES = `
  CREATE TABLE seen_charges (
    client_id text NOT NULL REFERENCES clients (id),
    debt_name text NOT NULL,
    at timestamptz NOT NULL,
    -- The card's fingerprint, and the token's hash: either one is enough to know the card again.
    card_fingerprint text,
    token_hash bytea NOT NULL,
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    network_decline_code text,
    network_advice_code text,
    -- The same charge told twice, by two requests or by the merchant and the gateway, is one.
    PRIMARY KEY (client_id, debt_name, at)
  );
  CREATE INDEX seen_charges_of_fingerprint ON seen_charges (client_id, card_fingerprint, at)
    WHERE card_fingerprint IS NOT NULL;
  CREATE INDEX seen_charges_of_token ON seen_charges (client_id, token_hash, at);`;

const ATTEMPTS_OF_FINGERPRINT = `
  CREATE INDEX attempts_of_fingerprint ON attempts (client_id, card_fingerprint, opened_at)
    WHERE card_fingerprint IS NOT NULL`;

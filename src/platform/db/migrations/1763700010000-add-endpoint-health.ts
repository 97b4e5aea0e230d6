import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What all dispatchers must know of an endpoint before they call it: whether it asked for a pause, whether its breaker is
 * open, and how often its failing was told. Only adds, so the release before runs on it unchanged.
 */
export class AddEndpointHealth1763700010000 implements MigrationInterface {
  readonly name = 'AddEndpointHealth1763700010000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COLUMNS);
    await runner.query('UPDATE webhook_endpoints SET disabled_at = updated_at WHERE NOT enabled');
    // The dispatcher comes from the deliveries' index, which knows an endpoint by its id alone.
    await runner.query('CREATE INDEX webhook_endpoints_id ON webhook_endpoints (id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX webhook_endpoints_id');
    await runner.query(`ALTER TABLE webhook_endpoints DROP COLUMN disabled_at, DROP COLUMN throttled_until,
      DROP COLUMN throttle_step, DROP COLUMN breaker_until, DROP COLUMN breaker_trips, DROP COLUMN window_from,
      DROP COLUMN window_tries, DROP COLUMN window_failures, DROP COLUMN failing_told`);
  }
}

const COLUMNS = `
  ALTER TABLE webhook_endpoints
    ADD COLUMN disabled_at timestamptz,
    -- Real time, as all of these: nothing is sent before, for the receiver asked for it.
    ADD COLUMN throttled_until timestamptz,
    ADD COLUMN throttle_step smallint NOT NULL DEFAULT 0,
    -- Null: closed. Ahead: open, or a probe is on its way. Passed: half open, one probe may go.
    ADD COLUMN breaker_until timestamptz,
    ADD COLUMN breaker_trips smallint NOT NULL DEFAULT 0,
    -- Tries since the first failure of the current minute, and how many of them failed.
    ADD COLUMN window_from timestamptz,
    ADD COLUMN window_tries integer NOT NULL DEFAULT 0,
    ADD COLUMN window_failures integer NOT NULL DEFAULT 0,
    -- The last day (1, 3) of failing that the operator was told of; 0 when none.
    ADD COLUMN failing_told smallint NOT NULL DEFAULT 0`;

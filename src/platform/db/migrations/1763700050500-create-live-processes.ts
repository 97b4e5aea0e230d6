import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The processes that charge right now: they share what a gateway lets one account ask in a second. */
export class CreateLiveProcesses1763700050500 implements MigrationInterface {
  readonly name = 'CreateLiveProcesses1763700050500';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE live_processes (
        id text PRIMARY KEY,
        -- The database's clock.
        seen_at timestamptz NOT NULL
      );
      GRANT SELECT, INSERT, UPDATE, DELETE ON live_processes TO revtain_worker`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE live_processes');
  }
}

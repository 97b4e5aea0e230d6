import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Looks at the rows that were there before the guards. Reads whole tables, and holds up no reader and no writer meanwhile. */
export class ValidateTheTimeline1763700050100 implements MigrationInterface {
  readonly name = 'ValidateTheTimeline1763700050100';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE recovery_events VALIDATE CONSTRAINT recovery_events_legal');
  }

  /** A validated constraint is one that holds: there is nothing to take back. */
  down(): Promise<void> {
    return Promise.resolve();
  }
}

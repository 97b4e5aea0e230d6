import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Keeps room for one more version of a recovery on its page: a claim changes no indexed column, so that with room it writes
 * one row and touches none of the thirteen indexes. New pages only; old ones come to it as their rows are written.
 */
export class KeepRoomBesideRecoveries1763700070000 implements MigrationInterface {
  readonly name = 'KeepRoomBesideRecoveries1763700070000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE recoveries SET (fillfactor = 65)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE recoveries SET (fillfactor = 80)');
  }
}

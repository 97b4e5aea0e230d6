import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Finds every recovery that has named an original, closed ones too: what they knew of a debt is asked again. */
export class AddDebtLookups1763700005000 implements MigrationInterface {
  readonly name = 'AddDebtLookups1763700005000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX recoveries_of_original ON recoveries (client_id, original_resolved)
      WHERE original_resolved IS NOT NULL`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX recoveries_of_original');
  }
}

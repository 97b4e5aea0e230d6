import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The try by which a delivery was first received is kept in the delivery's own row, which is written at that moment anyway:
 * a row of its own in the log of tries, with its index entry, cost a seventh of the database's time. Every other try has
 * its row there as before. Only adds; the release before runs on it, and shows what it knows of.
 */
export class KeepTheReceiptWithItsDelivery1763700060000 implements MigrationInterface {
  readonly name = 'KeepTheReceiptWithItsDelivery1763700060000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE webhook_deliveries
        -- Null: not received yet, or told by a row of webhook_tries (before this column, and by a ping).
        ADD COLUMN receipt_number integer,
        -- Real time, when that try began.
        ADD COLUMN receipt_at timestamptz,
        ADD COLUMN receipt_ms integer,
        ADD COLUMN receipt_status integer`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      INSERT INTO webhook_tries (client_id, delivery_id, number, at, duration_ms, status)
      SELECT client_id, id, receipt_number, receipt_at, receipt_ms, receipt_status FROM webhook_deliveries
      WHERE receipt_number IS NOT NULL
      ON CONFLICT DO NOTHING`);
    await runner.query(`
      ALTER TABLE webhook_deliveries
        DROP COLUMN receipt_number, DROP COLUMN receipt_at, DROP COLUMN receipt_ms, DROP COLUMN receipt_status`);
  }
}

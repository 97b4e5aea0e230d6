import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Lets sweeps, and no request, delete what the log of deliveries has kept long enough. */
export class AllowWebhookRetention1763700012000 implements MigrationInterface {
  readonly name = 'AllowWebhookRetention1763700012000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('GRANT DELETE ON webhook_tries, webhook_deliveries, webhook_events TO revtain_worker');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('REVOKE DELETE ON webhook_tries, webhook_deliveries, webhook_events FROM revtain_worker');
  }
}

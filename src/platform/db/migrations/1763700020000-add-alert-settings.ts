import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a client chose about its alerts, and the targets beyond e-mail and telephone, sealed. */
export class AddAlertSettings1763700020000 implements MigrationInterface {
  readonly name = 'AddAlertSettings1763700020000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE clients
        ADD COLUMN alert_settings jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN alert_webhook_secret_sealed bytea,
        ADD COLUMN alert_slack_url_sealed bytea,
        ADD COLUMN alert_pagerduty_key_sealed bytea`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE clients DROP COLUMN alert_settings, DROP COLUMN alert_webhook_secret_sealed,
        DROP COLUMN alert_slack_url_sealed, DROP COLUMN alert_pagerduty_key_sealed`);
  }
}

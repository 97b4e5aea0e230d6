import type { MigrationInterface, QueryRunner } from 'typeorm';

import { buildConcurrently, dropConcurrently } from '../concurrently.js';

/**
 * One index names a delivery's line and its event, where there were two: each cost every write of a delivery 5.5 µs, for the
 * row's last version has new entries in all of them. What stands in line behind a delivery on the wire has an index of its own,
 * which is mostly empty, so that the end of each delivery finds by one look that nobody waits for it. An event and its
 * deliveries are written by one statement and deleted by another one, so checking the foreign key again for each row bought
 * nothing.
 *
 * The release before runs on it; its orders to send again wait until a process of this release takes them up.
 */
export class NameTheLineOnce1763700060100 implements MigrationInterface {
  readonly name = 'NameTheLineOnce1763700060100';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    // An earlier event of its recovery was still on its way when this delivery was looked at last.
    await runner.query(
      'ALTER TABLE webhook_deliveries ADD COLUMN IF NOT EXISTS is_in_line boolean NOT NULL DEFAULT false',
    );
    // Its condition keeps plans that were made over empty tables from taking it for an index of the client's deliveries.
    await buildConcurrently(
      runner,
      'webhook_deliveries_of_line',
      'ON webhook_deliveries (client_id, recovery_id, endpoint_id, event_id) WHERE recovery_id IS NOT NULL',
      'UNIQUE INDEX',
    );
    // Pings, which are of no recovery, and few.
    await buildConcurrently(
      runner,
      'webhook_deliveries_of_ping',
      'ON webhook_deliveries (client_id, event_id) WHERE recovery_id IS NULL',
    );
    await buildConcurrently(
      runner,
      'webhook_deliveries_in_line',
      'ON webhook_deliveries (client_id, recovery_id, endpoint_id) WHERE is_in_line',
    );
    await runner.query(
      'ALTER TABLE webhook_deliveries DROP CONSTRAINT IF EXISTS webhook_deliveries_client_id_event_id_fkey',
    );
    await dropConcurrently(runner, 'webhook_deliveries_of_event');
    await dropConcurrently(runner, 'webhook_deliveries_of_recovery');
  }

  async down(runner: QueryRunner): Promise<void> {
    const event = '(client_id, event_id, endpoint_id)';
    await buildConcurrently(runner, 'webhook_deliveries_of_event', `ON webhook_deliveries ${event}`, 'UNIQUE INDEX');
    await buildConcurrently(
      runner,
      'webhook_deliveries_of_recovery',
      'ON webhook_deliveries (client_id, recovery_id, endpoint_id) WHERE recovery_id IS NOT NULL',
    );
    await runner.query(`ALTER TABLE webhook_deliveries ADD CONSTRAINT webhook_deliveries_client_id_event_id_fkey
      FOREIGN KEY (client_id, event_id) REFERENCES webhook_events (client_id, id)`);
    await dropConcurrently(runner, 'webhook_deliveries_in_line');
    await dropConcurrently(runner, 'webhook_deliveries_of_ping');
    await dropConcurrently(runner, 'webhook_deliveries_of_line');
    await runner.query('ALTER TABLE webhook_deliveries DROP COLUMN IF EXISTS is_in_line');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

import { buildConcurrently, dropConcurrently } from '../concurrently.js';

/** What is due of one client, live or test: so that one with a million due is passed by without reading them. */
export class IndexDueByClient1763700050400 implements MigrationInterface {
  readonly name = 'IndexDueByClient1763700050400';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    await buildConcurrently(
      runner,
      'recoveries_due_of_client',
      'ON recoveries (client_id, due_at) WHERE due_at IS NOT NULL',
    );
    await dropConcurrently(runner, 'recoveries_due_test');
  }

  async down(runner: QueryRunner): Promise<void> {
    const definition = 'ON recoveries (client_id, due_at) WHERE due_at IS NOT NULL AND is_test';
    await buildConcurrently(runner, 'recoveries_due_test', definition);
    await dropConcurrently(runner, 'recoveries_due_of_client');
  }
}

import type { MigrationInterface, QueryRunner } from 'typeorm';

import { buildConcurrently, dropConcurrently } from '../concurrently.js';

/** The timeline in the order in which it is linked. New rows go to its end, which costs next to nothing. */
export class IndexWhatIsToLink1763700050300 implements MigrationInterface {
  readonly name = 'IndexWhatIsToLink1763700050300';
  readonly transaction = false;

  async up(runner: QueryRunner): Promise<void> {
    const columns = 'written_in, client_id, recovery_id, sequence';
    await buildConcurrently(runner, 'recovery_events_to_link', `ON recovery_events (${columns})`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await dropConcurrently(runner, 'recovery_events_to_link');
  }
}

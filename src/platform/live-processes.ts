import { Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';

import { Database, isConnectionError, type Scope } from './db/database.js';
import { Ids } from './ids.js';
import { Log } from './logging/log.js';

const WORKER: Scope = { role: 'worker' };
const BEAT_EVERY_MS = 5_000;

/** $1 this process. One that has not been seen for three beats is gone; its row is swept a minute later. */
const BEAT = `
  WITH seen AS (
    INSERT INTO live_processes (id, seen_at) VALUES ($1, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at),
  swept AS (DELETE FROM live_processes WHERE seen_at < clock_timestamp() - interval '1 minute' AND id <> $1)
  SELECT 1 + count(*)::int AS processes FROM live_processes
  WHERE id <> $1 AND seen_at > clock_timestamp() - interval '15 s'`;

/**
 * How many processes of any role are up on this database: they share what a gateway allows an account. One write in five
 * seconds, and none per call. A process that has just come is known to the others within five seconds.
 */
@Injectable()
export class LiveProcesses implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly id: string;
  private known = 1;
  private timer: NodeJS.Timeout | null = null;
  private beating: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly log: Log,
    ids: Ids,
  ) {
    this.id = ids.ulid();
  }

  /** This one included; as it was last known while the database is away. */
  count(): number {
    return this.known;
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => {
      this.beating = this.beat();
    }, BEAT_EVERY_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.timer) clearInterval(this.timer);
    await this.beating;
    const leave = { text: 'DELETE FROM live_processes WHERE id = $1', values: [this.id] };
    // Who could not say good-bye is forgotten in fifteen seconds.
    await this.database.query(WORKER, leave).catch((error: unknown) => this.told(error));
  }

  private async beat(): Promise<void> {
    try {
      const beat = { name: 'beat', text: BEAT, values: [this.id] };
      const { rows } = await this.database.query<{ processes: number }>(WORKER, beat);
      this.known = rows[0]?.processes ?? 1;
    } catch (error) {
      this.told(error);
    }
  }

  private told(error: unknown): void {
    if (isConnectionError(error)) this.log.warn('processes.database_unavailable');
    else this.log.error('processes.not_counted', {}, error);
  }
}

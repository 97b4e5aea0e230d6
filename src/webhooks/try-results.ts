import { setTimeout as pause } from 'node:timers/promises';

import type { Clock } from '../platform/clock.js';
import { isConnectionError } from '../platform/db/database.js';
import type { Log } from '../platform/logging/log.js';
import type { DeliveryStore, TryResult } from './delivery-store.js';
import { LEASE_MS } from './delivery-sql.js';

const BATCH_MAX = 512;
// While many tries end, a batch that waits a little is written at the price of a small one. A few are written at once.
const MANY = 16;
const GATHER_MS = 25;
const RETRY_PAUSE_MS = 200;

/**
 * Writes down what tries came to. Results that are ready together go in one statement: while one is being written, the
 * next ones gather. A database that is away is waited for as long as the leases last; after that the deliveries are sent
 * again by whoever claims them, with the same id and the same bytes.
 */
export class TryResults {
  private readonly waiting: TryResult[] = [];
  private writing: Promise<void> | null = null;

  constructor(
    private readonly store: Pick<DeliveryStore, 'settle'>,
    private readonly clock: Clock,
    private readonly log: Log,
    /** Called when something can be claimed that could not before. */
    private readonly onWoken: () => void,
  ) {}

  add(result: TryResult): void {
    this.waiting.push(result);
    this.writing ??= this.writeAll().finally(() => (this.writing = null));
  }

  /** Resolves when all that was added is written, or given up. */
  async written(): Promise<void> {
    while (this.writing) await this.writing;
  }

  private async writeAll(): Promise<void> {
    // Lets the tries that end in this same moment join the first batch.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH_MAX);
      await this.write(batch);
      if (batch.length >= MANY && this.waiting.length < BATCH_MAX) await pause(GATHER_MS);
    }
  }

  private async write(batch: TryResult[]): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    for (;;) {
      try {
        if (await this.store.settle(this.clock.now(), batch)) this.onWoken();
        return;
      } catch (error) {
        this.log.error('webhook.not_written', { count: batch.length }, error);
        // One row that can not be written must not keep its neighbours from it.
        if (batch.length > 1 && !isConnectionError(error)) return this.writeEach(batch);
        if (this.clock.monotonicMs() - startedMs > LEASE_MS) return;
        await pause(RETRY_PAUSE_MS);
      }
    }
  }

  private async writeEach(batch: TryResult[]): Promise<void> {
    for (const result of batch) await this.write([result]);
  }
}

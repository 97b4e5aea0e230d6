import { Injectable, type OnApplicationShutdown } from '@nestjs/common';

import type { Recovery } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';

/** A third of the lease: two renewals may fail before it is lost. */
const RENEW_EVERY_MS = 4_000;

/** Renews the leases of all work in hand while calls are on the wire. A lost one shows at the next write. */
@Injectable()
export class LeaseKeeper implements OnApplicationShutdown {
  private readonly held = new Map<string, Recovery>();
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly store: RecoveryStore) {}

  /** Keeps the lease while `work` runs. */
  async during<T>(recovery: Recovery, work: () => Promise<T>): Promise<T> {
    const key = `${recovery.clientId}:${recovery.id}`;
    this.held.set(key, recovery);
    this.timer ??= setInterval(() => void this.renew(), RENEW_EVERY_MS).unref();
    try {
      return await work();
    } finally {
      this.held.delete(key);
    }
  }

  onApplicationShutdown(): void {
    if (this.timer) clearInterval(this.timer);
    this.timer = null;
  }

  private async renew(): Promise<void> {
    if (this.held.size === 0) return;
    // A renewal that fails is repeated in four seconds; what it would have told is told by the guarded write itself.
    await this.store.renew([...this.held.values()]).catch(() => undefined);
  }
}

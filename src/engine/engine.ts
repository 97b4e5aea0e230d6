import { Injectable } from '@nestjs/common';

import { isConnectionError } from '../platform/db/database.js';
import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { FairShare } from '../platform/fair-share.js';
import { Log } from '../platform/logging/log.js';
import type { Recovery } from './recovery.js';
import { LeaseLost, RecoveryStore } from './recovery-store.js';
import { Worker } from './worker.js';
import { EngineSettings, WorkContexts } from './work-contexts.js';

/** A retry is worked within 1 s of its due time (docs/operating.md): the longest sleep leaves half of it. */
const SLEEP_MAX_MS = 500;
/** Claims closer together than this cost the database more than they gain. */
const SLEEP_MIN_MS = 5;
/**
 * While a client has all the places that it may take, claims are this far apart: each takes what has become free meanwhile.
 * Of a call of 200 ms that is a fortieth.
 */
const CROWDED_SLEEP_MS = 10;
/** After a failure of the database itself. */
const BACK_OFF_MS = 1_000;

/** The durable loop: claims what is due, works it, and sleeps until the next due time. */
@Injectable()
export class Engine extends BackgroundLoop {
  override readonly name = 'engine';
  private readonly inFlight = new Set<Promise<void>>();
  /** A client may have half of what the others leave: one alone has `inFlightMax`, and the next always finds a place. */
  private readonly share: FairShare;
  /** The last client that a fair claim looked at; null when the longest due of all clients are claimed. */
  private lookedAt: string | null = null;

  constructor(
    private readonly store: RecoveryStore,
    private readonly worker: Worker,
    private readonly contexts: WorkContexts,
    settings: EngineSettings,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    this.share = new FairShare(2 * settings.inFlightMax);
    works.register(this);
  }

  /** Fills the free places and returns how long nothing is due. A sliding window: no batch waits for its slowest. */
  protected override async turn(): Promise<number> {
    const { free } = this.share;
    if (free === 0) {
      await Promise.race(this.inFlight);
      return SLEEP_MIN_MS;
    }
    const now = this.clock.now();
    const claimed = await this.claim(now, free);
    for (const recovery of claimed) this.begin(recovery);
    const isCrowded = this.share.isAnyFull();
    if (claimed.length === free || (isCrowded && claimed.length > 0)) this.lookedAt ??= '';
    if (claimed.length === free || (this.lookedAt ?? '') !== '') return 0;
    if (isCrowded) return CROWDED_SLEEP_MS;
    const nextDueAt = await this.store.nextDueAt(now);
    const untilMs = nextDueAt === null ? SLEEP_MAX_MS : nextDueAt.getTime() - this.clock.now().getTime();
    return Math.min(Math.max(untilMs, SLEEP_MIN_MS), SLEEP_MAX_MS);
  }

  /** The longest due; but client by client once there is more due than can be taken, or of one client more than it may take. */
  private async claim(now: Date, free: number): Promise<Recovery[]> {
    const allowances = this.share.allowances();
    if (this.lookedAt === null) return this.store.claimDue(now, free, allowances);
    const { claimed, lastLookedAt } = await this.store.claimFairly(now, free, allowances, this.lookedAt);
    const isOver = lastLookedAt === null && claimed.length < free && !this.share.isAnyFull();
    this.lookedAt = isOver ? null : (lastLookedAt ?? '');
    return claimed;
  }

  private begin(recovery: Recovery): void {
    const { clientId } = recovery;
    this.share.take(clientId);
    const work = this.work(recovery).finally(() => {
      this.inFlight.delete(work);
      this.share.giveBack(clientId);
    });
    this.inFlight.add(work);
  }

  private async work(recovery: Recovery): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    const ids = { clientId: recovery.clientId, transactionId: recovery.id, kind: recovery.dueKind };
    try {
      const context = await this.contexts.ofClient(recovery.clientId, { actor: 'engine' });
      const worked = await this.worker.work(recovery, context);
      this.log.info('recovery.worked', {
        ...ids,
        state: worked.state,
        durationMs: this.clock.monotonicMs() - startedMs,
      });
    } catch (error) {
      // The lease runs out by itself and whoever takes the work over reads before it charges.
      if (error instanceof LeaseLost) this.log.warn('recovery.taken_over', ids);
      else if (isConnectionError(error)) this.log.warn('recovery.database_unavailable', ids);
      else this.log.error('recovery.interrupted', ids, error);
    }
  }

  protected override interrupted(error: unknown): number {
    if (isConnectionError(error)) this.log.warn('engine.database_unavailable');
    else this.log.error('engine.claim_failed', {}, error);
    return BACK_OFF_MS;
  }

  protected override async finish(): Promise<void> {
    await Promise.all(this.inFlight);
  }
}

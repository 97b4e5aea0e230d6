import type { FairShare } from '../../platform/fair-share.js';
import type { CallLimits } from './published-limits.js';
import { TokenBucket } from './token-bucket.js';

/** A request of somebody who waits for the answer goes before background work. */
export type Priority = 'request' | 'background';

/** Saved up for a moment of more: a quarter of a second's calls, but one at least. */
const BURST_SECONDS = 0.25;
/** While another call of the account must end first. */
const PLACE_ASKED_AGAIN_MS = 250;

interface Waiting {
  endpoint: string;
  untilMs: number;
  settle(refusedForMs: number | null): void;
}

/** What a gate needs of its surroundings. */
export interface GateParts {
  nowMs(): number;
  /** Calls `work` after so many milliseconds; returns how to take that back. */
  later(delayMs: number, work: () => void): () => void;
  /** How many processes share the account's limits. */
  processes(): number;
  /** Calls of all accounts that this process may have on the wire. */
  share: FairShare;
}

/**
 * Where the calls of one account pass: no more a second than its gateway allows, no more at once than its share of the wire,
 * and none while the gateway has asked to wait. Requests go first, then who came first.
 */
export class AccountGate {
  private readonly all: TokenBucket | null;
  private readonly byEndpoint = new Map<string, TokenBucket>();
  private readonly waiting: Record<Priority, Waiting[]> = { request: [], background: [] };
  private pausedUntilMs = 0;
  private processes = 1;
  private cancelTimer: (() => void) | null = null;

  /** `limits` null: the gateway's rate is not ours to keep, only the wire is shared. */
  constructor(
    private readonly name: string,
    private readonly limits: CallLimits | null,
    private readonly parts: GateParts,
  ) {
    this.all = limits && new TokenBucket(limits.perSecond, burstOf(limits.perSecond), parts.nowMs());
  }

  /**
   * Waits for its turn, so many milliseconds at most. Answers null when the call may be sent, and `done` must follow then; or
   * for how many milliseconds there is no point in asking again.
   */
  pass(endpoint: string, priority: Priority, waitMaxMs: number): Promise<number | null> {
    const isFirst =
      this.waiting.request.length === 0 && (priority === 'request' || this.waiting.background.length === 0);
    if (isFirst && this.waitMs(endpoint) === 0) {
      this.enter(endpoint);
      return Promise.resolve(null);
    }
    return new Promise((settle) => {
      this.waiting[priority].push({ endpoint, untilMs: this.parts.nowMs() + waitMaxMs, settle });
      this.admit();
    });
  }

  /** The call has been answered, or given up. */
  done(): void {
    this.parts.share.giveBack(this.name);
    this.admit();
  }

  /** The gateway has asked the account to wait. */
  pause(ms: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.parts.nowMs() + ms);
    this.admit();
  }

  /** Nobody waits, nothing is saved up or owed: forgetting it changes nothing. */
  isIdle(): boolean {
    const nowMs = this.parts.nowMs();
    const buckets = [...(this.all ? [this.all] : []), ...this.byEndpoint.values()];
    const isQuiet = this.waiting.request.length + this.waiting.background.length === 0 && this.pausedUntilMs <= nowMs;
    return isQuiet && buckets.every((bucket) => bucket.isFull(nowMs));
  }

  /** Lets in whoever may go now, tells those whose time is over, and comes back when the next one may. */
  private admit(): void {
    this.cancelTimer?.();
    this.cancelTimer = null;
    let nextMs = Infinity;
    for (const priority of ['request', 'background'] as const) {
      const queue = this.waiting[priority];
      this.waiting[priority] = [];
      for (const each of queue) {
        const stays = this.tryOne(each);
        if (stays === null) continue;
        this.waiting[priority].push(each);
        nextMs = Math.min(nextMs, stays);
      }
    }
    if (nextMs < Infinity) this.cancelTimer = this.parts.later(nextMs, () => this.admit());
  }

  /** Null when it has gone in or was sent away; else when to look at it again. */
  private tryOne(each: Waiting): number | null {
    const waitMs = this.waitMs(each.endpoint);
    if (waitMs === 0) {
      this.enter(each.endpoint);
      each.settle(null);
      return null;
    }
    const leftMs = each.untilMs - this.parts.nowMs();
    // Known already: it would wait in vain.
    if (leftMs <= 0 || this.pausedUntilMs > each.untilMs) {
      each.settle(waitMs);
      return null;
    }
    return Math.max(1, Math.min(waitMs, leftMs));
  }

  private waitMs(endpoint: string): number {
    const nowMs = this.parts.nowMs();
    this.retune(nowMs);
    const pausedMs = Math.max(0, this.pausedUntilMs - nowMs);
    const bucketsMs = Math.max(this.all?.waitMs(nowMs) ?? 0, this.bucketOf(endpoint, nowMs)?.waitMs(nowMs) ?? 0);
    const placeMs = this.parts.share.allowed(this.name) > 0 ? 0 : PLACE_ASKED_AGAIN_MS;
    return Math.max(pausedMs, bucketsMs, placeMs);
  }

  private enter(endpoint: string): void {
    const nowMs = this.parts.nowMs();
    this.all?.take(nowMs);
    this.bucketOf(endpoint, nowMs)?.take(nowMs);
    this.parts.share.take(this.name);
  }

  private bucketOf(endpoint: string, nowMs: number): TokenBucket | null {
    if (!this.limits) return null;
    const known = this.byEndpoint.get(endpoint);
    if (known) return known;
    const perSecond = this.limits.endpointPerSecond / this.processes;
    const made = new TokenBucket(perSecond, burstOf(perSecond), nowMs);
    this.byEndpoint.set(endpoint, made);
    return made;
  }

  /** Another number of processes shares the limits now. */
  private retune(nowMs: number): void {
    const processes = Math.max(1, this.parts.processes());
    if (!this.limits || processes === this.processes) return;
    this.processes = processes;
    const { perSecond, endpointPerSecond } = this.limits;
    this.all?.retune(perSecond / processes, burstOf(perSecond / processes), nowMs);
    for (const bucket of this.byEndpoint.values()) {
      bucket.retune(endpointPerSecond / processes, burstOf(endpointPerSecond / processes), nowMs);
    }
  }
}

function burstOf(perSecond: number): number {
  return Math.max(1, perSecond * BURST_SECONDS);
}

/**
 * So many tokens a second, and no more than `burst` saved up. Time is told by the caller, in milliseconds that never run
 * backward; a bucket is two numbers and costs nothing while nobody asks.
 */
export class TokenBucket {
  private tokens: number;

  /** Full at first. @param perSecond above 0. @param burst at least 1. */
  constructor(
    private perSecond: number,
    private burst: number,
    private atMs: number,
  ) {
    this.tokens = burst;
  }

  /** Milliseconds until there is a token; 0 when there is one. */
  waitMs(nowMs: number): number {
    this.fill(nowMs);
    return this.tokens >= 1 ? 0 : Math.ceil(((1 - this.tokens) / this.perSecond) * 1_000);
  }

  /** @throws when there is none: ask `waitMs` first. */
  take(nowMs: number): void {
    if (this.waitMs(nowMs) > 0) throw new Error('the bucket is empty');
    this.tokens -= 1;
  }

  /** From now on at another rate; what was saved up is kept as far as the new burst allows. */
  retune(perSecond: number, burst: number, nowMs: number): void {
    this.fill(nowMs);
    this.perSecond = perSecond;
    this.burst = burst;
    this.tokens = Math.min(this.tokens, burst);
  }

  isFull(nowMs: number): boolean {
    this.fill(nowMs);
    return this.tokens >= this.burst;
  }

  private fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.atMs);
    this.tokens = Math.min(this.burst, this.tokens + (passedMs / 1_000) * this.perSecond);
    this.atMs = Math.max(this.atMs, nowMs);
  }
}

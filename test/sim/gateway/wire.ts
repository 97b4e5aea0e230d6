import type { Faults } from '../faults.js';
import type { Inhabitant, Timeline } from '../timeline.js';

/** So late at the latest is a request executed: from a minute on, a look that sees nothing may believe it. */
const LATE_MAX_MS = 50_000;
const SLOW_MAX_MS = 8_000;
/** No charge takes longer at the other side. */
const PROCESSING_MAX_MS = 1_000;

type Reply<T> = (value: T) => void;

/** The way there and back: both may be long, lost, or taken twice. */
export class Wire {
  /** Nobody gets through until then. */
  downUntilMs = 0;

  constructor(
    private readonly timeline: Timeline,
    private readonly faults: Faults,
  ) {}

  /**
   * Sends a request. `arrive` runs at the other side, perhaps never and perhaps twice, and perhaps after the caller has
   * given up; what it replies first is what the caller gets, if it comes in time.
   */
  send<T>(
    from: Inhabitant,
    timeoutMs: number,
    lost: T,
    arrive: (reply: Reply<T>, isCopy: boolean) => void,
  ): Promise<T> {
    return new Promise((resolve) => {
      let isAnswered = false;
      const answer = (value: T, delayMs: number) => {
        if (isAnswered) return;
        isAnswered = true;
        this.timeline.reply(from, delayMs, () => resolve(value));
      };
      const sentMs = this.timeline.nowMs;
      // A broken connection tells at once, a silent one by the deadline.
      const giveUp = () =>
        answer(lost, this.faults.between(0, 1) === 0 ? 5 : Math.max(0, sentMs + timeoutMs - this.timeline.nowMs));
      const reply = (value: T) => {
        const backMs = this.backMs();
        const isInTime = this.timeline.nowMs + backMs - sentMs < timeoutMs;
        if (this.faults.happens('gateway_reply_lost') || !isInTime) return giveUp();
        answer(value, backMs);
      };
      if (this.isDown() || this.faults.happens('gateway_request_lost')) return giveUp();
      const thereMs = this.thereMs();
      this.timeline.call(thereMs, () => arrive(reply, false));
      if (this.faults.happens('gateway_request_repeated')) {
        const copyMs = this.faults.between(0, 1) === 0 ? this.thereMs() : this.faults.between(0, LATE_MAX_MS);
        this.timeline.call(copyMs, () => arrive(() => undefined, true));
      }
      // One that arrives in time is answered or given up by its reply.
      if (thereMs + PROCESSING_MAX_MS >= timeoutMs) this.timeline.call(timeoutMs, giveUp);
    });
  }

  private isDown(): boolean {
    const isDown = this.timeline.nowMs < this.downUntilMs && !this.faults.isOff('gateway_down');
    if (isDown) this.faults.note('gateway_down');
    return isDown;
  }

  private thereMs(): number {
    if (this.faults.happens('gateway_request_late')) return this.faults.between(SLOW_MAX_MS, LATE_MAX_MS);
    return this.faults.between(2, 60);
  }

  private backMs(): number {
    return this.faults.happens('gateway_slow') ? this.faults.between(1_000, SLOW_MAX_MS) : this.faults.between(2, 60);
  }
}

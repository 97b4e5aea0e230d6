import {
  COULD_NOT_CONNECT,
  NO_ANSWER_IN_TIME,
  type EgressAnswer,
  type EgressRequest,
} from '../../src/platform/egress/egress-client.js';
import type { Faults } from './faults.js';
import type { Inhabitant, Timeline } from './timeline.js';

/** One try as it arrived. */
export interface Receipt {
  atMs: number;
  url: string;
  eventId: string;
  /** `X-Revtain-Sequence`. */
  sequence: number;
  body: Buffer;
  headers: Readonly<Record<string, string>>;
  /** The sender has heard a 2xx of it, or will. */
  accepted: boolean;
}

/** The merchants' servers: they keep every byte they are sent, whatever they answer. */
export class Receivers {
  readonly receipts: Receipt[] = [];
  onReceipt: (receipt: Receipt) => void = () => undefined;
  private readonly downUntilMs = new Map<string, number>();

  constructor(
    private readonly timeline: Timeline,
    private readonly faults: Faults,
  ) {}

  /** Out of reach until an instant. */
  takeDown(url: string, untilMs: number): void {
    this.downUntilMs.set(url, untilMs);
  }

  post(from: Inhabitant, request: EgressRequest): Promise<EgressAnswer> {
    return new Promise((resolve) => {
      const sentMs = this.timeline.nowMs;
      const answer = (delayMs: number, make: (durationMs: number) => EgressAnswer) =>
        this.timeline.reply(from, delayMs, () => resolve(make(Math.round(this.timeline.nowMs - sentMs))));
      this.timeline.call(this.faults.between(1, 40), () => this.arrive(request, answer));
    });
  }

  private arrive(
    request: EgressRequest,
    answer: (delayMs: number, make: (durationMs: number) => EgressAnswer) => void,
  ): void {
    const { faults } = this;
    const isDown =
      (this.downUntilMs.get(request.url) ?? 0) > this.timeline.nowMs && !faults.isOff('receiver_out_of_reach');
    if (isDown) faults.note('receiver_out_of_reach');
    if (isDown || faults.happens('receiver_out_of_reach')) {
      return answer(5, (durationMs) => ({ kind: 'no_answer', text: COULD_NOT_CONNECT, cause: 'refused', durationMs }));
    }
    if (faults.happens('receiver_took_it_silently')) {
      this.take(request, false);
      const silence = { kind: 'no_answer', text: NO_ANSWER_IN_TIME, cause: 'the deadline has passed' } as const;
      return answer(request.deadlineMs, (durationMs) => ({ ...silence, durationMs }));
    }
    const status = this.statusOf();
    const accepted = status < 300;
    this.take(request, accepted);
    const delayMs = faults.happens('receiver_slow') ? faults.between(2_000, 9_000) : faults.between(5, 200);
    const retryAfter = status === 429 ? String(faults.between(1, 600)) : null;
    const excerpt = Buffer.alloc(0);
    answer(delayMs, (durationMs) => ({ kind: 'answered', status, retryAfter, excerpt, durationMs }));
  }

  private statusOf(): number {
    const { faults } = this;
    if (faults.happens('receiver_answers_5xx')) return faults.between(0, 1) === 0 ? 500 : 503;
    if (faults.happens('receiver_asks_for_patience')) return 429;
    return faults.happens('receiver_gone') ? 410 : 200;
  }

  private take({ url, headers, body }: EgressRequest, accepted: boolean): void {
    const eventId = headers['webhook-id'] ?? '';
    const sequence = Number(headers['X-Revtain-Sequence'] ?? 0);
    const receipt: Receipt = { atMs: this.timeline.nowMs, url, eventId, sequence, body, headers, accepted };
    this.receipts.push(receipt);
    this.onReceipt(receipt);
  }
}

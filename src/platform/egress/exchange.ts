import type { IncomingHttpHeaders } from 'node:http';

import type { Dispatcher } from 'undici';

import type { Clock } from '../clock.js';
import { messageOf } from '../error-facts.js';
import { COULD_NOT_CONNECT, type EgressAnswer, NO_ANSWER_IN_TIME } from './egress-client.js';

/** An answer is read no further. */
const BODY_MAX_BYTES = 16 * 1_024;

/** A receiver may send a header twice, whatever the type says; the first of them counts, as for the headers that Node knows. */
function firstOf(header: string | readonly string[] | undefined): string | null {
  return (typeof header === 'string' ? header : header?.[0]) ?? null;
}

/**
 * One request on its way and back. It ends by the last byte, by 16 KiB of answer, or by its deadline, whichever comes
 * first; once a status has come, the answer stands, however its body goes on.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  private status: number | null = null;
  private retryAfter: string | null = null;
  private readonly chunks: Buffer[] = [];
  private size = 0;
  private ended = false;
  private text: typeof COULD_NOT_CONNECT | typeof NO_ANSWER_IN_TIME = COULD_NOT_CONNECT;
  private controller: Dispatcher.DispatchController | null = null;
  private readonly startedMs: number;
  private readonly timer: NodeJS.Timeout;

  /** Starts a request and waits for its end. Never rejects. */
  static run(clock: Clock, deadlineMs: number, start: (exchange: Exchange) => void): Promise<EgressAnswer> {
    return new Promise((resolve) => start(new Exchange(clock, deadlineMs, resolve)));
  }

  private constructor(
    private readonly clock: Clock,
    deadlineMs: number,
    private readonly resolve: (answer: EgressAnswer) => void,
  ) {
    this.startedMs = clock.monotonicMs();
    this.timer = setTimeout(() => this.passDeadline(), deadlineMs);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    // The deadline passed while the connection was made: nothing may be sent any more.
    if (this.ended) controller.abort(new Error('the deadline has passed'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number, headers: IncomingHttpHeaders): void {
    // An interim answer (1xx) is none.
    if (statusCode < 200) return;
    this.status = statusCode;
    this.retryAfter = firstOf(headers['retry-after']);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.ended) return;
    this.chunks.push(chunk.subarray(0, BODY_MAX_BYTES - this.size));
    this.size += chunk.length;
    if (this.size >= BODY_MAX_BYTES) this.cutShort('the answer is too long');
  }

  onResponseEnd(): void {
    this.end('the answer has no status');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.end(messageOf(error));
  }

  /** Only who was connected to, past all checks and TLS, can be late; until then every end reads the same. */
  private passDeadline(): void {
    if (this.controller) this.text = NO_ANSWER_IN_TIME;
    this.cutShort('the deadline has passed');
  }

  private cutShort(cause: string): void {
    this.end(cause);
    this.controller?.abort(new Error(cause));
  }

  private end(cause: string): void {
    if (this.ended) return;
    this.ended = true;
    clearTimeout(this.timer);
    const durationMs = Math.round(this.clock.monotonicMs() - this.startedMs);
    const { status, retryAfter, text } = this;
    if (status === null) this.resolve({ kind: 'no_answer', text, cause, durationMs });
    else this.resolve({ kind: 'answered', status, retryAfter, excerpt: Buffer.concat(this.chunks), durationMs });
  }
}

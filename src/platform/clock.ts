/** The only source of time. Tests replace it by a clock they move. */
export abstract class Clock {
  /** The instant it is now. */
  abstract now(): Date;

  /** Milliseconds since some fixed moment; never runs backward, so durations are measured with it. */
  abstract monotonicMs(): number;
}

/** The machine's own time. */
export class SystemClock extends Clock {
  override now(): Date {
    return new Date();
  }

  override monotonicMs(): number {
    return performance.now();
  }
}

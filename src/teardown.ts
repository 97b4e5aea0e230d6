/** What was started, to be stopped in reverse; also when the start failed half-way. */
export class Teardown {
  private readonly steps: ((afterFailure: boolean) => Promise<void>)[] = [];

  /** A step is told whether the start failed: what was found running is then left running. */
  add(stop: (afterFailure: boolean) => Promise<void>): void {
    this.steps.push(stop);
  }

  /** Takes every step, whatever one of them throws. Does nothing the second time. @throws the first error. */
  async run(afterFailure = false): Promise<void> {
    const errors: unknown[] = [];
    for (let stop = this.steps.pop(); stop; stop = this.steps.pop()) {
      await stop(afterFailure).catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }
}

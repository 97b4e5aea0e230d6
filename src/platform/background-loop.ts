import { BackgroundWork } from './background-work.js';
import { WakeableSleep } from './wakeable-sleep.js';

/** Work that turns round and round until it is stopped: between two turns it sleeps as long as the first one said. */
export abstract class BackgroundLoop extends BackgroundWork {
  /** From the moment it is told to stop: nothing new is taken. */
  protected stopping = false;
  private loop: Promise<void> | null = null;

  /** Where others ring for it, the sleep is one that they share. */
  constructor(private readonly sleep = new WakeableSleep()) {
    super();
  }

  override start(): void {
    this.stopping = false;
    this.loop ??= this.run();
  }

  override async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.loop;
    this.loop = null;
    await this.finish();
  }

  /** Something new may be there: look at once. One that comes during a turn is kept for its end; without a loop it costs nothing. */
  wake(): void {
    this.sleep.wake();
  }

  /** True while a loop turns in this process. */
  protected get turning(): boolean {
    return this.loop !== null && !this.stopping;
  }

  /** One look at what there is to do. Answers for how many ms to sleep unless woken; 0 for not at all. */
  protected abstract turn(): Promise<number>;

  /** Writes down what a turn threw. Answers for how many ms to sleep. */
  protected abstract interrupted(error: unknown): number;

  /** What still has to end once nothing new is taken. */
  protected finish(): Promise<void> {
    return Promise.resolve();
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const sleepMs = await this.turn().catch((error: unknown) => this.interrupted(error));
      if (sleepMs > 0) await this.sleep.upTo(sleepMs);
    }
  }
}

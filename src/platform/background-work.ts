import { Injectable } from '@nestjs/common';

/** A loop that runs beside the requests: the engine, the dispatcher. */
export abstract class BackgroundWork {
  /** For logs. */
  abstract readonly name: string;

  /** Begins the loop and returns at once. */
  abstract start(): void;

  /** Takes nothing new, finishes what is on the wire, hands leases back; resolves when all that is done. */
  abstract stop(): Promise<void>;
}

/** The loops of this process, in the order they register: started by roles `all` and `worker`, never by `api`. */
@Injectable()
export class BackgroundWorks {
  private readonly works: BackgroundWork[] = [];
  private running = false;

  /** Called by each loop's constructor. @throws after the start, when it could no longer be started. */
  register(work: BackgroundWork): void {
    if (this.running) throw new Error(`${work.name} registered after the start`);
    this.works.push(work);
  }

  startAll(): void {
    this.running = true;
    for (const work of this.works) work.start();
  }

  /** Stops all at once, as each may wait for its own calls. Does nothing before the start. @throws what the first failing one threw. */
  async stopAll(): Promise<void> {
    if (!this.running) return;
    this.running = false;
    const ended = await Promise.allSettled(this.works.map((work) => work.stop()));
    const failed = ended.find((each) => each.status === 'rejected');
    if (failed) throw failed.reason;
  }
}

import type { Dice } from './dice.js';

/** One process of the product, as far as time is concerned. */
export interface Inhabitant {
  /** Killed: nothing comes back to it any more. */
  readonly dead: boolean;
  /** Stopped until then, as by SIGSTOP: what comes back to it waits. */
  readonly stoppedUntilMs: number;
  /** When a poll of it would find something. */
  nextDueMs(): number;
}

/** A world comes to rest after some thousand steps; one that took so many will not. */
export const STEPS_MAX = 100_000;

interface Event {
  atMs: number;
  /** Orders events of one instant: drawn, so that the seed decides who comes first. */
  tie: number;
  run: () => void;
}

/** A handle as the product expects it of `setTimeout`. */
class VirtualTimer {
  constructor(
    readonly owner: Inhabitant | null,
    readonly run: () => void,
    public atMs: number,
    readonly everyMs: number | null,
  ) {}

  unref(): this {
    return this;
  }
}

/**
 * Time without waiting. Whatever a port does later is an event; events of one instant come in an order that the dice
 * decide, and between two of them the product runs until it waits again. Polls of the product are let through only when
 * something is due, which costs nothing else: an earlier one would have found nothing.
 */
export class Timeline {
  /** Milliseconds since 1970. */
  nowMs: number;
  /** Whose code runs at the moment. */
  current: Inhabitant | null = null;
  steps = 0;
  private readonly heap: Event[] = [];
  private readonly timers = new Set<VirtualTimer>();
  private calls = 0;
  /** Code of the product has been let go on, and may still run. */
  private isRunning = false;

  constructor(
    startMs: number,
    private readonly dice: Dice,
  ) {
    this.nowMs = startMs;
  }

  /** From now on it is this process's code that runs, until it waits. */
  enter(process: Inhabitant | null): void {
    this.current = process;
    this.isRunning = true;
  }

  /** At an instant, whatever else happens: the story's own events. */
  plan(atMs: number, run: () => void): void {
    this.push(Math.max(atMs, this.nowMs), run);
  }

  /** Something is on its way until it has run: leases are renewed meanwhile. */
  call(delayMs: number, run: () => void): void {
    this.calls++;
    this.push(this.nowMs + delayMs, () => {
      this.calls--;
      run();
    });
  }

  /** Gives an answer back to a process: never to a dead one, and to a stopped one when it goes on. */
  reply(to: Inhabitant, delayMs: number, run: () => void): void {
    this.call(delayMs, () => {
      if (to.dead) return;
      if (to.stoppedUntilMs > this.nowMs) return this.reply(to, to.stoppedUntilMs - this.nowMs, run);
      this.enter(to);
      run();
    });
  }

  /** The product's `sleep`: work in hand goes on after it. */
  sleep(ms: number): Promise<void> {
    const owner = this.current;
    if (!owner) throw new Error('nobody sleeps');
    return new Promise((resolve) => this.reply(owner, ms, resolve));
  }

  setTimeout(run: () => void, ms: number): VirtualTimer {
    return this.addTimer(run, ms, null);
  }

  setInterval(run: () => void, ms: number): VirtualTimer {
    return this.addTimer(run, ms, ms);
  }

  clear(timer: unknown): void {
    if (timer instanceof VirtualTimer) this.timers.delete(timer);
  }

  /** A killed process leaves no timers. */
  clearOf(owner: Inhabitant): void {
    for (const timer of this.timers) if (timer.owner === owner) this.timers.delete(timer);
  }

  /** Lets everything happen until nothing will, or until an instant. Answers whether anything was left. */
  async runUntil(endMs: number): Promise<boolean> {
    for (;;) {
      const timer = this.nextTimer();
      const event = this.heap[0];
      const timerMs = timer ? this.dueMs(timer) : Infinity;
      const nextMs = Math.min(timerMs, event?.atMs ?? Infinity);
      if (nextMs === Infinity) return false;
      if (nextMs > endMs) return true;
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.steps++;
      if (this.steps >= STEPS_MAX) return true;
      if (timer && timerMs <= (event?.atMs ?? Infinity)) this.fire(timer);
      else this.pop().run();
      if (!this.isRunning) continue;
      await settled();
      this.isRunning = false;
    }
  }

  private addTimer(run: () => void, ms: number, everyMs: number | null): VirtualTimer {
    const timer = new VirtualTimer(this.current, run, this.nowMs + ms, everyMs);
    this.timers.add(timer);
    return timer;
  }

  private nextTimer(): VirtualTimer | null {
    let next: VirtualTimer | null = null;
    let nextMs = Infinity;
    for (const timer of this.timers) {
      const dueMs = this.dueMs(timer);
      if (dueMs < nextMs) [next, nextMs] = [timer, dueMs];
    }
    return next;
  }

  /** A poll waits for something to be found, a renewal for work in hand, and both for a process that is stopped. */
  private dueMs({ owner, atMs, everyMs }: VirtualTimer): number {
    const ownMs = Math.max(atMs, owner?.stoppedUntilMs ?? 0, this.nowMs);
    if (everyMs !== null) return this.calls > 0 ? ownMs : Infinity;
    return Math.max(ownMs, owner?.nextDueMs() ?? 0);
  }

  private fire(timer: VirtualTimer): void {
    if (timer.everyMs === null) this.timers.delete(timer);
    else timer.atMs = this.nowMs + timer.everyMs;
    this.enter(timer.owner);
    timer.run();
  }

  private push(atMs: number, run: () => void): void {
    const { heap } = this;
    const event = { atMs, tie: this.dice.fraction(), run };
    let place = heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (!parent || !isBefore(event, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = event;
  }

  private pop(): Event {
    const { heap } = this;
    const [first] = heap;
    const last = heap.pop();
    if (!first || !last) throw new Error('nothing is left to happen');
    if (heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = heap[below];
      const other = heap[below + 1];
      if (child && other && isBefore(other, child)) {
        below++;
        child = other;
      }
      if (!child || !isBefore(child, last)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs === other.atMs ? one.tie < other.tie : one.atMs < other.atMs;
}

/** All that follows at once from what has just happened has happened: `setImmediate` comes after every promise. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

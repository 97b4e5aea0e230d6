import { describe, expect, it } from '@jest/globals';

import { BackgroundLoop } from './background-loop.js';

/** A loop whose turns are told one by one: what each does, and for how long it would sleep. */
class Told extends BackgroundLoop {
  override readonly name = 'told';
  turns = 0;
  finished = 0;
  errors: unknown[] = [];
  private waiters: [turns: number, resolve: () => void][] = [];

  constructor(private readonly script: (turn: number) => number | Promise<number>) {
    super();
  }

  get isTurning(): boolean {
    return this.turning;
  }

  reached(turns: number): Promise<void> {
    return new Promise((resolve) => this.waiters.push([turns, resolve]));
  }

  protected override async turn(): Promise<number> {
    this.turns += 1;
    for (const [turns, resolve] of this.waiters) if (this.turns >= turns) resolve();
    return this.script(this.turns);
  }

  protected override interrupted(error: unknown): number {
    this.errors.push(error);
    return 1;
  }

  protected override finish(): Promise<void> {
    this.finished += 1;
    return Promise.resolve();
  }
}

const FOR_EVER_MS = 3_600_000;

describe('BackgroundLoop', () => {
  it('turns again at once where a turn asks for no sleep, and sleeps where it does', async () => {
    const loop = new Told((turn) => (turn < 3 ? 0 : FOR_EVER_MS));
    loop.start();
    await loop.reached(3);
    expect(loop.isTurning).toBe(true);
    await loop.stop();
    expect([loop.turns, loop.finished, loop.isTurning]).toEqual([3, 1, false]);
  });

  it('is woken from its sleep, and keeps a wake that comes during a turn', async () => {
    const loop: Told = new Told((turn) => {
      if (turn === 1) loop.wake();
      return FOR_EVER_MS;
    });
    loop.start();
    await loop.reached(2);
    loop.wake();
    await loop.reached(3);
    await loop.stop();
    expect(loop.turns).toBe(3);
  });

  it('goes on after a turn that throws', async () => {
    const failure = new Error('the database is away');
    const loop = new Told((turn) => (turn === 1 ? Promise.reject(failure) : FOR_EVER_MS));
    loop.start();
    await loop.reached(2);
    await loop.stop();
    expect(loop.errors).toEqual([failure]);
  });

  it('runs once however often it is started, ends the turn it is in, and can be started again', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const loop = new Told((turn) => (turn === 1 ? held.then(() => 0) : FOR_EVER_MS));
    loop.start();
    loop.start();
    const stopped = loop.stop();
    expect(loop.finished).toBe(0);
    release();
    await stopped;
    expect([loop.turns, loop.finished]).toEqual([1, 1]);
    loop.start();
    await loop.reached(2);
    await loop.stop();
    expect(loop.finished).toBe(2);
  });
});

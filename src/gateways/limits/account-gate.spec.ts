import { describe, expect, it } from '@jest/globals';

import { FairShare } from '../../platform/fair-share.js';
import { AccountGate, type Priority } from './account-gate.js';
import { stripeLimits } from './published-limits.js';

/** Time that stands until it is moved, with the timers that are set on it. */
class Bench {
  nowMs = 0;
  processes = 1;
  readonly share: FairShare;
  readonly log: string[] = [];
  private timers: { atMs: number; work: () => void }[] = [];

  constructor(places = 100) {
    this.share = new FairShare(places);
  }

  gate(perSecond: number | null, endpointPerSecond = perSecond ?? 0, name = 'a'): AccountGate {
    const limits = perSecond === null ? null : { perSecond, endpointPerSecond };
    return new AccountGate(name, limits, {
      nowMs: () => this.nowMs,
      later: (delayMs, work) => {
        const timer = { atMs: this.nowMs + delayMs, work };
        this.timers.push(timer);
        return () => (this.timers = this.timers.filter((each) => each !== timer));
      },
      processes: () => this.processes,
      share: this.share,
    });
  }

  /** Asks for a turn, ends the call at once when it gets one, and notes when that was. */
  ask(
    gate: AccountGate,
    name: string,
    priority: Priority = 'background',
    waitMaxMs = 60_000,
    endpoint = 'confirm',
  ): void {
    void gate.pass(endpoint, priority, waitMaxMs).then((refusedForMs) => {
      this.log.push(`${this.nowMs} ${name}${refusedForMs === null ? '' : ` refused for ${refusedForMs}`}`);
      if (refusedForMs === null) gate.done();
    });
  }

  async moveTo(ms: number): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const [next] = this.timers.sort((a, b) => a.atMs - b.atMs);
      if (!next || next.atMs > ms) break;
      this.timers.shift();
      this.nowMs = next.atMs;
      next.work();
    }
    this.nowMs = ms;
  }
}

describe('a gate', () => {
  it('lets a burst pass, then the rate, in the order in which they came', async () => {
    const bench = new Bench();
    const gate = bench.gate(8);
    for (const name of ['a', 'b', 'c', 'd']) bench.ask(gate, name);
    await bench.moveTo(1_000);
    expect(bench.log).toEqual(['0 a', '0 b', '125 c', '250 d']);
  });

  it('lets requests go before background work that came earlier', async () => {
    const bench = new Bench();
    const gate = bench.gate(4);
    for (const name of ['b1', 'b2', 'b3']) bench.ask(gate, name);
    bench.ask(gate, 'r1', 'request');
    bench.ask(gate, 'r2', 'request');
    await bench.moveTo(2_000);
    expect(bench.log).toEqual(['0 b1', '250 r1', '500 r2', '750 b2', '1000 b3']);
  });

  it('holds each endpoint to its own rate, and one that is spent holds up no other', async () => {
    const bench = new Bench();
    const gate = bench.gate(100, 4);
    bench.ask(gate, 'c1');
    bench.ask(gate, 'c2');
    bench.ask(gate, 'p1', 'background', 60_000, 'pay');
    await bench.moveTo(1_000);
    expect(bench.log).toEqual(['0 c1', '0 p1', '250 c2']);
  });

  it('tells who would wait too long, and for how long', async () => {
    const bench = new Bench();
    const gate = bench.gate(1);
    bench.ask(gate, 'first');
    bench.ask(gate, 'late', 'request', 300);
    await bench.moveTo(2_000);
    expect(bench.log).toEqual(['0 first', '300 late refused for 700']);
  });

  it('stands still while the gateway has asked to wait, and sends those away at once who can not', async () => {
    const bench = new Bench();
    const gate = bench.gate(null);
    gate.pause(5_000);
    bench.ask(gate, 'short', 'request', 2_000);
    bench.ask(gate, 'patient', 'background', 10_000);
    await bench.moveTo(6_000);
    expect(bench.log).toEqual(['0 short refused for 5000', '5000 patient']);
  });

  it('shares its rate with the other processes', async () => {
    const bench = new Bench();
    const gate = bench.gate(20);
    bench.processes = 5;
    for (const name of ['a', 'b', 'c', 'd']) bench.ask(gate, name);
    await bench.moveTo(2_000);
    expect(bench.log).toEqual(['0 a', '250 b', '500 c', '750 d']);
  });

  it('leaves other accounts their places on the wire while its own calls hang', async () => {
    const bench = new Bench(4);
    const hanging = bench.gate(null);
    await Promise.all([hanging.pass('confirm', 'background', 0), hanging.pass('confirm', 'background', 0)]);
    bench.ask(hanging, 'third', 'request', 100);
    bench.ask(bench.gate(null, 0, 'b'), 'other');
    await bench.moveTo(1_000);
    expect(bench.log).toEqual(['0 other', '100 third refused for 250']);
  });

  it('is idle when nobody waits and nothing is owed', async () => {
    const bench = new Bench();
    const gate = bench.gate(4);
    expect(gate.isIdle()).toBe(true);
    bench.ask(gate, 'a');
    await bench.moveTo(100);
    expect(gate.isIdle()).toBe(false);
    await bench.moveTo(250);
    expect(gate.isIdle()).toBe(true);
  });
});

describe('what Stripe allows', () => {
  it.each([
    ['sk_live_1', 80],
    ['rk_live_1', 80],
    ['sk_test_1', 20],
    ['rk_test_1', 20],
  ])('%s: %i a second in all, 20 to one endpoint', (key, perSecond) => {
    expect(stripeLimits(key)).toEqual({ perSecond, endpointPerSecond: 20 });
  });
});

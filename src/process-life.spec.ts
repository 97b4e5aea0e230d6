import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import { Log } from './platform/logging/log.js';
import { endInGoodOrder } from './process-life.js';

/** A process whose signals a test sends and whose end it reads. */
class FakeProcess extends EventEmitter {
  readonly exits: number[] = [];
  exit(code: number): void {
    this.exits.push(code);
  }
}

function living(stop: () => Promise<void>): FakeProcess {
  const fake = new FakeProcess();
  endInGoodOrder(stop, new Log('silent'), fake);
  return fake;
}

describe('endInGoodOrder', () => {
  it.each(['SIGTERM', 'SIGINT'])('stops at %s, then exits 0', async (signal) => {
    const steps: string[] = [];
    const fake = living(async () => {
      await sleep(10);
      steps.push('stopped');
    });
    fake.emit(signal);
    expect(fake.exits).toEqual([]);
    await sleep(30);
    expect([steps, fake.exits]).toEqual([['stopped'], [0]]);
  });

  it('exits at once at a second signal', async () => {
    const fake = living(() => new Promise(() => undefined));
    fake.emit('SIGTERM');
    await sleep(600);
    fake.emit('SIGINT');
    expect(fake.exits).toEqual([130]);
  });

  it('takes a signal that npm forwards at once for the same one, and stops in good order', async () => {
    const fake = living(() => sleep(10).then(() => undefined));
    fake.emit('SIGINT');
    fake.emit('SIGINT');
    await sleep(30);
    expect(fake.exits).toEqual([0]);
  });

  it('exits 1 when stopping fails', async () => {
    const fake = living(() => Promise.reject(new Error('no')));
    fake.emit('SIGTERM');
    await sleep(10);
    expect(fake.exits).toEqual([1]);
  });

  it.each(['unhandledRejection', 'uncaughtException'])('stops everything after an %s, then exits 1', async (event) => {
    let stopped = false;
    const fake = living(async () => {
      await sleep(5);
      stopped = true;
    });
    fake.emit(event, new Error('nobody caught it'));
    await sleep(20);
    expect([stopped, fake.exits]).toEqual([true, [1]]);
  });

  it('stops everything when it is told that it can not go on, then exits 1', async () => {
    const fake = new FakeProcess();
    const lines: string[] = [];
    const log = new Log('fatal', { write: (line) => void lines.push(line) });
    const life = endInGoodOrder(() => sleep(5).then(() => undefined), log, fake);
    life.end('database.gone', { text: 'The embedded PostgreSQL has ended' }, new Error('gone'));
    await sleep(20);
    expect(fake.exits).toEqual([1]);
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 60, event: 'database.gone', text: 'The embedded PostgreSQL has ended' },
    ]);
  });

  it('finishes stopping when something breaks meanwhile, but does not call it a good end', async () => {
    const fake = living(() => sleep(10).then(() => undefined));
    fake.emit('SIGTERM');
    fake.emit('uncaughtException', new Error('late'));
    await sleep(30);
    expect(fake.exits).toEqual([1]);
  });
});

import { syncBuiltinESMExports } from 'node:module';
import timersPromises from 'node:timers/promises';

import type { Timeline } from './timeline.js';

let timeline: Timeline | null = null;

/** The world whose time the product's timers run on from now. One world at a time is played in a thread. */
export function liveIn(next: Timeline): void {
  timeline = next;
}

function now(): Timeline {
  if (!timeline) throw new Error('a timer was set outside any world');
  return timeline;
}

/**
 * Puts virtual time in the place of this thread's timers, before the product is loaded. `setImmediate` stays real.
 * Answers how to put the real ones back.
 */
export function replaceTimers(): () => void {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globalThis;
  const real = { setTimeout, setInterval, clearTimeout, clearInterval };
  const sleep = timersPromises.setTimeout;
  const put = (name: string, value: unknown) =>
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  put('setTimeout', (run: () => void, ms = 0) => now().setTimeout(run, ms));
  put('setInterval', (run: () => void, ms = 0) => now().setInterval(run, ms));
  put('clearTimeout', (timer: unknown) => now().clear(timer));
  put('clearInterval', (timer: unknown) => now().clear(timer));
  putSleep((ms = 0) => now().sleep(ms));
  return () => {
    for (const [name, value] of Object.entries(real)) put(name, value);
    putSleep(sleep);
  };
}

function putSleep(sleep: unknown): void {
  Object.defineProperty(timersPromises, 'setTimeout', { value: sleep, configurable: true, writable: true });
  syncBuiltinESMExports();
}

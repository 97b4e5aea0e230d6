import { parentPort, workerData } from 'node:worker_threads';

import type { Mutation } from './mutation.js';
import type { ShardOrder, WorldReport } from './orders.js';
import { replaceTimers } from './virtual-timers.js';

/** A thread of its own: virtual timers in place of its own, then the product, then one world after the other. */
const { order, mutation } = workerData as { order: ShardOrder; mutation: Mutation | null };
replaceTimers();
if (mutation) {
  const { plant } = await import('./mutation.js');
  plant(mutation);
}
const { World } = await import('./world.js');
const { makeThread } = await import('./thread.js');
const { storyOf } = await import('./story.js');

const thread = makeThread();
for (let index = order.first; index < order.end; index += order.step) {
  const world = new World({ seed: order.seed, index, debts: order.debts, ...setsOf(order) }, thread);
  const { recoveries, hash, violations, fired, states } = await world.play();
  const story = violations.length > 0 ? storyOf(world, violations[0]?.debt ?? null) : [];
  const report: WorldReport = { index, recoveries, hash, violations, fired: [...fired], states: [...states], story };
  parentPort?.postMessage(report);
  if (violations.length > 0 && order.stopsAtFirst) break;
}
parentPort?.close();

function setsOf({ without, off }: ShardOrder) {
  return { without: new Set(without), off: new Set(off) };
}

import { parseArgs } from 'node:util';

import { replaceTimers } from './virtual-timers.js';

replaceTimers();
const { World } = await import('./world.js');
const { makeThread } = await import('./thread.js');
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    worlds: { type: 'string', default: '10' },
    debts: { type: 'string', default: '10' },
    stop: { type: 'boolean', default: false },
  },
});
const thread = makeThread();
const started = performance.now();
let recoveries = 0;
let steps = 0;
const fired = new Map<string, number>();
const states = new Map<string, number>();
const found = new Map<string, number>();
for (let i = Number(values.from); i < Number(values.from) + Number(values.worlds); i++) {
  const world = new World({ seed: Number(values.seed), index: i, debts: Number(values.debts) }, thread);
  const end = await world.play();
  recoveries += end.recoveries;
  steps += end.steps;
  for (const [n, c] of end.fired) fired.set(n, (fired.get(n) ?? 0) + c);
  for (const [n, c] of end.states) states.set(n, (states.get(n) ?? 0) + c);
  for (const v of end.violations.slice(0, 1)) {
    const k = v.invariant;
    found.set(k, (found.get(k) ?? 0) + 1);
    if ((found.get(k) ?? 0) <= 3) console.log(i, JSON.stringify(v), new Date(v.atMs).toISOString());
  }
  if (values.stop && end.violations.length) break;
}
const ms = performance.now() - started;
console.log({
  recoveries,
  ms: Math.round(ms),
  usPer: Math.round((ms * 1000) / recoveries),
  stepsPer: Math.round(steps / recoveries),
});
console.log([...states].join(' '));
console.log([...fired].sort().join('  '));
console.log('violations', [...found]);

import { parseArgs } from 'node:util';

import { FAULTS, type FaultName } from './faults.js';
import { run, type RunEnd, type RunPlan } from './run.js';
import { shrink } from './shrink.js';

const HELP = `npm run sim -- [--seed 42] [--recoveries 1000000] [--threads 2] [--only <world>] [--without 1,2] [--off <fault>,<fault>]

Plays recoveries to their end in virtual time: the real engine over a simulated gateway, store and receivers that lose,
delay, repeat and lie, with processes that are killed and stopped. Every commit, charge and delivery is checked.
The same seed gives the same trace hash. A failure prints a line that plays it again, and the smallest story of it.`;

/** A world's debts: small enough that a failure is a story, and enough that they get in each other's way. */
const DEBTS_PER_WORLD = 10;
/** Each fault must have happened so often in a run of a million. */
const FIRED_MIN = 1_000;
const MILLION = 1_000_000;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '42' },
    recoveries: { type: 'string', default: '1000000' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string' },
    without: { type: 'string', default: '' },
    off: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function planOf(): RunPlan {
  const only = values.only === undefined ? {} : { only: Number(values.only) };
  return {
    seed: Number(values.seed),
    recoveries: Number(values.recoveries),
    debtsPerWorld: DEBTS_PER_WORLD,
    threads: Number(values.threads),
    without: listed(values.without).map(Number),
    off: listed(values.off) as FaultName[],
    ...only,
  };
}

function listed(text: string): string[] {
  return text === '' ? [] : text.split(',');
}

function table(fired: ReadonlyMap<FaultName, number>): string {
  return FAULTS.map((name) => `  ${name.padEnd(30)} ${String(fired.get(name) ?? 0).padStart(10)}`).join('\n');
}

async function tellFound(plan: RunPlan, end: RunEnd): Promise<void> {
  const { found } = end;
  if (!found) return;
  const { world, violation } = found;
  const { invariant, debt, detail, atMs } = violation;
  console.log(
    `\nVIOLATION of ${invariant} in world ${world}, debt ${debt ?? 'none'}, at ${new Date(atMs).toISOString()}: ${detail}`,
  );
  const again = `npm run sim -- --seed ${plan.seed} --recoveries ${plan.recoveries} --only ${world}`;
  console.log(`again:  ${again}`);
  const fired = [...(await run({ ...plan, only: world, threads: 1 })).fired.keys()];
  const { without, off, story } = await shrink({ ...plan, only: world }, violation, fired);
  const left = fired.filter((name) => !off.includes(name));
  console.log(`shrunk: ${again} --without ${without.join(',')} --off ${off.join(',')}`);
  console.log(`        ${DEBTS_PER_WORLD - without.length} debts, with ${left.join(', ') || 'no fault'}\n`);
  console.log((story.length > 0 ? story : found.story).join('\n'));
}

async function main(): Promise<void> {
  const plan = planOf();
  const startedMs = performance.now();
  const seconds = () => ((performance.now() - startedMs) / 1_000).toFixed(0);
  const end = await run(plan, ({ recoveries, worlds }) => {
    if (!values.json) console.log(`${recoveries.toLocaleString('en')} recoveries in ${worlds} worlds, ${seconds()} s`);
  });
  if (values.json) return console.log(JSON.stringify({ ...end, fired: [...end.fired], states: [...end.states] }));
  console.log(`\nseed ${plan.seed}: ${end.recoveries.toLocaleString('en')} recoveries, ${seconds()} s`);
  console.log(`ended: ${[...end.states].map(([state, count]) => `${state} ${count}`).join(', ')}`);
  console.log(`trace hash ${end.hash}\n\nfired:\n${table(end.fired)}`);
  await tellFound(plan, end);
  if (end.found) process.exitCode = 1;
  const seldom = FAULTS.filter((name) => (end.fired.get(name) ?? 0) < FIRED_MIN);
  if (end.recoveries >= MILLION && seldom.length > 0) {
    console.log(`fired less than ${FIRED_MIN} times: ${seldom.join(', ')}`);
    process.exitCode = 1;
  }
  if (!end.found) console.log('\n0 violations');
}

if (values.help) console.log(HELP);
else await main();

import { createHash } from 'node:crypto';
import { Worker } from 'node:worker_threads';

import type { FaultName } from './faults.js';
import type { Violation } from './invariants/violation.js';
import type { Mutation } from './mutation.js';
import type { ShardOrder, WorldReport } from './orders.js';

export interface RunPlan {
  seed: number;
  /** At least so many recoveries are accepted. */
  recoveries: number;
  debtsPerWorld: number;
  threads: number;
  mutation?: Mutation;
  without?: number[];
  off?: FaultName[];
  /** Only this world. */
  only?: number;
}

export interface Found {
  world: number;
  /** Recoveries played before this world, in the order of worlds. */
  recoveriesBefore: number;
  violation: Violation;
  story: string[];
}

export interface RunEnd {
  recoveries: number;
  worlds: number;
  /** Over the hashes of all worlds, in their order. */
  hash: string;
  fired: Map<FaultName, number>;
  states: Map<string, number>;
  found: Found | null;
}

/** Worlds are given out in rounds of so many, so that a run ends soon after it has enough. */
const WORLDS_PER_ROUND = 200;

/** Plays worlds until enough recoveries are accepted, or something is found. The same plan gives the same end. */
export async function run(plan: RunPlan, onRound: (end: RunEnd) => void = () => undefined): Promise<RunEnd> {
  const end: RunEnd = { recoveries: 0, worlds: 0, hash: '', fired: new Map(), states: new Map(), found: null };
  const hash = createHash('sha256');
  const perRound = plan.only === undefined ? roundSize(plan) : 1;
  for (let first = plan.only ?? 0; end.recoveries < plan.recoveries && end.found === null; first += perRound) {
    const reports = await round(plan, first, first + perRound);
    for (const report of reports) {
      hash.update(report.hash);
      take(end, report);
      if (end.found) break;
    }
    onRound(end);
    if (plan.only !== undefined) break;
  }
  return { ...end, hash: hash.digest('hex') };
}

/** Long rounds for long runs: each thread compiles the product anew. */
function roundSize({ recoveries, debtsPerWorld, mutation }: RunPlan): number {
  const needed = Math.ceil(recoveries / debtsPerWorld);
  // Most planted bugs are found at once: a thread stops by itself when it has.
  return mutation ? needed : Math.min(Math.max(WORLDS_PER_ROUND, Math.ceil(needed / 20)), needed);
}

async function round(plan: RunPlan, first: number, end: number): Promise<WorldReport[]> {
  const threads = Math.min(plan.threads, end - first);
  const shards = Array.from({ length: threads }, (_, place) =>
    shard(plan, {
      seed: plan.seed,
      first: first + place,
      end,
      step: threads,
      debts: plan.debtsPerWorld,
      without: plan.without ?? [],
      off: plan.off ?? [],
      stopsAtFirst: true,
    }),
  );
  return (await Promise.all(shards)).flat().sort((a, b) => a.index - b.index);
}

function shard({ mutation = undefined }: RunPlan, order: ShardOrder): Promise<WorldReport[]> {
  return new Promise((resolve, reject) => {
    const reports: WorldReport[] = [];
    const worker = new Worker(new URL('./shard.ts', import.meta.url), {
      workerData: { order, mutation: mutation ?? null },
      execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href],
      // What a mutation breaks may not end by itself.
      resourceLimits: { maxOldGenerationSizeMb: 1_024 },
    });
    worker.on('message', (report: WorldReport) => reports.push(report));
    worker.on('error', reject);
    worker.on('exit', () => resolve(reports));
  });
}

function take(end: RunEnd, { index, recoveries, violations, fired, states, story }: WorldReport): void {
  const [violation] = violations;
  if (violation) end.found = { world: index, recoveriesBefore: end.recoveries, violation, story };
  end.recoveries += recoveries;
  end.worlds++;
  for (const [name, count] of fired) end.fired.set(name, (end.fired.get(name) ?? 0) + count);
  for (const [state, count] of states) end.states.set(state, (end.states.get(state) ?? 0) + count);
}

import { request } from 'undici';

import type { Verification } from '../../src/verify/verifier.service.js';
import { ADMIN_KEY } from '../support/app.js';
import type { ServiceProcess } from '../support/service-process.js';
import { Drill, LOOP_FAULTS, type Cell, type CellResult, type Fault } from './drill.js';
import { cellsOf, LOOP_FAILPOINTS, pointsOf, type Point } from './points.js';
import { STORIES } from './stories.js';
import type { World } from './world.js';

/** Stories held at a failpoint at once: each of them may hold a connection of the database. */
const BATCH = 40;

export interface CrashpointsOptions {
  faults: readonly Fault[];
  /** Only failpoints whose name holds this. */
  only: string;
  /** Told after each batch. */
  onBatch: (results: readonly CellResult[], done: number, all: number) => void;
}

export interface CrashpointsReport {
  points: Point[];
  results: CellResult[];
  /** What `npm run verify` finds at the end; empty when everything holds. */
  offenders: string[];
}

/** Every failpoint that the stories pass, with every fault. */
export async function runCrashpoints(world: World, { faults, only, onBatch }: CrashpointsOptions) {
  const api = await world.start({ REVTAIN_ROLE: 'api' });
  const drill = new Drill(world, api);
  const points = pointsOf(await drill.trace(STORIES)).filter(({ failpoint }) => failpoint.includes(only));
  const batches = faults.flatMap((fault) => batchesOf(cellsOf(points, fault)));
  const groups = LOOP_FAILPOINTS.map((group) => group.filter((failpoint) => failpoint.includes(only)));
  const loops = groups
    .filter((group) => group.length > 0)
    .flatMap((group) => LOOP_FAULTS.filter((fault) => faults.includes(fault)).map((fault) => ({ group, fault })));
  const all = batches.flat().length + loops.flatMap(({ group }) => group).length;
  const results: CellResult[] = [];
  const add = (added: readonly CellResult[]) => {
    results.push(...added);
    onBatch(added, results.length, all);
  };
  for (const batch of batches) add(await drill.run(batch));
  for (const { group, fault } of loops) add(await drill.runLoops(group, fault));
  return { points, results, offenders: await offendersOf(api) } satisfies CrashpointsReport;
}

/** What must hold of the database, and does not. */
export async function offendersOf({ url }: ServiceProcess): Promise<string[]> {
  const { body } = await request(`${url}/api/verify`, { headers: { 'x-admin-key': ADMIN_KEY } });
  const { invariants } = (await body.json()) as Verification;
  return invariants.filter(({ held }) => !held).map(({ name, offenders }) => `${name}: ${JSON.stringify(offenders)}`);
}

function batchesOf(cells: readonly Cell[]): Cell[][] {
  const count = Math.ceil(cells.length / BATCH);
  return Array.from({ length: count }, (_, place) => cells.slice(place * BATCH, (place + 1) * BATCH));
}

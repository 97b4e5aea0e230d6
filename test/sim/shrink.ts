import type { FaultName } from './faults.js';
import type { Violation } from './invariants/violation.js';
import type { RunPlan } from './run.js';
import { run } from './run.js';

export interface Shrunk {
  without: number[];
  off: FaultName[];
  invariant: string;
  story: string[];
}

/** Leaves out debts, then faults, one after the other, as long as the same invariant still breaks of the same debt. */
export async function shrink(
  plan: RunPlan & { only: number },
  { invariant, debt }: Pick<Violation, 'invariant' | 'debt'>,
  fired: FaultName[],
): Promise<Shrunk> {
  const kept: Shrunk = { without: [], off: [], invariant, story: [] };
  const stillBreaks = async (without: number[], off: FaultName[]) => {
    const { found } = await run({ ...plan, threads: 1, without, off });
    if (found?.violation.invariant !== invariant || found.violation.debt !== debt) return false;
    kept.story = found.story;
    return true;
  };
  for (let other = 0; other < plan.debtsPerWorld; other++) {
    const without = [...kept.without, other];
    if (other !== debt && (await stillBreaks(without, kept.off))) kept.without = without;
  }
  for (const name of fired) {
    const off = [...kept.off, name];
    if (await stillBreaks(kept.without, off)) kept.off = off;
  }
  return kept;
}

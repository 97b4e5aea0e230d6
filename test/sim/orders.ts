import type { FaultName } from './faults.js';
import type { Violation } from './invariants/violation.js';

/** Which worlds a thread plays: `first`, and every `step`th before `end`. */
export interface ShardOrder {
  seed: number;
  first: number;
  end: number;
  step: number;
  debts: number;
  without: number[];
  off: FaultName[];
  stopsAtFirst: boolean;
}

/** What became of one world, as it crosses the threads. */
export interface WorldReport {
  index: number;
  recoveries: number;
  hash: string;
  violations: Violation[];
  fired: [FaultName, number][];
  states: [string, number][];
  /** What happened to the debt of the first violation; empty where there is none. */
  story: string[];
}

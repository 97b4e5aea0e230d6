import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type EmbeddedPostgres, startEmbeddedPostgres } from '../src/platform/embedded-postgres/embedded-postgres.js';
import { type Started, stopChild } from './processes.js';

/** Calls that stop what was started, in the order in which it was started. */
export type Stops = (() => Promise<void>)[];

/** A PostgreSQL of the bench's own; nothing of it stays. */
export async function startPostgres(stops: Stops): Promise<EmbeddedPostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), 'revtain-bench-'));
  stops.push(() => Promise.resolve(rmSync(dataDir, { recursive: true, force: true })));
  const postgres = await startEmbeddedPostgres({ dataDir, log: () => undefined });
  stops.push(async () => {
    await postgres.stop();
    rmSync(postgres.folder, { recursive: true, force: true }); // Not always inside the data folder.
  });
  return postgres;
}

/** Has started children stopped in their turn. */
export function registerIn(stops: Stops): (each: Started) => void {
  return ({ child }) => void stops.push(() => stopChild(child));
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
}

/** Runs a bench and stops, also at Ctrl-C, all that it has started. Exit code 1 when it answers false. */
export async function runBench(bench: (stops: Stops) => Promise<boolean>): Promise<void> {
  const stops: Stops = [];
  const stopAll = async () => {
    for (let stop = stops.pop(); stop; stop = stops.pop()) await stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stopAll().finally(() => process.exit(130)));
  }
  try {
    process.exitCode = (await bench(stops)) ? 0 : 1;
  } finally {
    await stopAll();
  }
}

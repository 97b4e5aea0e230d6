import { parseArgs } from 'node:util';

import { SystemClock } from '../src/platform/clock.js';
import { FAILPOINTS } from '../src/failpoints.js';
import { FAULTS, type CellResult, type Fault } from '../test/crash/drill.js';
import { runCrashpoints } from '../test/crash/crashpoints.js';
import { World } from '../test/crash/world.js';
import clusterDown from '../test/support/cluster-down.mjs';
import clusterUp from '../test/support/cluster-up.mjs';

const HELP = `npm run crashpoints -- [--only charge] [--fault kill,cut_after]

Stops real processes at every failpoint of the path that money takes, on a real PostgreSQL and beside a gateway that keeps
a ledger of its own, and does each of these there: ${FAULTS.join(', ')}.
Afterwards another process takes over, and all must agree: at most one success per debt in the gateway's ledger, every story
at its end, one final event for each, the same answer for a repeated call, nothing for npm run verify to find.

  --only   failpoints whose name holds this
  --fault  some of the faults, by commas
Exit code 0 when every cell passed, else 1.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    fault: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const clock = new SystemClock();

async function main(): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  await clusterUp();
  const world = await World.open();
  try {
    const { points, results, offenders } = await runCrashpoints(world, {
      faults: faultsAsked(),
      only: values.only,
      onBatch: (batch, done, all) => {
        console.log(`${done} of ${all} cells, ${((clock.monotonicMs() - startedMs) / 1_000).toFixed(0)} s`);
        for (const cell of batch.filter(({ wrong }) => wrong.length > 0)) console.log(describe(cell));
      },
    });
    const passed = new Set(points.map(({ failpoint }) => failpoint));
    printTable(results);
    console.log(`${points.length} points at ${passed.size} failpoints; ${FAILPOINTS.length} are listed`);
    for (const each of offenders) console.log(`verify: ${each}`);
    return offenders.length === 0 && results.every(({ wrong }) => wrong.length === 0);
  } finally {
    await world.close();
    await clusterDown();
  }
}

function faultsAsked(): Fault[] {
  const asked = values.fault?.split(',') ?? [...FAULTS];
  return asked.map((name) => {
    const found = FAULTS.find((each) => each === name);
    if (!found) throw new Error(`--fault: ${name} is none of ${FAULTS.join(', ')}`);
    return found;
  });
}

function describe({ story, failpoint, nth, fault, wrong }: CellResult): string {
  return `  FAILED ${fault} at ${failpoint}#${nth}, "${story.name}": ${wrong.join('; ')}`;
}

function printTable(results: readonly CellResult[]): void {
  console.log('\nfault        cells  reached  failed  takeover p50 / max');
  for (const fault of FAULTS) {
    const cells = results.filter((each) => each.fault === fault);
    if (cells.length === 0) continue;
    const taken = cells.flatMap(({ takeoverMs }) => (takeoverMs === null ? [] : [takeoverMs])).sort((a, b) => a - b);
    const seconds = (ms: number | undefined) => (ms === undefined ? '-' : `${(ms / 1_000).toFixed(1)} s`);
    const columns = [
      fault.padEnd(11),
      String(cells.length).padStart(6),
      String(cells.filter(({ reached }) => reached).length).padStart(8),
      String(cells.filter(({ wrong }) => wrong.length > 0).length).padStart(7),
      `  ${seconds(taken[taken.length >> 1])} / ${seconds(taken.at(-1))}`,
    ];
    console.log(columns.join(' '));
  }
}

if (values.help) console.log(HELP);
else process.exitCode = (await main()) ? 0 : 1;

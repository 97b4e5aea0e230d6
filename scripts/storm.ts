import { parseArgs } from 'node:util';

import { Storm } from '../test/chaos/storm.js';
import clusterDown from '../test/support/cluster-down.mjs';
import clusterUp from '../test/support/cluster-up.mjs';

const HELP = `npm run storm -- [--keys 1000] [--parallel 100] [--kills 10] [--seed 7]

Executes under idempotency keys, many at once under each, at two processes of which one is killed now and then. Afterwards
there must be one recovery and one charge for each key, and every caller must have been told the same, byte for byte.
Exit code 0 when it is so, else 1.`;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000' },
    parallel: { type: 'string', default: '100' },
    kills: { type: 'string', default: '10' },
    seed: { type: 'string', default: '7' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<boolean> {
  await clusterUp();
  try {
    const [keys, parallel] = [Number(values.keys), Number(values.parallel)];
    const drawn = { seed: Number(values.seed), kills: Number(values.kills) };
    const report = await Storm.run({ keys, parallel, ...drawn, tell: console.log });
    console.log({ ...report, contradictions: report.contradictions.map((each) => each.slice(0, 300)) });
    const { recoveries, collected, doubled, contradictions, offenders } = report;
    return recoveries === keys && collected === keys && doubled + contradictions.length + offenders.length === 0;
  } finally {
    await clusterDown();
  }
}

if (values.help) console.log(HELP);
else process.exitCode = (await main()) ? 0 : 1;

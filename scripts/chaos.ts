import { parseArgs } from 'node:util';

import { brokenPromises, Chaos } from '../test/chaos/chaos.js';
import clusterDown from '../test/support/cluster-down.mjs';
import clusterUp from '../test/support/cluster-up.mjs';

const HELP = `npm run chaos -- [--seed 7] [--minutes 5]

Two API and two worker processes on a PostgreSQL of their own, under load. The whole time one of the four is killed
(SIGKILL) as soon as the last victim is ready again, up to 2 s after; the postmaster is killed every 10 s; one reply or request
in ten to the gateway is lost; three webhooks in ten fail. Merchants repeat each call until it is answered.
Then everything comes to rest, and the gateway's ledger, the database and the receiver's log must agree: nothing that was
acknowledged is lost, no debt collected twice, each recovery has one end, told once. The seed sets who dies, not when.
Exit code 0 when all of it holds, else 1.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '7' },
    minutes: { type: 'string', default: '5' },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<boolean> {
  await clusterUp();
  try {
    const durationMs = Number(values.minutes) * 60_000;
    const report = await Chaos.run({ seed: Number(values.seed), durationMs, tell: console.log });
    const broken = brokenPromises(report);
    const { lost, double, ends, disagreeing, contradictions, offenders, ...counts } = report;
    console.log(counts);
    const found = { lost, double, ends, disagreeing, contradictions, offenders };
    console.log(Object.fromEntries(Object.entries(found).map(([name, list]) => [name, list.length])));
    for (const line of broken) console.log(line);
    return broken.length === 0;
  } finally {
    await clusterDown();
  }
}

if (values.help) console.log(HELP);
else process.exitCode = (await main()) ? 0 : 1;

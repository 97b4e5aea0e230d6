import { parseArgs } from 'node:util';

import { MUTANTS } from './mutants.js';
import type { Mutation } from './mutation.js';
import { run } from './run.js';

const HELP = `npm run sim:mutants -- [--seed 42] [--recoveries 10000] [--only <text>] [--skip <count>]

Plants one bug after the other and tells after how many recoveries the simulation finds it, and by which invariant.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '42' },
    recoveries: { type: 'string', default: '10000' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string', default: '' },
    skip: { type: 'string', default: '0' },
    help: { type: 'boolean', default: false },
  },
});

/** Answers whether it was found. */
async function hunt(mutation: Mutation): Promise<boolean> {
  const end = await run({
    seed: Number(values.seed),
    recoveries: Number(values.recoveries),
    debtsPerWorld: 10,
    // One thread each, so that it ends where the bug is found; other bugs are hunted beside it.
    threads: 1,
    mutation,
  });
  const { found } = end;
  const after = found ? `found after ${String(found.recoveriesBefore).padStart(6)}` : 'NOT FOUND         ';
  console.log(`${mutation.name.padEnd(52)} ${after}  ${found?.violation.invariant ?? ''}`);
  return found !== null;
}

if (values.help) console.log(HELP);
else {
  const chosen = MUTANTS.slice(Number(values.skip)).filter(({ name }) => name.includes(values.only));
  const waiting = [...chosen];
  let found = 0;
  const hunter = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) if (await hunt(next)) found++;
  };
  await Promise.all(Array.from({ length: Number(values.threads) }, hunter));
  console.log(`\n${found} of ${chosen.length} found`);
  if (found < chosen.length) process.exitCode = 1;
}

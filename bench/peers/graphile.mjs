// graphile-worker, as its documentation has it for throughput: jobs fetched ahead, completions written together.
import { createInterface } from 'node:readline';

import { run } from 'graphile-worker';

import { openCollector } from './collect.mjs';

const options = JSON.parse(process.argv[2]);
const { collect, pool, close } = openCollector(options);
const runner = await run({
  pgPool: pool,
  noHandleSignals: true,
  pollInterval: 100,
  concurrency: options.inFlight,
  taskList: { collect },
  preset: { worker: { localQueue: { size: options.inFlight }, completeJobBatchDelay: 0 } },
});
console.log('ready now\n');

const ADD = `SELECT graphile_worker.add_job('collect', json_build_object('clientId', r.client_id, 'id', r.id),
  run_at := coalesce(b.due_at, now())) FROM recoveries r LEFT JOIN bench_due b ON b.id = r.id WHERE r.id = ANY ($1)`;
for await (const line of createInterface({ input: process.stdin })) {
  const { ids } = JSON.parse(line);
  await pool.query(ADD, [ids]);
}
await runner.stop();
await close();
process.exit(0);

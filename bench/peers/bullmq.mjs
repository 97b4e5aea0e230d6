// BullMQ on a Redis that writes its log every second, as its documentation recommends.
import { createInterface } from 'node:readline';

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

import { openCollector } from './collect.mjs';

const options = JSON.parse(process.argv[2]);
const { collect, pool, close } = openCollector(options);
const connect = () => new Redis({ host: '127.0.0.1', port: options.redisPort, maxRetriesPerRequest: null });
const queue = new Queue('collect', { connection: connect() });
const worker = new Worker('collect', (job) => collect(job.data), {
  connection: connect(),
  concurrency: options.inFlight,
  removeOnComplete: { count: 0 },
});
worker.on('error', (error) => {
  throw error;
});
worker.on('failed', (_job, error) => console.error(error));
console.log('ready now\n');

const FIND = `SELECT r.client_id AS "clientId", r.id, b.due_at FROM recoveries r LEFT JOIN bench_due b ON b.id = r.id
  WHERE r.id = ANY ($1)`;
for await (const line of createInterface({ input: process.stdin })) {
  const { ids } = JSON.parse(line);
  const { rows } = await pool.query(FIND, [ids]);
  const jobs = rows.map(({ clientId, id, due_at: dueAt }) => ({
    name: 'collect',
    data: { clientId, id },
    opts: dueAt === null ? {} : { delay: Math.max(0, dueAt.getTime() - Date.now()) },
  }));
  await queue.addBulk(jobs);
}
await worker.close();
await queue.close();
await close();
process.exit(0);

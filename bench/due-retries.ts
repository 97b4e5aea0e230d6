import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

import { cpuMs, peakMemoryMib, startScript } from './processes.js';
import { type RetrySide, type RetrySideName, SIDES, startSide } from './retry-sides.js';
import { median, registerIn, runBench, startPostgres, type Stops } from './runner.js';

const HELP = `npm run bench:retries -- [--part rate|waiting|lateness|slow] [--retries 1500] [--rounds 3] [--in-flight 64]

Due retries: claim, make the payment, charge it, settle. Revtain's worker against graphile-worker and BullMQ (Redis, appendfsync
everysec) whose jobs write the same rows to the same PostgreSQL and call the same stub gateway with the same client.

  rate      retries a second, in turns                                          (goal: 2 x graphile-worker, 3 x BullMQ)
  waiting   the same beside 1,000,000 recoveries that are not due               (goal: 0.9 of the empty rate)
  lateness  200 fall due each second: how late is each charge opened            (goal: half of BullMQ's p99)
  slow      a gateway that takes 200 ms for each of the two calls, 128 at once  (goal: 0.95 of 320 a second)

Needs redis-server; the peers are installed in bench/node_modules. Exit code 1 when a goal is missed.`;

const WARM_UP = 600;
const WAITING = 1_000_000;
const DUE_PER_SECOND = 200;
const LATENESS_SECONDS = 15;
const SLOW_MS = 200;
const SLOW_IN_FLIGHT = 128;
const CALLS_PER_RETRY = 2;
const FINISH_MS = 120_000;

const PARTS = ['rate', 'waiting', 'lateness', 'slow'] as const;
type Part = (typeof PARTS)[number];

interface Options {
  part: Part;
  retries: number;
  rounds: number;
  inFlight: number;
}

/** Retries a second, from the first that was collected to the last. */
async function rateOf(side: RetrySide, retries: number): Promise<number> {
  const ids = await side.seed(retries);
  const before = cpuOf(side);
  await side.fire(ids);
  await finished(side, ids);
  const perRetry = cpuOf(side).map((ms, place) => ((ms - (before[place] ?? 0)) / retries).toFixed(1));
  console.log(`  ${side.name}: CPU per retry ${perRetry[0]} ms in the worker, ${perRetry[1]} ms in PostgreSQL`);
  const { rows } = await side.rows.query<{ seconds: number }>(
    `SELECT extract(epoch FROM max(recovered_at) - min(recovered_at))::float8 AS seconds FROM recoveries WHERE id = ANY ($1)`,
    [ids],
  );
  return (retries - 1) / (rows[0]?.seconds ?? NaN);
}

function cpuOf({ pid, postgresPid }: RetrySide): number[] {
  return [cpuMs(pid), cpuMs(postgresPid, true)];
}

async function finished(side: RetrySide, ids: readonly string[]): Promise<void> {
  for (let waitedMs = 0; waitedMs < FINISH_MS; waitedMs += 100) {
    // By the index of what is due, and each is looked at only at the end: the look must not cost what is measured.
    const { rows } = await side.rows.query<{ due: boolean }>(
      `SELECT EXISTS (SELECT FROM recoveries WHERE due_at < now() + interval '9 days' AND NOT is_test) AS due`,
    );
    if (rows[0]?.due === false) return allCollected(side, ids);
    await sleep(100);
  }
  throw new Error(`${side.name} did not finish`);
}

async function allCollected(side: RetrySide, ids: readonly string[]): Promise<void> {
  const { rows } = await side.rows.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM recoveries WHERE id = ANY ($1) AND state <> 'succeeded'`,
    [ids],
  );
  if (rows[0]?.left !== 0) throw new Error(`${side.name} has not collected ${rows[0]?.left}`);
}

/** Rounds in turns, for a machine's speed drifts: the ratio inside a round counts. */
async function compareRates(sides: readonly RetrySide[], { retries, rounds }: Options): Promise<boolean> {
  const ratios: Record<string, number[]> = { graphile: [], bullmq: [] };
  for (let round = 1; round <= rounds; round++) {
    const rates = new Map<RetrySideName, number>();
    for (const side of round % 2 === 1 ? sides : [...sides].reverse())
      rates.set(side.name, await rateOf(side, retries));
    for (const [name, list] of Object.entries(ratios))
      list.push((rates.get('revtain') ?? NaN) / (rates.get(name as RetrySideName) ?? NaN));
    console.log(`round ${round}  ${[...rates].map(([name, rate]) => `${name} ${rate.toFixed(0)}/s`).join('  ')}`);
  }
  const [graphile, bullmq] = [median(ratios['graphile'] ?? []), median(ratios['bullmq'] ?? [])];
  console.log(
    `revtain : graphile-worker ${graphile.toFixed(2)} (goal 2), revtain : BullMQ ${bullmq.toFixed(2)} (goal 3)`,
  );
  return graphile >= 2 && bullmq >= 3;
}

async function besideWaiting(side: RetrySide, { retries, rounds }: Options): Promise<boolean> {
  const rate = async () => {
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) rates.push(await rateOf(side, retries));
    return median(rates);
  };
  const empty = await rate();
  const columns = await side.rows.query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns WHERE table_name = 'recoveries'`,
  );
  const own: Record<string, string> = {
    id: `lpad(n::text, 26, '0')`,
    debt_name: `'waiting-' || n`,
    reference: `'waiting-' || n`,
    idempotency_key: 'NULL',
    due_at: `now() + interval '10 days' + n * interval '1 second'`,
    token_hash: `sha256(n::text::bytea)`,
    card_fingerprint: `'fp_' || n`,
  };
  const names = columns.rows.map(({ name }) => name);
  const [model] = await side.seed(1);
  console.log(`adding ${WAITING.toLocaleString('en')} that wait …`);
  await side.rows.query(
    `INSERT INTO recoveries (${names.join(', ')}) SELECT ${names.map((name) => own[name] ?? `r.${name}`).join(', ')}
     FROM recoveries r, generate_series(1, ${WAITING}) n WHERE r.id = $1`,
    [model],
  );
  await side.rows.query('VACUUM ANALYZE recoveries');
  const full = await rate();
  console.log(
    `empty ${empty.toFixed(0)}/s, beside the waiting ${full.toFixed(0)}/s: ${(full / empty).toFixed(2)} (goal 0.9)`,
  );
  return full / empty >= 0.9;
}

/** How late the charge of each is opened, p99 in ms. */
async function latenessOf(side: RetrySide): Promise<number> {
  const ids = await side.seed(DUE_PER_SECOND * LATENESS_SECONDS);
  const everyMs = 1_000 / DUE_PER_SECOND;
  await side.rows.query(
    `INSERT INTO bench_due SELECT id, now() + interval '3 seconds' + place * ${everyMs} * interval '1 millisecond'
     FROM unnest($1::text[]) WITH ORDINALITY AS given (id, place)`,
    [ids],
  );
  await side.fire(ids);
  await finished(side, ids);
  const { rows } = await side.rows.query<{ p50: number; p99: number }>(
    `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY late) AS p50, percentile_cont(0.99) WITHIN GROUP (ORDER BY late) AS p99
     FROM (SELECT extract(epoch FROM a.opened_at - b.due_at)::float8 * 1000 AS late
           FROM attempts a JOIN bench_due b ON b.id = a.recovery_id WHERE a.recovery_id = ANY ($1)) each`,
    [ids],
  );
  const { p50, p99 } = rows[0] ?? { p50: NaN, p99: NaN };
  console.log(`${side.name}: late by ${p50.toFixed(1)} ms (p50), ${p99.toFixed(1)} ms (p99)`);
  return p99;
}

async function compareLateness(sides: readonly RetrySide[]): Promise<boolean> {
  const late = new Map<RetrySideName, number>();
  for (const side of sides) late.set(side.name, await latenessOf(side));
  const share = (late.get('revtain') ?? NaN) / (late.get('bullmq') ?? NaN);
  console.log(`p99 of revtain : BullMQ ${share.toFixed(2)} (goal 0.5)`);
  return share <= 0.5;
}

async function behindSlowGateway(side: RetrySide, retries: number): Promise<boolean> {
  const ceiling = SLOW_IN_FLIGHT / ((CALLS_PER_RETRY * SLOW_MS) / 1_000);
  const rate = await rateOf(side, retries);
  console.log(`${rate.toFixed(0)}/s of ${ceiling.toFixed(0)}/s: ${(rate / ceiling).toFixed(2)} (goal 0.95)`);
  return rate / ceiling >= 0.95;
}

async function bench(options: Options, stops: Stops): Promise<boolean> {
  const { part } = options;
  const postgres = await startPostgres(stops);
  const slow = part === 'slow';
  const gateway = await startScript(
    './stub-gateway.js',
    { STUB_DELAY_MS: slow ? String(SLOW_MS) : '0' },
    /ready (\d+)\n/,
  );
  registerIn(stops)(gateway);
  const scenery = {
    adminUrl: postgres.connectionString,
    postgresPid: postgres.pid,
    stub: `http://127.0.0.1:${gateway.said}`,
    inFlight: slow ? SLOW_IN_FLIGHT : options.inFlight,
    stops,
  };
  const names = part === 'waiting' || slow ? (['revtain'] as const) : SIDES;
  const sides: RetrySide[] = [];
  for (const name of names) sides.push(await startSide(name, scenery));
  for (const side of sides) await rateOf(side, WARM_UP);
  const [ours] = sides as [RetrySide];
  const before = peakMemoryMib(ours.pid);
  const held = await measured(part, sides, ours, options);
  console.log(
    `peak memory of the worker: ${before ?? '?'} MiB after the warm-up, ${peakMemoryMib(ours.pid) ?? '?'} MiB at the end`,
  );
  return held;
}

function measured(part: Part, sides: readonly RetrySide[], ours: RetrySide, options: Options): Promise<boolean> {
  switch (part) {
    case 'rate':
      return compareRates(sides, options);
    case 'waiting':
      return besideWaiting(ours, options);
    case 'lateness':
      return compareLateness(sides);
    case 'slow':
      return behindSlowGateway(ours, options.retries * 2);
  }
}

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: { part: text, retries: text, rounds: text, 'in-flight': text, help: { type: 'boolean' } },
});
const part = PARTS.find((each) => each === (values.part ?? 'rate'));
if (values.help || !part) {
  console.log(HELP);
} else {
  const numbers = { retries: Number(values.retries ?? 1_500), rounds: Number(values.rounds ?? 3) };
  await runBench((stops) => bench({ part, ...numbers, inFlight: Number(values['in-flight'] ?? 64) }, stops));
}

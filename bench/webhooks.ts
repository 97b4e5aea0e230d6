import { parseArgs } from 'node:util';

import { cpuMs, startScript } from './processes.js';
import { median, registerIn, runBench, startPostgres, type Stops } from './runner.js';
import { analyze, createDatabase } from './sides.js';
import { axiosSide, ENDPOINTS, LANES, poolSide, revtainSide, type Send } from './webhook-sides.js';

const HELP = `npm run bench:webhooks -- [--seconds 2] [--rounds 7] [--count 20000]

Webhooks per second: Revtain, which claims each from PostgreSQL, looks whether it is still true, signs, posts and marks it,
against three that only sign and post the same headers and as long a body, and store nothing: a plain loop that awaits one axios call after the other, a bare pool
of undici, which is as fast as Node sends, and for comparison axios with many calls at once. The last two and Revtain have
${LANES} requests on the wire (Revtain: 8 to each of ${ENDPOINTS} endpoints), one process each, and one receiver. They take turns
within each round, because a machine's speed drifts: the ratio inside a round counts. Exit code 1 when a median is below its mark.
`;
const LOOP_RATIO_MUST = 4;
const POOL_RATIO_MUST = 0.55;

interface Options {
  seconds: number;
  rounds: number;
  count: number;
}

const NAMES = ['revtain', 'axios', 'pool', 'loop'] as const;
type Name = (typeof NAMES)[number];
type Ratios = Record<'axios' | 'pool' | 'loop', number[]>;

function say(text: string): void {
  console.log(text);
}

async function setUp(stops: Stops): Promise<Record<Name, Send>> {
  say('starting PostgreSQL, the receiver and the service …');
  const postgres = await startPostgres(stops);
  const register = registerIn(stops);
  const receiver = await startScript('./webhook-receiver.js', {}, /ready (\d+)\n/);
  register(receiver);
  const url = `http://127.0.0.1:${receiver.said}`;
  const databaseUrl = await createDatabase(postgres.connectionString, 'bench_webhooks');
  const others = {
    PostgreSQL: () => cpuMs(postgres.pid, true),
    receiver: () => cpuMs(receiver.child.pid ?? 0),
  };
  const revtain = await revtainSide(databaseUrl, url, { register, stops, others, say });
  return {
    revtain: async (amount) => {
      const rate = await revtain(amount);
      await analyze(databaseUrl);
      return rate;
    },
    axios: axiosSide(url, LANES),
    loop: axiosSide(url, 1),
    pool: poolSide(url, stops),
  };
}

/** Whoever goes second finds a warmer machine: the order turns with each round. */
async function compare(sides: Record<Name, Send>, options: Options): Promise<Ratios> {
  const ratios: Ratios = { axios: [], pool: [], loop: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    const rates = { revtain: 0, axios: 0, pool: 0, loop: 0 };
    for (let turn = 0; turn < NAMES.length; turn += 1) {
      const name = NAMES[(round + turn) % NAMES.length] ?? 'revtain';
      rates[name] = await sides[name](options);
    }
    for (const name of ['axios', 'pool', 'loop'] as const) ratios[name].push(rates.revtain / rates[name]);
    const shown = NAMES.map((name) => `${name} ${rates[name].toFixed(0).padStart(6)}/s`).join('  ');
    say(
      `round ${round + 1}  ${shown}  to the loop ${ratios.loop.at(-1)?.toFixed(2)}  to the pool ${ratios.pool.at(-1)?.toFixed(2)}`,
    );
  }
  return ratios;
}

/** Measures everything and prints it. Returns whether the ratios are what they must be. */
async function bench(options: Options, stops: Stops): Promise<boolean> {
  const sides = await setUp(stops);
  say(`warming up, then ${options.rounds} rounds …`);
  for (const name of [...NAMES, 'revtain'] as const) await sides[name](options);
  const ratios = await compare(sides, options);
  const [toLoop, toPool] = [median(ratios.loop), median(ratios.pool)];
  say('');
  say(`ratio to an axios loop, median of the rounds ${toLoop.toFixed(2)}   (must be >= ${LOOP_RATIO_MUST})`);
  say(`ratio to the pool, median of the rounds      ${toPool.toFixed(2)}   (must be >= ${POOL_RATIO_MUST})`);
  say(`ratio to axios with ${LANES} calls at once       ${median(ratios.axios).toFixed(2)}   (for comparison)`);
  return toLoop >= LOOP_RATIO_MUST && toPool >= POOL_RATIO_MUST;
}

/** @throws when an option is no positive whole number. */
function readOptions(): Options | null {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { seconds: text, rounds: text, count: text, help: { type: 'boolean' } },
  });
  if (values.help) return null;
  const number = (name: keyof Options, otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`);
    return value;
  };
  return { seconds: number('seconds', 2), rounds: number('rounds', 7), count: number('count', 20_000) };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return say(HELP);
  await runBench((stops) => bench(options, stops));
}

await main();

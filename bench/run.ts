import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { demandSameWork, type Work, webhooksOf, workOf } from './fairness.js';
import { load, type Measured } from './load.js';
import { cpuMs, peakMemoryMib, startScript } from './processes.js';
import { median, registerIn, runBench, startPostgres, type Stops } from './runner.js';
import { analyze, createDatabase, type Side, type SideName, startNaive, startRevtain } from './sides.js';

const HELP = `npm run bench -- [--seconds 3] [--rounds 9] [--connections 32] [--delivering]

POST /execute per second: Revtain against a naive Nest + Express + TypeORM service that stores the same rows and makes the
same gateway calls with the same SDK. Both run on one PostgreSQL and one stub gateway, and take turns within each short
round, because a machine's speed drifts: the ratio inside a round counts, not the rates of two runs. Revtain runs as an API
process; with --delivering it delivers the webhooks meanwhile, in the same process, which the naive one never does.
Before that, the decisions a second of the core alone, on one core (npm run bench:decisions). Exit code 1 when the ratio is
below 2, the decisions are below 500,000 a second, or the work was not the same.
`;
const RATIO_MUST = 2;
const RATIO_GOAL = 3;
const MEMORY_GOAL_MIB = 250;
const WARM_UP_SECONDS = 8;
/** How long one connection executes before rows and calls are counted, and anything is measured. */
const CHECKED_SECONDS = 0.3;

interface Options {
  seconds: number;
  rounds: number;
  connections: number;
  delivering: boolean;
}

interface Scene {
  sides: Record<SideName, Side>;
  stub: string;
  postgresPid: number;
}

interface Round extends Measured {
  /** CPU time of the service, and of PostgreSQL, per execute in microseconds. */
  serviceCpuUs: number;
  databaseCpuUs: number;
}

function say(text: string): void {
  console.log(text);
}

/** Starts everything; `stops` gets how to stop it, step by step, so that a failure in between leaves nothing behind. */
async function setUp({ delivering }: Options, stops: Stops): Promise<Scene> {
  say('starting PostgreSQL, the stub gateway and both services …');
  const postgres = await startPostgres(stops);
  const register = registerIn(stops);
  const gateway = await startScript('./stub-gateway.js', {}, /ready (\d+)\n/);
  register(gateway);
  const stub = `http://127.0.0.1:${gateway.said}`;
  const { connectionString, pid } = postgres;
  const role = delivering ? 'all' : 'api';
  const revtain = await startRevtain(role, await createDatabase(connectionString, 'bench_revtain'), stub, register);
  const naive = await startNaive(await createDatabase(connectionString, 'bench_naive'), stub, register);
  return { sides: { revtain, naive }, stub, postgresPid: pid };
}

/** Proves on a short run that both sides do the same work, and returns what that is. */
async function checkWork({ sides, stub }: Scene): Promise<Work> {
  const works: Work[] = [];
  for (const side of [sides.revtain, sides.naive]) {
    await load(side, CHECKED_SECONDS, 1);
    works.push(await workOf(side, stub));
  }
  const [ours, naive] = works as [Work, Work];
  demandSameWork(ours, naive);
  return ours;
}

async function measure(scene: Scene, side: Side, { seconds, connections }: Options): Promise<Round> {
  const cpuNow = () => [cpuMs(side.pid), cpuMs(scene.postgresPid, true)] as const;
  const [serviceBefore, databaseBefore] = cpuNow();
  const measured = await load(side, seconds, connections);
  const [serviceAfter, databaseAfter] = cpuNow();
  const perExecuteUs = (ms: number) => (ms * 1_000) / measured.executes;
  return {
    ...measured,
    serviceCpuUs: perExecuteUs(serviceAfter - serviceBefore),
    databaseCpuUs: perExecuteUs(databaseAfter - databaseBefore),
  };
}

function line(round: number, name: string, each: Round): string {
  const [p50, p99] = [each.p50Ms.toFixed(1), each.p99Ms.toFixed(1)];
  const cpu = `CPU per execute: service ${each.serviceCpuUs.toFixed(0)} us, PostgreSQL ${each.databaseCpuUs.toFixed(0)} us`;
  return `round ${round}  ${name.padEnd(8)}${each.perSecond.toFixed(0).padStart(6)} executes/s  p50 ${p50} ms  p99 ${p99} ms  ${cpu}`;
}

/** Whoever goes second finds a warmer machine: the order changes with each round. */
async function compare(scene: Scene, options: Options): Promise<number[]> {
  const ratios: number[] = [];
  for (let round = 1; round <= options.rounds; round++) {
    const order: SideName[] = round % 2 === 1 ? ['revtain', 'naive'] : ['naive', 'revtain'];
    const rates = { revtain: 0, naive: 0 };
    for (const name of order) {
      const measured = await measure(scene, scene.sides[name], options);
      rates[name] = measured.perSecond;
      say(line(round, name, measured));
    }
    ratios.push(rates.revtain / rates.naive);
    say(`round ${round}  ratio ${ratios.at(-1)?.toFixed(2) ?? ''}`);
  }
  return ratios;
}

/** The core alone, in a process of its own. Returns whether it is as fast as it must be. */
function benchDecisions(): boolean {
  const script = fileURLToPath(new URL('../../bench/decisions.mjs', import.meta.url));
  return spawnSync(process.execPath, [script], { stdio: 'inherit' }).status === 0;
}

/** Measures everything and prints it. Returns whether the ratio is what it must be. */
async function bench(options: Options, stops: Stops): Promise<boolean> {
  const scene = await setUp(options, stops);
  const { revtain, naive } = scene.sides;
  const work = await checkWork(scene);
  say(`same work on both sides, per execute: rows ${JSON.stringify(work.rows)}, calls ${JSON.stringify(work.calls)}`);
  say(`warming up for ${WARM_UP_SECONDS} s each, then ${options.rounds} rounds of ${options.seconds} s each …`);
  for (const side of [revtain, naive]) {
    await load(side, WARM_UP_SECONDS, options.connections);
    await analyze(side.databaseUrl);
  }

  const ratio = median(await compare(scene, options));
  const memory = (side: Side) => `${peakMemoryMib(side.pid) ?? 'unknown'} MiB`;
  say('');
  say(`ratio, median of the rounds   ${ratio.toFixed(2)}   (must be >= ${RATIO_MUST}, goal >= ${RATIO_GOAL})`);
  say(`peak memory of the service    ${memory(revtain)}   (goal <= ${MEMORY_GOAL_MIB} MiB; naive ${memory(naive)})`);
  say(`webhooks delivered meanwhile  ${await webhooksOf('revtain', scene.stub)}`);
  return ratio >= RATIO_MUST;
}

/** @throws when an option is no positive whole number. */
function readOptions(): Options | null {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: { seconds: text, rounds: text, connections: text, delivering: flag, help: flag },
  });
  if (values.help) return null;
  const number = (name: 'seconds' | 'rounds' | 'connections', otherwise: number) => {
    const value = Number(values[name] ?? otherwise);
    if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} takes a whole number from 1`);
    return value;
  };
  const delivering = values.delivering ?? false;
  return {
    seconds: number('seconds', 3),
    rounds: number('rounds', 9),
    connections: number('connections', 32),
    delivering,
  };
}

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return say(HELP);
  await runBench(async (stops) => {
    const isDeciding = benchDecisions();
    return (await bench(options, stops)) && isDeciding;
  });
}

await main();

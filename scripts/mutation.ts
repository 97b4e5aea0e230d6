import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/**
 * Mutation tests of the decision core, file by file: the file is changed bit by bit, and each change must fail one of its
 * own specs. A change that only a spec elsewhere would find counts as survived. Where a file's specs are not just the one
 * beside it, they stand here.
 */
const SPECS: Readonly<Record<string, string[]>> = {
  decide: ['decide', 'held-charge'],
  'decision-table': ['decision-page'],
  'limit-tables': ['network-limits'],
  signals: ['signals', 'decline'],
  'table-file': ['tables'],
  'weighed-rules': ['explain'],
  wording: ['advice'],
};

/** Types and constants only: nothing to change. */
const WITHOUT_LOGIC = 'facts';

const REPORT = 'coverage/mutation/report.json';
const SCORE_MIN = 90;

const HELP = `npm run mutation -- [file …]

Files of src/recovery by their names, such as decide or network-limits; all of them when none is named, in about ten minutes
of one quiet core. What was found is kept under coverage/mutation, so that a second run tests only what changed.`;

interface Score {
  killed: number;
  timedOut: number;
  survived: number;
}

/** Statuses of the mutation report's schema. @see https://github.com/stryker-mutator/mutation-testing-elements */
interface Report {
  files: Record<string, { mutants: { status: string }[] }>;
}

function run(file: string): Score {
  const specs = SPECS[file] ?? [file];
  const args = ['--mutate', `src/recovery/${file}.ts`, '--incrementalFile', `coverage/mutation/${file}.json`];
  const tests = ['--testFiles', specs.map((spec) => `src/recovery/${spec}.spec.ts`).join(',')];
  const { status } = spawnSync('npx', ['stryker', 'run', ...args, ...tests], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${file} could not be tested`);
  const { files } = JSON.parse(readFileSync(REPORT, 'utf8')) as Report;
  return scoreOf(Object.values(files).flatMap(({ mutants }) => mutants));
}

function scoreOf(mutants: { status: string }[]): Score {
  const count = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status)).length;
  return { killed: count('Killed'), timedOut: count('Timeout'), survived: count('Survived', 'NoCoverage') };
}

function line(name: string, { killed, timedOut, survived }: Score): string {
  const share = (100 * (killed + timedOut)) / Math.max(1, killed + timedOut + survived);
  return `${name.padEnd(16)} ${share.toFixed(1).padStart(5)} %  ${killed} killed, ${timedOut} timed out, ${survived} survived`;
}

function files(): string[] {
  const sources = readdirSync('src/recovery').filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'));
  return sources.map((name) => name.slice(0, -'.ts'.length)).filter((name) => name !== WITHOUT_LOGIC);
}

function sumOf(scores: Iterable<Score>): Score {
  const total: Score = { killed: 0, timedOut: 0, survived: 0 };
  for (const { killed, timedOut, survived } of scores) {
    total.killed += killed;
    total.timedOut += timedOut;
    total.survived += survived;
  }
  return total;
}

const { values, positionals } = parseArgs({ options: { help: { type: 'boolean' } }, allowPositionals: true });
const known = files();
const unknown = positionals.filter((name) => !known.includes(name));
if (values.help === true || unknown.length > 0) {
  console.log(unknown.length > 0 ? `No file of src/recovery: ${unknown.join(', ')}\n\n${HELP}` : HELP);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const scores = new Map((positionals.length > 0 ? positionals : known).map((file) => [file, run(file)]));
  const total = sumOf(scores.values());
  for (const [file, score] of [...scores, ['all', total] as const]) console.log(line(file, score));
  const detected = total.killed + total.timedOut;
  if (detected < (SCORE_MIN / 100) * (detected + total.survived)) process.exitCode = 1;
}

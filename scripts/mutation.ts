import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/**
 * Mutation tests of the decision core, group by group: each group's files are changed bit by bit, and each change must
 * fail one of the group's own specs. A change that only a spec elsewhere would find counts as survived.
 */
const GROUPS: Readonly<Record<string, { files: string[]; specs: string[] }>> = {
  small: { files: ['money', 'looks', 'payday'], specs: ['money', 'looks', 'payday'] },
  days: { files: ['bank-days', 'blackout', 'local-time'], specs: ['bank-days', 'blackout', 'local-time'] },
  limits: { files: ['network-limits', 'limit-tables'], specs: ['network-limits'] },
  router: { files: ['decline', 'signals'], specs: ['decline', 'signals'] },
  original: {
    files: ['original', 'payment-looks', 'lifecycle'],
    specs: ['original', 'payment-looks', 'lifecycle'],
  },
  schedule: { files: ['schedule', 'earliest', 'placement-words'], specs: ['schedule', 'earliest', 'placement-words'] },
  decide: { files: ['decide', 'first-step'], specs: ['decide', 'first-step', 'held-charge'] },
  policy: { files: ['policy', 'own-policy'], specs: ['policy', 'own-policy'] },
  tables: { files: ['tables', 'table-file', 'facts', 'rules'], specs: ['tables'] },
  advice: { files: ['advice', 'wording'], specs: ['advice'] },
  explain: { files: ['explain', 'weighed-rules'], specs: ['explain'] },
  page: { files: ['decision-table', 'decision-page'], specs: ['decision-page'] },
};

const REPORT = 'coverage/mutation/report.json';
const SCORE_MIN = 90;

const HELP = `npm run mutation -- [group …]

Groups: ${Object.keys(GROUPS).join(', ')};
all of them when none is named. Each takes 5 to 20 minutes on one core. What a group found is kept under coverage/mutation, so that a second run tests only what changed. Mutants in code that runs once,
when a file is loaded, are left out: each would need a process of its own.`;

interface Score {
  killed: number;
  timedOut: number;
  survived: number;
}

/** Statuses of the mutation report's schema. @see https://github.com/stryker-mutator/mutation-testing-elements */
interface Report {
  files: Record<string, { mutants: { status: string }[] }>;
}

function run(name: string, { files, specs }: { files: string[]; specs: string[] }): Map<string, Score> {
  const mutate = files.map((file) => `src/recovery/${file}.ts`).join(',');
  const stryker = ['stryker', 'run', '--mutate', mutate, '--incrementalFile', `coverage/mutation/${name}.json`];
  // jest.stryker.config.mjs reads which specs: a setting of its own is all that a config file can be given.
  const { status } = spawnSync('env', [`MUTATION_SPECS=${specs.join('|')}`, 'npx', ...stryker], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`group ${name} could not be run`);
  const report = JSON.parse(readFileSync(REPORT, 'utf8')) as Report;
  return new Map(Object.entries(report.files).map(([file, { mutants }]) => [file, scoreOf(mutants)]));
}

function scoreOf(mutants: { status: string }[]): Score {
  const count = (...statuses: string[]) => mutants.filter(({ status }) => statuses.includes(status)).length;
  return { killed: count('Killed'), timedOut: count('Timeout'), survived: count('Survived', 'NoCoverage') };
}

function line(name: string, { killed, timedOut, survived }: Score): string {
  const share = (100 * (killed + timedOut)) / Math.max(1, killed + timedOut + survived);
  return `${name.padEnd(36)} ${share.toFixed(1).padStart(5)} %  ${killed} killed, ${timedOut} timed out, ${survived} survived`;
}

const { values, positionals } = parseArgs({ options: { help: { type: 'boolean' } }, allowPositionals: true });
const unknown = positionals.filter((name) => !(name in GROUPS));
if (values.help === true || unknown.length > 0) {
  console.log(HELP);
  process.exitCode = unknown.length > 0 ? 2 : 0;
} else {
  const chosen = Object.entries(GROUPS).filter(([name]) => positionals.length === 0 || positionals.includes(name));
  const scores = new Map(chosen.flatMap(([name, group]) => [...run(name, group)]));
  const total: Score = { killed: 0, timedOut: 0, survived: 0 };
  for (const [file, score] of scores) {
    console.log(line(file, score));
    total.killed += score.killed;
    total.timedOut += score.timedOut;
    total.survived += score.survived;
  }
  console.log(line('all', total));
  const detected = total.killed + total.timedOut;
  if (detected < (SCORE_MIN / 100) * (detected + total.survived)) process.exitCode = 1;
}

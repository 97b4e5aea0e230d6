import { parseArgs } from 'node:util';

import fc from 'fast-check';

import { SystemClock } from '../src/platform/clock.js';
import { history, ZONES } from './prop/histories.js';
import { nothingSeen, playHistory } from './prop/play.js';
import { checkChanges, checkDays } from './prop/zones.js';

const HELP = `npm run prop -- [--histories 1000000] [--seed 42] [--path 1:2:3] [--years 10] [--skip-zones]

Plays random debts to their end and checks every decision: no network limit exceeded in any rolling window, no instant
in a gap, in a blackout, before the minimum gap or after the deadline, later never earlier when a failure is added, same
facts same decision. Then every time zone, every day of ten years, against the time-zone library.
A failure prints seed and path: give both to see it again.`;

const FROM_YEAR = 2026;
/** Told after each of these, so that a long run can be watched, and starts each with a seed of its own. */
const BATCH = 50_000;
const LOCAL_HOUR = 2; // The hour that most zones leave out or repeat.

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    path: { type: 'string' },
    years: { type: 'string', default: '10' },
    'skip-zones': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const clock = new SystemClock();
const startedMs = clock.monotonicMs();
const seconds = () => `${((clock.monotonicMs() - startedMs) / 1_000).toFixed(0)} s`;

function playAll(): void {
  const count = Number(values.histories);
  const seed = values.seed === undefined ? clock.now().getTime() % 0x7fffffff : Number(values.seed);
  const seen = nothingSeen();
  console.log(`seed ${seed}: ${count.toLocaleString('en')} histories`);
  for (let done = 0; done < count; done += BATCH) {
    const numRuns = Math.min(BATCH, count - done);
    // A failure names its batch's own seed: with it, and its path, the history is found at once.
    const replay = values.path === undefined ? {} : { path: values.path };
    fc.assert(
      fc.property(history, (one) => playHistory(one, seen)),
      { seed: seed + done / BATCH, numRuns, ...replay },
    );
    console.log(`${(done + numRuns).toLocaleString('en')} histories, ${seen.decisions} decisions, ${seconds()}`);
    if (values.path !== undefined) return;
  }
  const { retries, charges, held } = seen;
  console.log(`${retries} retries set, ${charges} charges made, ${held} put off or refused by a network limit`);
  console.log([...seen.ends].map(([end, times]) => `${end} ${times}`).join(', '));
}

function checkZones(): void {
  const untilYear = FROM_YEAR + Number(values.years);
  let days = 0;
  let changes = 0;
  for (const [index, zone] of ZONES.entries()) {
    changes += checkChanges(zone, Date.UTC(FROM_YEAR, 0, 1), Date.UTC(untilYear, 0, 1));
    days += checkDays(zone, FROM_YEAR, untilYear, LOCAL_HOUR);
    if (index % 50 === 49)
      console.log(`${index + 1} of ${ZONES.length} zones, ${days} days, ${changes} changes, ${seconds()}`);
  }
  console.log(`${ZONES.length} zones, ${days} days, ${changes} changes of the clocks`);
}

if (values.help) {
  console.log(HELP);
} else {
  playAll();
  if (!values['skip-zones'] && values.path === undefined) checkZones();
  console.log(`every property held, ${seconds()}`);
}

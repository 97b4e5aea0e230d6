import { parseArgs } from 'node:util';

import type { Policy, ScheduleGroup } from '../src/recovery/facts.js';
import type { OwnSchedule } from '../src/recovery/own-policy.js';
import { type PolicyRequest, snapshotPolicy } from '../src/recovery/policy.js';
import { GROUPS, PRESETS } from '../src/recovery/tables.js';
import { collect, type Collected } from './policies/collect.js';
import { type Card, drawCard, drawWorld, RANGES, seeded } from './policies/issuers.js';

const HELP = `npm run policies -- [--cards 2000] [--worlds 30] [--seed 1] [--help]

Compares the presets, and plain repeats every day, on made-up issuers: each world draws its figures from the ranges of
scripts/policies/issuers.ts, and every policy meets the same cards in it. It tells policies apart; it promises nothing
about real recovery rates.`;

const { values } = parseArgs({
  options: {
    cards: { type: 'string', default: '2000' },
    worlds: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
});

/** What merchants do without an engine: the same charge again, every day at the same time. */
function everyDay(times: number): PolicyRequest {
  const slotsHours = Array.from({ length: times }, (_, day) => (day + 1) * 24);
  const daily = { slotsHours, gapHours: 12, localHour: null, paydayShift: false, jitter: '45m' };
  const groups: ScheduleGroup[] = GROUPS.filter((group) => group !== 'debit');
  const schedule: OwnSchedule = Object.fromEntries(groups.map((group) => [group, daily]));
  return { schedule, attemptsMax: times };
}

const POLICIES: readonly (readonly [string, PolicyRequest])[] = [
  ...PRESETS.map((preset) => [preset, { preset }] as const),
  ['every day, 4 times', everyDay(4)],
  ['every day, 8 times', everyDay(8)],
];

interface Tally {
  recovered: number;
  attempts: number;
  days: number[];
  limited: number;
}

function policyFor(request: PolicyRequest, card: Card): Policy {
  const client = { policy: null, timezone: card.zone, billingCycleDay: null };
  return snapshotPolicy({ request, client, cardCountry: card.country });
}

/** Plays one world; every policy meets the same cards. */
function playWorld(seed: number, cards: number): Tally[] {
  const next = seeded(seed);
  const world = drawWorld(next);
  const tallies = POLICIES.map((): Tally => ({ recovered: 0, attempts: 0, days: [], limited: 0 }));
  for (let index = 0; index < cards; index += 1) {
    const card = drawCard(world, next);
    POLICIES.forEach(([, request], at) => count(tallies[at], collect(card, world, policyFor(request, card))));
  }
  return tallies;
}

function count(tally: Tally | undefined, one: Collected): void {
  if (!tally) throw new Error('a policy without a tally');
  tally.attempts += one.attempts;
  tally.limited += one.limited;
  if (one.daysToRecovery === null) return;
  tally.recovered += 1;
  tally.days.push(one.daysToRecovery);
}

function quantile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}

function report(worlds: readonly Tally[][], cards: number): string[] {
  const head =
    'policy               recovered: median (10 to 90 %)   against standard      attempts per recovery   median days   limits met';
  const shares = (at: number) => worlds.map((tallies) => (tallies[at]?.recovered ?? 0) / cards);
  const standard = shares(0);
  const lines = POLICIES.map(([name], at) => {
    const own = worlds.map((tallies) => tallies[at]).filter((tally) => tally !== undefined);
    const share = shares(at);
    const points = share.map((one, world) => (one - (standard[world] ?? 0)) * 100);
    const attempts = own.map((tally) => tally.attempts / Math.max(1, tally.recovered));
    const days = own.map((tally) => quantile(tally.days, 0.5));
    return [
      name.padEnd(20),
      `${percent(quantile(share, 0.5))} (${percent(quantile(share, 0.1))} to ${percent(quantile(share, 0.9))})`.padEnd(
        32,
      ),
      `${signed(quantile(points, 0.5))} (${signed(quantile(points, 0.1))} to ${signed(quantile(points, 0.9))})`.padEnd(
        21,
      ),
      quantile(attempts, 0.5).toFixed(2).padStart(21),
      quantile(days, 0.5).toFixed(1).padStart(13),
      String(own.reduce((sum, tally) => sum + tally.limited, 0)).padStart(12),
    ].join(' ');
  });
  return [head, ...lines];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function signed(points: number): string {
  return `${points > 0 ? '+' : ''}${points.toFixed(1)}`;
}

function run(): void {
  const cards = Number(values.cards);
  const count = Number(values.worlds);
  const seed = Number(values.seed);
  console.log(
    `${count} worlds of ${cards} failed charges each, seed ${seed}. Made-up issuers: no promise of recovery rates.`,
  );
  const worlds = Array.from({ length: count }, (_, index) => playWorld(seed * 1_000_003 + index, cards));
  console.log(['', ...report(worlds, cards), '', 'Ranges that each world draws from:'].join('\n'));
  for (const [name, [min, max]] of Object.entries(RANGES)) console.log(`  ${name.padEnd(18)} ${min} to ${max}`);
}

if (values.help) console.log(HELP);
else run();

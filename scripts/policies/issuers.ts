import { lastBusinessDay } from '../../src/recovery/bank-days.js';
import { DAY_MS, HOUR_MS, startOfDay, wallAt } from '../../src/recovery/local-time.js';

/**
 * A population of issuers and cards, made up. Nobody publishes how often a retry is approved, so every figure is drawn
 * from a range, anew for each world, and a comparison counts only where it holds over the worlds. The ranges are ours:
 * no measurement, and no promise of a recovery rate.
 */
export const RANGES = {
  /** Shares of the failed charges; what is left are hard declines, which no schedule recovers. */
  fundsShare: [0.35, 0.5],
  ambiguousShare: [0.2, 0.3],
  technicalShare: [0.06, 0.14],
  limitShare: [0.04, 0.1],
  /** A payday fills the account well enough for this charge. */
  paydayCovers: [0.45, 0.8],
  /** Days that the money then lasts. */
  moneyLastsDays: [1, 6],
  /** On any other day there is enough by chance. */
  coveredAnyway: [0.03, 0.1],
  /** Cards that the issuer's model will not approve in this series, whatever the time. */
  neverApproves: [0.3, 0.55],
  /** What it approves of the others, at a charge that comes days after the last, by day. */
  approves: [0.2, 0.4],
  /** That is multiplied by this for a charge within a day of a decline … */
  soonFactor: [0.3, 0.7],
  /** … and by this for one at night. */
  nightFactor: [0.6, 0.95],
  /** Hours that an outage lasts at most; most are far shorter. */
  outageHoursMax: [4, 48],
  /** Approved once an outage or a limit's period is over. */
  approvesAfter: [0.75, 0.95],
} as const satisfies Record<string, readonly [number, number]>;

export type World = Readonly<Record<keyof typeof RANGES, number>>;

export type Fate = 'funds' | 'ambiguous' | 'technical' | 'limit' | 'hard';

/** The decline that a card of that fate answers with. */
export const CODES: Readonly<Record<Fate, string>> = {
  funds: 'insufficient_funds',
  ambiguous: 'do_not_honor',
  technical: 'issuer_not_available',
  limit: 'card_velocity_exceeded',
  hard: 'expired_card',
};

const PAYDAYS = ['first', 'fifteenth', 'last', 'friday', 'other'] as const;

export interface Card {
  fate: Fate;
  zone: string;
  country: string;
  payday: (typeof PAYDAYS)[number];
  /** For `payday` other, the day of the month. */
  otherDay: number;
  failedMs: number;
  neverApproves: boolean;
  outageMs: number;
  limitPeriod: 'day' | 'week' | 'month';
  /** Other charges of this card and amount in the month before: the merchant's own tries. */
  earlierCharges: number;
  /** Draws of this card by attempt, the same under every policy: chance is not to decide between them. */
  draw: (attempt: number) => number;
}

/** Numbers in [0, 1) that depend on the seed alone. @see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c (mulberry32) */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function drawWorld(next: () => number): World {
  const entries = Object.entries(RANGES).map(([name, [min, max]]) => [name, min + next() * (max - min)] as const);
  return Object.fromEntries(entries) as Record<keyof typeof RANGES, number>;
}

/** Zone and country of the issuer. */
type Home = readonly [zone: string, country: string];

const HOMES: readonly [Home, ...Home[]] = [
  ['America/New_York', 'US'],
  ['America/Chicago', 'US'],
  ['America/Los_Angeles', 'US'],
  ['Europe/London', 'GB'],
  ['Europe/Berlin', 'DE'],
  ['Australia/Sydney', 'AU'],
];

function pick<T>(from: readonly [T, ...T[]], draw: number): T {
  return from[Math.floor(draw * from.length)] ?? from[0];
}

export function drawCard(world: World, next: () => number): Card {
  const [zone, country] = pick(HOMES, next());
  const own = Math.floor(next() * 2 ** 31);
  return {
    fate: fateOf(world, next()),
    zone,
    country,
    payday: pick(PAYDAYS, next()),
    otherDay: 1 + Math.floor(next() * 28),
    failedMs: Date.UTC(2026, 0, 1) + next() * 365 * DAY_MS,
    neverApproves: next() < world.neverApproves,
    // Squared twice: most outages are over within minutes or an hour.
    outageMs: next() ** 4 * world.outageHoursMax * HOUR_MS,
    limitPeriod: pick(['day', 'week', 'month'], next()),
    earlierCharges: Math.floor(next() ** 6 * 18),
    draw: (attempt) => seeded(own + attempt * 7_919)(),
  };
}

function fateOf(world: World, draw: number): Fate {
  const funds = world.fundsShare;
  const ambiguous = funds + world.ambiguousShare;
  const technical = ambiguous + world.technicalShare;
  if (draw < funds) return 'funds';
  if (draw < ambiguous) return 'ambiguous';
  if (draw < technical) return 'technical';
  return draw < technical + world.limitShare ? 'limit' : 'hard';
}

/** Whether the issuer approves the charge number `attempt` (from 1) at an instant, the last one before at `lastMs`. */
export function approves(card: Card, world: World, attempt: number, atMs: number, lastMs: number): boolean {
  const draw = card.draw(attempt);
  switch (card.fate) {
    case 'funds':
      return draw < (hasMoney(card, world, atMs) ? 0.97 : world.coveredAnyway);
    case 'ambiguous':
      return !card.neverApproves && draw < ambiguousChance(card, world, atMs, lastMs);
    case 'technical':
      return atMs > card.failedMs + card.outageMs && draw < world.approvesAfter;
    case 'limit':
      return periodOf(card, atMs) !== periodOf(card, card.failedMs) && draw < world.approvesAfter;
    case 'hard':
      return false;
  }
}

function ambiguousChance(card: Card, world: World, atMs: number, lastMs: number): number {
  const soon = atMs - lastMs < DAY_MS ? world.soonFactor : 1;
  const night = new Date(wallAt(atMs, card.zone)).getUTCHours() < 6 ? world.nightFactor : 1;
  return world.approves * soon * night;
}

/** Wages arrive at 6:00 on a payday, are enough or not that time, and last some days. */
function hasMoney(card: Card, world: World, atMs: number): boolean {
  const wall = wallAt(atMs, card.zone) - 6 * HOUR_MS;
  for (let days = 0; days < world.moneyLastsDays; days += 1) {
    const day = startOfDay(wall) - days * DAY_MS;
    if (!isWageDay(card, new Date(day))) continue;
    return card.draw(1_000 + Math.floor(day / DAY_MS)) < world.paydayCovers;
  }
  return false;
}

function isWageDay({ payday, otherDay, country }: Card, date: Date): boolean {
  const day = date.getUTCDate();
  switch (payday) {
    case 'first':
      return day === 1;
    case 'fifteenth':
      return day === 1 || day === 15;
    case 'last':
      return day === lastBusinessDay(country, date.getUTCFullYear(), date.getUTCMonth() + 1);
    case 'friday':
      return date.getUTCDay() === 5;
    case 'other':
      return day === otherDay;
  }
}

/** A limit starts anew with the local day, the week or the month. */
function periodOf({ limitPeriod, zone }: Card, atMs: number): string {
  const date = new Date(wallAt(atMs, zone));
  switch (limitPeriod) {
    case 'day':
      return date.toISOString().slice(0, 10);
    case 'week':
      return String(Math.floor((date.getTime() / DAY_MS + 4) / 7));
    case 'month':
      return date.toISOString().slice(0, 7);
  }
}

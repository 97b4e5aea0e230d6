import { decideAfterOutcome, type OutcomeFacts } from '../src/recovery/decide.js';
import type { DeclineSignals, Policy, RoundFacts } from '../src/recovery/facts.js';
import { DAY_MS, HOUR_MS } from '../src/recovery/local-time.js';
import { snapshotPolicy } from '../src/recovery/policy.js';
import { PRESETS, TABLES } from '../src/recovery/tables.js';

/**
 * Decisions per second on one core, of all that the core does after a decline: look the signals up, weigh them, find the
 * next slot, its local morning, its payday. Each decision has a code, time zone, moment and jitter of its own.
 */
const COUNT = 65_536;
const GOAL = 500_000;

const ZONES = [
  'America/New_York',
  'America/Los_Angeles',
  'Europe/Berlin',
  'Europe/London',
  'Asia/Tokyo',
  'Australia/Sydney',
];
const COUNTRIES = ['US', 'US', 'DE', 'GB', 'JP', 'AU'];
const RAW_CODES = ['51', '05', '61', null];

// Retries are what takes time: three of four decisions are about a code that is retried.
const retried = [...TABLES.declines.values()].filter((row) => row.retryable === 'yes' && row.scope === 'debt');
const others = [...TABLES.declines.values()].filter((row) => row.retryable !== 'yes' && row.scope === 'debt');

function pick<T>(from: readonly T[], index: number): T {
  const one = from[index % from.length];
  if (one === undefined) throw new Error('there is nothing to pick from');
  return one;
}

function signalsOf(index: number): DeclineSignals {
  return {
    declineCode: pick(index % 4 === 3 ? others : retried, index).code,
    errorCode: 'card_declined',
    adviceCode: index % 5 === 0 ? 'try_again_later' : null,
    networkDeclineCode: pick(RAW_CODES, index),
    networkAdviceCode: null,
    brand: index % 3 === 0 ? 'mastercard' : 'visa',
  };
}

function roundOf(index: number, openedMs: number): RoundFacts {
  const taken = index % 3;
  return {
    anchorAt: new Date(openedMs),
    openedAt: new Date(openedMs),
    deadlineAt: new Date(openedMs + 28 * DAY_MS),
    scheduledTaken: taken,
    chargesMade: taken + 1,
    lastAttemptAt: new Date(openedMs + taken * 70 * HOUR_MS),
  };
}

function factsOf(index: number, policies: readonly Policy[]): OutcomeFacts {
  const openedMs = Date.UTC(2026, 0, 1) + index * 47 * 60_000; // Five years of moments.
  const round = roundOf(index, openedMs);
  return {
    outcome: { kind: 'declined', signals: signalsOf(index) },
    policy: pick(policies, index),
    round,
    now: round.lastAttemptAt ?? round.openedAt,
    jitter: (index % 97) / 97,
    fallbackLeft: false,
    tokenReusable: true,
    binPrefix: null,
  };
}

const policies = PRESETS.flatMap((preset) =>
  ZONES.map((timezone, index) =>
    snapshotPolicy({
      request: { preset, timezone },
      client: { policy: null, timezone: null, billingCycleDay: null },
      cardCountry: COUNTRIES[index] ?? null,
    }),
  ),
);

/** Returns decisions per second of processor time of this process's one thread. */
function measure(all: readonly OutcomeFacts[], rounds: number): { perSecond: number; retries: number } {
  let retries = 0;
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) {
    for (const facts of all) if (decideAfterOutcome(facts).kind === 'retry') retries += 1;
  }
  const used = process.cpuUsage(before);
  return {
    perSecond: (all.length * rounds) / ((used.user + used.system) / 1e6),
    retries: retries / (all.length * rounds),
  };
}

const rounds = Number(process.argv[2] ?? 5);
const all = Array.from({ length: COUNT }, (_, index) => factsOf(index, policies));
measure(all, 2); // Zone tables and compiled code first.
const results = Array.from({ length: rounds }, () => measure(all, 4));
const sorted = results.map((one) => one.perSecond).sort((a, b) => a - b);
const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
const share = Math.round((results[0]?.retries ?? 0) * 100);
console.log(
  `${Math.round(median).toLocaleString('en')} decisions/s of processor time on one core (median of ${rounds})`,
);
if (median < GOAL) process.exitCode = 1;
console.log(`${share} % of them set a retry; goal ${GOAL.toLocaleString('en')}: ${median >= GOAL ? 'met' : 'missed'}`);

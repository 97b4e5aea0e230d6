import { decideAfterOutcome } from '../../src/recovery/decide.js';
import type { DeclineSignals, Policy, RoundFacts } from '../../src/recovery/facts.js';
import { decideFirstStep } from '../../src/recovery/first-step.js';
import { DAY_MS, HOUR_MS } from '../../src/recovery/local-time.js';
import { limitsFreeAt, type SeenAttempt } from '../../src/recovery/network-limits.js';
import { defaultDeadline } from '../../src/recovery/schedule.js';
import { approves, type Card, CODES, type World } from './issuers.js';

const AMOUNT = { amountMinor: 2500, currency: 'USD' };
const BRAND = 'visa';

/** What became of one failed charge under one policy. */
export interface Collected {
  /** From the failed charge to the money; null when it did not come. */
  daysToRecovery: number | null;
  attempts: number;
  /** Charges that a network limit put off or refused. */
  limited: number;
}

interface Work {
  card: Card;
  world: World;
  policy: Policy;
  signals: DeclineSignals;
  seen: SeenAttempt[];
  round: RoundFacts;
  limited: number;
}

/** Works one failed charge to its end with the functions that the engine uses, against a made-up issuer. */
export function collect(card: Card, world: World, policy: Policy): Collected {
  const work = begin(card, world, policy);
  let dueAt = firstChargeAt(work);
  while (dueAt !== null) {
    const attempt = work.round.chargesMade + 1;
    const lastMs = work.round.lastAttemptAt?.getTime() ?? card.failedMs;
    const approved = approves(card, world, attempt, dueAt.getTime(), lastMs);
    if (approved) return result(work, (dueAt.getTime() - card.failedMs) / DAY_MS, attempt);
    dueAt = afterDecline(work, dueAt);
  }
  return result(work, null, work.round.chargesMade);
}

function result({ limited }: Work, daysToRecovery: number | null, attempts: number): Collected {
  return { daysToRecovery, attempts, limited };
}

function begin(card: Card, world: World, policy: Policy): Work {
  const failedAt = new Date(card.failedMs);
  const openedAt = new Date(card.failedMs + HOUR_MS / 12); // The webhook's five minutes.
  const earlier = Array.from({ length: card.earlierCharges }, (_, index) => card.failedMs - (index + 1) * 30 * HOUR_MS);
  const none = { errorCode: null, adviceCode: null, networkDeclineCode: null, networkAdviceCode: null };
  return {
    card,
    world,
    policy,
    signals: { ...none, declineCode: CODES[card.fate], brand: BRAND },
    seen: [...earlier, card.failedMs].map((atMs) => ({ at: new Date(atMs), declined: true, ...AMOUNT })),
    round: {
      anchorAt: failedAt,
      openedAt,
      deadlineAt: defaultDeadline(openedAt),
      scheduledTaken: 0,
      chargesMade: 0,
      lastAttemptAt: failedAt,
    },
    limited: 0,
  };
}

function firstChargeAt(work: Work): Date | null {
  const { policy, round, signals, card } = work;
  const step = decideFirstStep({
    signals,
    binPrefix: null,
    paymentMethodType: 'card',
    cardCountry: card.country,
    cardOrigin: null,
    cardChangedSince: false,
    hasFallback: false,
    tokenReusable: true,
    failedAt: round.lastAttemptAt,
    lookFoundNone: true,
    now: round.openedAt,
    policy,
    round,
    limitsFreeAt: hold(work, round.openedAt),
    jitter: card.draw(0),
  });
  if (step.kind === 'charge') return round.openedAt;
  if (step.kind !== 'queue') return null;
  work.round = { ...round, scheduledTaken: 1 };
  return step.dueAt;
}

/** Asked at each decision; a limit that holds is counted once per charge it moves. */
function hold(work: Work, now: Date) {
  const held = limitsFreeAt(work.seen, BRAND, AMOUNT, now);
  if (held !== null) work.limited += 1;
  return held;
}

function afterDecline(work: Work, now: Date): Date | null {
  work.seen.push({ at: now, declined: true, ...AMOUNT });
  const round = { ...work.round, chargesMade: work.round.chargesMade + 1, lastAttemptAt: now };
  const decision = decideAfterOutcome({
    outcome: { kind: 'declined', signals: work.signals },
    policy: work.policy,
    round,
    now,
    jitter: work.card.draw(round.chargesMade + 100),
    fallbackLeft: false,
    tokenReusable: true,
    binPrefix: null,
    limitsFreeAt: hold(work, now),
  });
  const scheduled = decision.kind === 'retry' ? 1 : 0;
  work.round = { ...round, scheduledTaken: round.scheduledTaken + scheduled };
  return decision.kind === 'retry' ? decision.dueAt : null;
}

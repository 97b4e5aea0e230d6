import type { State } from '../recovery/facts.js';
import type { AlertDraft } from './alert.js';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

/** What was seen, as the watch reads it from the tables. All instants are real time. */
export type Fact =
  | {
      kind: 'recovery_ended';
      outcome: 'failed' | 'blocked';
      eventId: string;
      transactionId: string;
      amountMinor: number;
      currency: string;
      /** The decline's bucket; null where nothing was declined. */
      bucket: string | null;
      declineCode: string | null;
      endReason: string | null;
    }
  | { kind: 'endpoint_failing'; endpointId: string; since: Date }
  | { kind: 'endpoint_disabled'; endpointId: string; reason: string }
  | { kind: 'charges'; lastHour: ChargeCount; before: ChargeCount }
  | { kind: 'queue'; late: number; oldestDueAt: Date | null };

/** Charges whose outcome is known. */
export interface ChargeCount {
  charges: number;
  declined: number;
}

/** A dead endpoint is told on these days of its failing; on the fifth it is disabled (openapi.yaml). */
const FAILING_DAYS = [1, 3, 5] as const;
/** Retries are promised within a second; five minutes are no hiccup. */
export const BEHIND_AFTER_MS = 5 * MINUTE_MS;
/** A recovery that so many workers in a row have failed at is parked (docs/operating.md). */
const CRASHES_PARKED = 5;

// An hour of few charges says nothing; nor does a client's first week.
const CHARGES_MIN = 20;
const CHARGES_BEFORE_MIN = 200;
// Both must hold: far beyond chance, and enough to matter.
const DEVIATIONS_MIN = 4;
const RATE_RISE_MIN = 0.15;

/** What a person should hear of one fact. Pure: the same fact and time give the same alerts. */
export function alertsOf(fact: Fact, now: Date): AlertDraft[] {
  switch (fact.kind) {
    case 'recovery_ended':
      return [recoveryEnded(fact)];
    case 'endpoint_failing':
      return endpointFailing(fact.endpointId, fact.since, now);
    case 'endpoint_disabled': {
      const { endpointId, reason } = fact;
      const dedupeKey = `webhook_endpoint_disabled:${endpointId}`;
      return [{ kind: 'webhook_endpoint_disabled', severity: 'critical', facts: { endpointId, reason }, dedupeKey }];
    }
    case 'charges':
      return unusualDeclines(fact.lastHour, fact.before);
    case 'queue':
      return queueBehind(fact.late, fact.oldestDueAt, now);
  }
}

function recoveryEnded(fact: Fact & { kind: 'recovery_ended' }): AlertDraft {
  const { transactionId, amountMinor: amount, currency, bucket, declineCode, endReason } = fact;
  return {
    kind: fact.outcome === 'failed' ? 'recovery_failed' : 'recovery_blocked',
    severity: 'info',
    facts: { transactionId, amount, currency, bucket, declineCode, endReason },
    dedupeKey: `recovery_ended:${fact.eventId}`,
  };
}

/** One alert for each day that has been reached, so that the group tells each of them once. */
function endpointFailing(endpointId: string, since: Date, now: Date): AlertDraft[] {
  const ageMs = now.getTime() - since.getTime();
  return FAILING_DAYS.filter((day) => ageMs >= day * DAY_MS).map((day) => ({
    kind: 'webhook_endpoint_failing' as const,
    severity: day === 5 ? ('critical' as const) : ('warning' as const),
    facts: { endpointId, day, since: since.toISOString() },
    dedupeKey: `webhook_endpoint_failing:${endpointId}:${day}`,
  }));
}

/** Whether an hour has charges enough to say anything of its declines, good or bad. */
export function isTelling({ charges }: ChargeCount): boolean {
  return charges >= CHARGES_MIN;
}

/**
 * Compares the last hour with the client's own last 28 days. The deviation is that of a binomial share: what chance
 * alone would do at the usual rate.
 */
function unusualDeclines(lastHour: ChargeCount, before: ChargeCount): AlertDraft[] {
  if (!isTelling(lastHour) || before.charges < CHARGES_BEFORE_MIN) return [];
  const usual = before.declined / before.charges;
  const rate = lastHour.declined / lastHour.charges;
  // A client that was never declined would have no deviation at all: one decline more than there were is assumed.
  const assumed = (before.declined + 1) / (before.charges + 2);
  const deviation = Math.sqrt((assumed * (1 - assumed)) / lastHour.charges);
  if (rate - usual < RATE_RISE_MIN || rate - usual < DEVIATIONS_MIN * deviation) return [];
  const facts = {
    count: lastHour.charges,
    declined: lastHour.declined,
    ratePercent: Math.round(rate * 100),
    usualPercent: Math.round(usual * 100),
  };
  return [{ kind: 'unusual_decline_rate', severity: 'warning', facts, dedupeKey: 'unusual_decline_rate' }];
}

function queueBehind(late: number, oldestDueAt: Date | null, now: Date): AlertDraft[] {
  if (late === 0 || oldestDueAt === null || now.getTime() - oldestDueAt.getTime() < BEHIND_AFTER_MS) return [];
  const facts = { count: late, since: oldestDueAt.toISOString() };
  return [{ kind: 'queue_behind', severity: 'critical', facts, dedupeKey: 'queue_behind' }];
}

/**
 * What a full look at lasting things changes: those that are true and not open are raised, those that are open and no
 * longer true are resolved.
 */
export function reconcile(
  open: readonly { dedupeKey: string }[],
  seen: readonly AlertDraft[],
): { raise: AlertDraft[]; resolve: string[] } {
  const isOpen = new Set(open.map(({ dedupeKey }) => dedupeKey));
  const isTrue = new Set(seen.map(({ dedupeKey }) => dedupeKey));
  return {
    raise: seen.filter(({ dedupeKey }) => !isOpen.has(dedupeKey)),
    resolve: [...isOpen].filter((dedupeKey) => !isTrue.has(dedupeKey)),
  };
}

/** True when a charge that was told as unknown is known, by the state its recovery is in now; null: there is none. */
export function isUnknownOver(state: State | null): boolean {
  return state !== 'reconciling' && state !== 'in_progress';
}

/** True when parked work goes on, by the failures in a row that its recovery counts now; null: there is no work left. */
export function isParkedOver(failuresInARow: number | null): boolean {
  return failuresInARow === null || failuresInARow < CRASHES_PARKED;
}

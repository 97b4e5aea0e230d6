import type { DeclineSignals, Rule, State } from '../recovery/facts.js';
import type { OriginalFacts, SubscriptionFacts } from '../gateways/gateway.js';
import type { EventDraft } from '../webhooks/outbox.js';
import type { Attempt, Recovery, TimelineEntry } from './recovery.js';

/** Something a person must hear of. Facts hold ids, codes, amounts and counts; never customer data. */
export interface AlertDraft {
  kind: AlertKind;
  severity: 'info' | 'warning' | 'critical';
  facts: Record<string, string | number | boolean | null>;
  /** One open alert per key. */
  dedupeKey: string;
}

export type AlertKind =
  | 'unlisted_decline_code'
  | 'configuration_error'
  | 'credentials_refused'
  | 'charge_unknown_for_long'
  | 'unmapped_gateway_answer'
  | 'late_success'
  | 'paid_twice'
  | 'money_held'
  | 'network_limit_reached'
  | 'work_parked'
  | 'payment_reversed';

/** What is kept under a call's idempotency key: its recovery, and once it is finished its answer. */
export interface StoredAnswer {
  key: string;
  statusCode: number | null;
  body: Buffer | null;
}

/** A card that this debt must not be charged to again: `blocked` answers 403, `stopped` 200 failed (docs/behaviour.md 1). */
export interface CardStop {
  debtName: string;
  cardFingerprint: string | null;
  tokenHash: Buffer;
  kind: 'blocked' | 'stopped';
  signals: DeclineSignals;
}

/** A recovery on its way to its next row: what changed, and all that must be written with it. */
export interface Change {
  recovery: Recovery;
  timeline: TimelineEntry[];
  /** Composed last, from the finished row: see `withEvents`. */
  events: EventDraft[];
  attemptsEnded: Attempt[];
  attemptsOpened: Attempt[];
  alerts: AlertDraft[];
  cardStops: CardStop[];
  answer: StoredAnswer | null;
}

export function unchanged(recovery: Recovery): Change {
  return {
    recovery,
    timeline: [],
    events: [],
    attemptsEnded: [],
    attemptsOpened: [],
    alerts: [],
    cardStops: [],
    answer: null,
  };
}

export interface Step {
  type: string;
  rule: Rule;
  at: Date;
  actor: string;
  inputs?: Record<string, unknown>;
}

/** Applies a patch as one numbered step of the timeline. Steps of one change follow each other without a gap. */
export function step(change: Change, patch: Partial<Recovery>, { type, rule, at, actor, inputs }: Step): Change {
  const before = change.recovery;
  const fromState: State | null = before.sequence === 0 ? null : before.state;
  const recovery: Recovery = { ...before, ...patch, sequence: before.sequence + 1, updatedAt: at };
  const entry: TimelineEntry = {
    sequence: recovery.sequence,
    at,
    type,
    fromState,
    toState: recovery.state,
    rule: rule.name,
    inputs: { ...inputs, source: rule.source },
    actor,
  };
  return { ...change, recovery, timeline: [...change.timeline, entry] };
}

/** Notes what became of the subscription that an invoice bills, for the event that tells the payment. */
export function withSubscription(change: Change, subscription: SubscriptionFacts | null | undefined): Change {
  return subscription ? quietly(change, { hints: { ...change.recovery.hints, subscription } }) : change;
}

/** As `withSubscription`, of whatever was read: only an invoice bills one. */
export function withSubscriptionOf(change: Change, read: OriginalFacts): Change {
  return read.kind === 'invoice' ? withSubscription(change, read.subscription) : change;
}

/** Changes columns that no decision speaks of (counters, next look): no timeline step. */
export function quietly(change: Change, patch: Partial<Recovery>): Change {
  return { ...change, recovery: { ...change.recovery, ...patch } };
}

/**
 * The words the decision core speaks: what it is told, and what it answers. No framework, no I/O.
 * Amounts are integers in the gateway's smallest unit, instants are `Date`, durations are milliseconds unless named otherwise.
 */

import type { BlackoutHours } from './blackout.js';

export const STATES = [
  'queued',
  'in_progress',
  'reconciling',
  'action_required',
  'succeeded',
  'failed',
  'blocked',
  'cancelled',
  'holdout',
] as const;
export type State = (typeof STATES)[number];

export const END_REASONS = [
  'exhausted',
  'deadline',
  'hard_decline',
  'never_charge',
  'configuration',
  'possibly_paid',
  'amount_changed',
  'token_not_reusable',
  'not_authenticated',
  'original_transaction_open',
  'paid_elsewhere',
  'abandoned',
  'customer_request',
  'voided',
  'uncollectible',
  'subscription_deleted',
  'disputed',
  'refunded',
  'deauthorised',
  'superseded',
  'holdout',
] as const;
export type EndReason = (typeof END_REASONS)[number];

export type Bucket = 'retry_only' | 'blended' | 'hard' | 'authentication' | 'fraud' | 'configuration';
/** What a code speaks about: only `debt` rows are routed as declines (docs/behaviour.md 4). */
export type Scope = 'debt' | 'read_first' | 'account' | 'back_off';
export type FirstStep = 'charge' | 'queue' | 'look_then_charge' | 'look_then_fail' | 'fail' | 'authenticate' | 'block';
export type ScheduleGroup = 'funds' | 'ambiguous' | 'limit' | 'technical' | 'debit' | 'unlisted';
export type RecommendedAction = 'request_card_update' | 'retry_later' | 'manual_review' | 'monitor';
export type Trigger =
  'initial' | 'scheduled_retry' | 'card_updated' | 'manual_retry' | 'reconciliation' | 'external' | 'late_success';
export type Strategy = 'primary' | 'fallback_token' | 'updated_card' | 'network_token' | 'external';
export type Preset = 'standard' | 'fast' | 'patient';

/** Everything an issuer, network or gateway said with one decline. Absent parts are null, never ''. */
export interface DeclineSignals {
  declineCode: string | null;
  /** Stripe's `code`: looked up only when `declineCode` has no row. */
  errorCode: string | null;
  adviceCode: string | null;
  networkDeclineCode: string | null;
  networkAdviceCode: string | null;
  /** Lower case: `visa`, `mastercard`, `amex` …; null for other payment methods or when not known. */
  brand: string | null;
  /** True for `outcome.type` blocked: refused before it reached the network. */
  blockedByGateway?: boolean;
}

/** One row of the schedule table: slots in hours from the anchor (docs/behaviour.md 5). */
export interface ScheduleRow {
  slotsHours: readonly number[];
  gapHours: number;
  /** The local hour that a slot is moved on to; null leaves the slot where it is. */
  localHour: number | null;
  paydayShift: boolean;
  jitter: { kind: 'minutes'; max: number } | { kind: 'share'; max: number };
}

/** A recovery's own rules, fixed when it is accepted; stored as JSON with its instants as ISO strings. */
export interface Policy {
  preset: Preset;
  rows: Readonly<Record<ScheduleGroup, ScheduleRow>>;
  attemptsMax: number;
  notBefore: Date | null;
  /** IANA zone that local hours, paydays and blackout hours are read in. */
  timezone: string;
  billingCycleDay: number | null;
  firstCharge: 'auto' | 'now' | 'scheduled';
  /** Whose bank holidays count for the last business day: ISO 3166 alpha-2; null or left out: weekends only. */
  bankCountry?: string | null;
  /** Local hours of the merchant's own in which no scheduled charge is made; none when left out. */
  blackoutHours?: readonly BlackoutHours[];
  /** Visa's cap of re-attempts in 30 days, 15 to 20; the table's figure when left out. */
  visaReattemptsMax?: number;
}

/** Where a round stands, as far as its schedule goes. */
export interface RoundFacts {
  /** What the slots count from (docs/behaviour.md 5, "anchor"). */
  anchorAt: Date;
  /** Acceptance, or the opening of a later round: slots passed by then were dropped. */
  openedAt: Date;
  deadlineAt: Date;
  /** Scheduled charges already made in this round: the next takes slot number `scheduledTaken` of what remains. */
  scheduledTaken: number;
  /** Our counted charges of this round, the one in the request included, `not_executed` left out. */
  chargesMade: number;
  /** When this debt was last charged, by us or before us (the failed charge); null when not known. */
  lastAttemptAt: Date | null;
}

/** What one charge, or one reading of it, says. A decline is an outcome, not an error. */
export type Outcome =
  | { kind: 'succeeded' }
  | { kind: 'declined'; signals: DeclineSignals }
  | { kind: 'pending' }
  | { kind: 'requires_action' }
  | { kind: 'requires_capture' }
  | { kind: 'canceled'; by: 'us' | 'gateway' | 'other' }
  | { kind: 'unknown'; loss: Loss };

/** How an answer was lost: decides whether the same key may be sent again (docs/behaviour.md 4). */
export type Loss = 'lost_reply' | 'received_5xx';

/** The rule that decided, for the timeline: a stable name and where it is written. */
export interface Rule {
  name: string;
  source: string;
}

export interface Advice {
  recommendedAction: RecommendedAction;
  recommendedActionReason: string;
  recommendedActionDetail: string | null;
  willRetry: boolean;
}

/** How a slot became an instant, step by step, in milliseconds; each step moves it later or leaves it. */
export interface Placement {
  slotMs: number;
  /** After the gap, `notBefore`, the network's waits and limits, and not in the past. */
  earliestMs: number;
  /** On the next local hour. */
  localMs: number;
  /** On the next payday. */
  paydayMs: number;
  /** After the merchant's blackout hours. */
  openMs: number;
  /** With jitter: when it is charged, if that fits. */
  wantedMs: number;
  /** Without payday and jitter, for what would not fit otherwise. */
  plainMs: number;
  /** The last instant at which a charge of this round may be due. */
  lastMs: number;
}

/** What follows, as data; the engine carries it out. */
export type Decision = { rule: Rule } & (
  | { kind: 'succeeded' }
  /** `placement` where a schedule's slot was placed: for whoever explains the instant. */
  | { kind: 'retry'; dueAt: Date; attemptsRemaining: number; placement?: Placement }
  | { kind: 'fallback' } // Charge the next consented fallback token, at once.
  | { kind: 'replace_payment' } // The payment object is gone, and not by the debt's end: make a new one, once per recovery.
  | { kind: 'await_bank'; dueAt: Date }
  | { kind: 'reconcile'; dueAt: Date } // The outcome is unknown: look before charging again.
  | { kind: 'action_required'; dueAt: Date }
  | { kind: 'blocked' }
  | { kind: 'failed'; endReason: EndReason; detail: string | null }
  | { kind: 'cancelled'; endReason: EndReason }
);

/** What the router made of one decline: the winning row, and what every signal together allows. */
export interface Route {
  /** The code whose row won, lower case; the sent code itself when no table lists it, null when none was sent. */
  code: string | null;
  bucket: Bucket;
  scope: Scope;
  firstStep: FirstStep;
  /** About the same credential: `after_customer_action` needs a new or corrected card, or an authentication. */
  retryable: 'yes' | 'after_customer_action' | 'no';
  /** The schedule row for further charges of the same credential; null when there are none. */
  group: ScheduleGroup | null;
  /** Advice while retries go on. */
  recommendedAction: Exclude<RecommendedAction, 'monitor'>;
  /** Advice on the final event: never `retry_later`. */
  finalAction: 'request_card_update' | 'manual_review';
  detail: 'authenticate' | null;
  /** Answered with 403 `blocked`: this card is not charged again for this debt, and no other token either. */
  neverCharge: boolean;
  /** An issuer or network said never again on this card: a stop, but no 403. */
  stopsCard: boolean;
  /** A network's earliest time, counted from the decline; null when there is none. */
  waitMs: number | null;
  /** False for a code that no table knows: handled the careful way and told to the operator. */
  listed: boolean;
  /** A text fit for the customer while retries go on; '' means say nothing. */
  customerMessageSafe: string;
  rule: Rule;
}

/** A charge as a gateway reads it, as far as the core looks. Equal in shape to the gateways' own `ChargeFacts`. */
export interface ChargeReading {
  id: string;
  status: 'succeeded' | 'pending' | 'failed';
  refunded: boolean;
  disputed: boolean;
  paymentId: string | null;
  signals: DeclineSignals | null;
}

/** A payment object as a gateway reads it. `unmapped` is a status newer than our list: never charged, looked at again. */
export interface PaymentReading {
  kind: 'payment';
  id: string;
  status:
    | 'requires_payment_method'
    | 'requires_confirmation'
    | 'requires_action'
    | 'processing'
    | 'requires_capture'
    | 'succeeded'
    | 'canceled'
    | 'unmapped';
  amountMinor: number;
  /** ISO 4217, upper case. */
  currency: string;
  customerId: string | null;
  invoiceId: string | null;
  captureMethod: string;
  confirmationMethod: string;
  setupFutureUsage: string | null;
  cancellationReason: string | null;
  createdAt: Date;
  latestCharge: ChargeReading | null;
  lastError: { signals: DeclineSignals; requestLogUrl: string | null; chargeId: string | null } | null;
}

export interface InvoiceReading {
  kind: 'invoice';
  id: string;
  status: 'draft' | 'open' | 'paid' | 'uncollectible' | 'void' | 'unmapped';
  amountRemainingMinor: number;
  currency: string;
  payment: PaymentReading | null;
}

/** Stored with an attempt before its charge goes out, to tell later whether that charge happened. */
export interface PaymentWitness {
  paymentId: string | null;
  latestChargeId: string | null;
  lastErrorLogUrl: string | null;
}

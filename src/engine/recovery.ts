import type { CardFacts, SubscriptionFacts, Witness } from '../gateways/gateway.js';
import type {
  Advice,
  DeclineSignals,
  EndReason,
  Loss,
  Policy,
  RoundFacts,
  State,
  Strategy,
  Trigger,
} from '../recovery/facts.js';
import { isOutcomeOpen } from '../recovery/lifecycle.js';
import { policyFromJson, policyToJson, type PolicyJson } from '../recovery/policy.js';

/** What the engine does when a recovery falls due. Work of another kind is left to a version that knows it. */
export const DUE_KINDS = [
  /** Charge it (a scheduled retry, or the first charge). */
  'charge',
  /** Finish the readings that the gateway could not answer at acceptance, then take the first step. */
  'accept',
  /** Read what became of a charge that is unknown, or still at the bank. */
  'settle',
  /** See whether the customer has authenticated. */
  'authentication',
  /** The second step of a simulated outcome. */
  'simulated',
  /** Cancel our own open payment at the gateway: the recovery itself has ended. */
  'cancel_payment',
] as const;
export type DueKind = (typeof DUE_KINDS)[number];

/** One row of `recoveries`, as the engine works on it. Amounts in minor units, instants on the client's clock. */
export interface Recovery {
  clientId: string;
  id: string;
  state: State;
  endReason: EndReason | null;
  endDetail: string | null;
  round: number;
  sequence: number;

  debtName: string;
  originalResolved: string | null;
  paymentObjectId: string | null;
  paymentObjectKind: 'payment' | 'invoice' | null;
  paymentIsOurs: boolean;
  /** An adopted payment allows redirects: its confirm carries `return_url`. */
  paymentReturnUrl: boolean;
  paymentReplacements: number;
  paymentToCancel: string | null;
  /** Uncollectible already at the first reading: still payable. */
  wasUncollectible: boolean;

  idempotencyKey: string | null;
  reference: string | null;
  customerId: string | null;
  gatewayCustomerId: string | null;
  invoiceId: string | null;
  originalGatewayTransactionId: string | null;
  originalFailedAt: Date | null;
  originalSignals: DeclineSignals | null;
  priorAttempts: { at: string; declineCode: string | null }[];
  amountRequestedMinor: number;
  amountMinor: number;
  currency: string;
  tokenSealed: Buffer;
  tokenHash: Buffer;
  card: CardFacts | null;
  cardFingerprint: string | null;
  tokenReusable: boolean;
  fallbackSealed: Buffer | null;
  fallbackLeft: number;
  strategy: Strategy;
  /**
   * `zoneOpen`: neither the request nor the client names a time zone, so the card's country may. `cardChanged`: the card
   * behind the token is another or a newer one than the one that failed. `platform`: a billing platform reported the debt,
   * and may try to collect it too.
   */
  hints: {
    paymentMethodType?: string;
    cardOrigin?: string;
    binPrefix?: string;
    zoneOpen?: boolean;
    cardChanged?: true;
    platform?: string;
    /** Of the invoice that was paid, as it read with the payment. */
    subscription?: SubscriptionFacts;
  };
  customerEmailSealed: Buffer | null;
  policy: Policy;
  metadata: Record<string, string>;
  simulateOutcome: string | null;
  livemode: boolean;
  isTest: boolean;

  roundOpenedAt: Date;
  deadlineAt: Date;
  anchorAt: Date | null;
  scheduledTaken: number;
  chargesMade: number;
  lastAttemptAt: Date | null;
  /** All attempts ever opened: numbers them. */
  attemptsOpened: number;
  /** Without those that were not executed. */
  attemptCount: number;
  attemptsRemaining: number;
  nextTrigger: Trigger;

  dueAt: Date | null;
  dueKind: DueKind | null;
  /** Readings in a row that the gateway did not answer: 10 s, 60 s, 5 m … between them. */
  readingsFailed: number;
  /** Since when an answer is lost, a debit is at the bank, or the customer is expected to authenticate. */
  waitingSince: Date | null;

  lastSignals: DeclineSignals | null;
  advice: Advice;
  message: string;
  trigger: Trigger | null;
  recoveredAt: Date | null;
  gatewayTransactionToken: string | null;
  gatewaysAttempted: number;
  engineApplied: boolean;
  finalEventId: string | null;

  leaseToken: number;
  leaseOwner: string | null;
  crashCount: number;
  createdAt: Date;
  updatedAt: Date;
}

export type AttemptOutcome = 'succeeded' | 'declined' | 'pending' | 'unknown' | 'not_executed';

/** One row of `attempts`: one charge sent under one key, however often it was sent. */
export interface Attempt {
  clientId: string;
  id: string;
  recoveryId: string;
  number: number;
  round: number;
  trigger: Trigger;
  strategy: Strategy;
  amountMinor: number;
  currency: string;
  tokenHash: Buffer;
  cardFingerprint: string | null;
  cardBrand: string | null;
  paymentObjectId: string;
  gatewayKey: string;
  witness: Witness;
  outcome: AttemptOutcome | null;
  loss: Loss | null;
  openedAt: Date;
  sentAt: Date;
  lostAt: Date | null;
  endedAt: Date | null;
  signals: DeclineSignals | null;
  declineCode: string | null;
  networkDeclineCode: string | null;
  adviceCode: string | null;
  gatewayTransactionToken: string | null;
  scheduled: boolean;
}

/** One line of the append-only timeline: a decision, with the rule that made it. */
export interface TimelineEntry {
  sequence: number;
  at: Date;
  type: string;
  fromState: State | null;
  toState: State;
  rule: string;
  inputs: Record<string, unknown>;
  actor: string;
}

const BIGINTS = new Set(['sequence', 'amountRequestedMinor', 'amountMinor', 'leaseToken']);

const columnNames = new Map<string, string>();

/** The names are our own, some hundred of them, and asked for at every write: each is made once. */
export function snakeCase(name: string): string {
  let column = columnNames.get(name);
  if (column === undefined) {
    column = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    columnNames.set(name, column);
  }
  return column;
}

const propertyNames = new Map<string, string>();

function camelCase(column: string): string {
  let name = propertyNames.get(column);
  if (name === undefined) {
    name = column.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    propertyNames.set(column, name);
  }
  return name;
}

/** Reads a row of the database: names to camel case, 64-bit integers to numbers (amounts stay far below 2^53). */
export function rowToObject(row: Record<string, unknown>): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [column, value] of Object.entries(row)) {
    const name = camelCase(column);
    object[name] = BIGINTS.has(name) && value !== null ? Number(value) : value;
  }
  return object;
}

export function recoveryFromRow(row: Record<string, unknown>): Recovery {
  const object = rowToObject(row);
  return { ...object, policy: policyFromJson(object.policy as PolicyJson) } as unknown as Recovery;
}

export function attemptFromRow(row: Record<string, unknown>): Attempt {
  return rowToObject(row) as unknown as Attempt;
}

/** The JSON that `jsonb_populate_record` turns back into a row. */
export function objectToRowJson(object: object): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    row[snakeCase(name)] = Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value;
  }
  return row;
}

export function recoveryToRowJson(recovery: Recovery): Record<string, unknown> {
  return { ...objectToRowJson(recovery), policy: policyToJson(recovery.policy) };
}

/** The same, of those columns alone that are not as they are `stored`. Nothing of a recovery is changed in place. */
export function changesToRowJson(recovery: Recovery, stored: Recovery): Record<string, unknown> {
  const before: Record<string, unknown> = { ...stored };
  const changed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(recovery)) if (value !== before[name]) changed[name] = value ?? null;
  const { policy } = recovery;
  return { ...objectToRowJson(changed), ...(policy === stored.policy ? {} : { policy: policyToJson(policy) }) };
}

/** Where its round stands, for the schedule. Before the first decline of a round the anchor may still be open. */
export function roundFactsOf(recovery: Recovery): RoundFacts {
  return {
    anchorAt: recovery.anchorAt ?? recovery.roundOpenedAt,
    openedAt: recovery.roundOpenedAt,
    deadlineAt: recovery.deadlineAt,
    scheduledTaken: recovery.scheduledTaken,
    chargesMade: recovery.chargesMade,
    lastAttemptAt: recovery.lastAttemptAt,
  };
}

/**
 * True for a recovery whose debt or token the gateway has not told yet: it was silent at acceptance, and a command wants
 * a charge now. Charged unread, a payment would be made beside the invoice or payment that the debt already has.
 */
export function needsFirstReading(recovery: Recovery): boolean {
  if (recovery.simulateOutcome !== null) return false;
  const invoiceUnread = recovery.invoiceId !== null && recovery.paymentObjectKind !== 'invoice';
  const originalUnread = recovery.originalGatewayTransactionId !== null && recovery.originalResolved === null;
  const tokenUnread = recovery.strategy === 'primary' && recovery.tokenReusable && recovery.gatewayCustomerId === null;
  return invoiceUnread || originalUnread || tokenUnread;
}

/** True while a charge may still be on its way, so that nothing else may be charged for the debt. */
export function hasOpenCharge(recovery: Recovery): boolean {
  return isOutcomeOpen(recovery.state);
}

/** The invoice that a recovery collects, or that its payment was made for; null for a debt that is none. */
export function invoiceOf({ paymentObjectKind, paymentObjectId, invoiceId }: Recovery): string | null {
  return paymentObjectKind === 'invoice' ? paymentObjectId : invoiceId;
}

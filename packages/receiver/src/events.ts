import type { CancelReason, DunningStep, EndReason, EventHead, RecoveryFields, Trigger } from './event-fields.js';

/** Money was collected. With `recommendedActionDetail: 'refund_duplicate'` the customer has paid twice. */
export interface RecoverySuccess extends RecoveryFields {
  event: 'recovery.success';
  final: true;
  willRetry: false;
  endReason: null;
  trigger: Trigger;
  /** The event of an end told before, which this takes back. */
  supersedes?: string;
  /** The subscription that the paid invoice bills. */
  subscriptionId?: string;
  /** How it read with the payment, such as `active`: served again. */
  subscriptionStatus?: string;
}

/** Nothing more will be tried. */
export interface RecoveryFailed extends RecoveryFields {
  event: 'recovery.failed';
  final: true;
  willRetry: false;
  endReason: EndReason;
  trigger: Trigger;
  recommendedAction: 'request_card_update' | 'manual_review';
  /** Step 1 of your message sequence, if you have one. */
  dunning?: DunningStep;
}

/** `final`: this card must not be charged. Not `final`: the customer has to authenticate the payment. */
export type RecoveryBlocked = RecoveryFields & { event: 'recovery.blocked'; willRetry: false } & (
    | { final: true; endReason: 'never_charge' }
    | {
        final: false;
        endReason: null;
        recommendedAction: 'request_card_update';
        recommendedActionDetail: 'authenticate';
      }
  );

/** The customer is in the control group: nothing was attempted. */
export interface RecoveryHoldout extends RecoveryFields {
  event: 'recovery.holdout';
  final: true;
  willRetry: false;
  endReason: 'holdout';
  recommendedAction: 'monitor';
}

/** A retry is scheduled. */
export interface RecoveryScheduled extends RecoveryFields {
  event: 'recovery.scheduled';
  final: false;
  willRetry: true;
  endReason: null;
  nextAttemptAt: string;
}

/** One charge was declined. */
export interface RecoveryAttemptFailed extends RecoveryFields {
  event: 'recovery.attempt_failed';
  final: false;
}

/** The customer has to authenticate; `recovery.blocked` says so to those who did not ask for this event. */
export interface RecoveryActionRequired extends RecoveryFields {
  event: 'recovery.action_required';
  final: false;
  endReason: null;
  recommendedActionDetail: 'authenticate';
}

/** A charge's answer was lost. Nothing else is charged until it is known. */
export interface RecoveryUnknown extends RecoveryFields {
  event: 'recovery.unknown';
  final: false;
  willRetry: false;
  endReason: null;
}

/** Called off, or paid some other way. */
export interface RecoveryCancelled extends RecoveryFields {
  event: 'recovery.cancelled';
  final: true;
  willRetry: false;
  endReason: CancelReason;
}

/** A card-update link was used: the new card is the default, and what is named here is charged to it at once. */
export interface CardUpdated extends EventHead, Optional {
  event: 'card.updated';
  /** `cul_…`: the link. */
  cardUpdateId: string;
  gatewayCustomerId: string;
  /** Every recovery that is charged to the new card. */
  transactionIds: string[];
}

/** Steps 2 and later of your message sequence: one per customer. Step 1 is `recovery.failed`. */
export interface DunningStepDue extends EventHead, Optional {
  event: 'dunning.step_due';
  dunning: DunningStep;
}

/** Write no further messages of this sequence. */
export interface DunningStopped extends EventHead, Optional {
  event: 'dunning.stopped';
}

/** One event for all open debts of a customer, in place of one each. */
export interface CustomerSummaryDue extends EventHead, Optional {
  event: 'customer.summary_due';
}

/** An effect that was expected of your backend did not happen. */
export interface IncidentOpened extends EventHead, Optional {
  event: 'incident.opened';
}

export interface IncidentResolved extends EventHead, Optional {
  event: 'incident.resolved';
}

/** A ping: about no recovery, and nothing is to be done. */
export interface WebhookTest extends EventHead {
  event: 'webhook.test';
  revtainTransactionId: null;
  recommendedAction: 'monitor';
  final: false;
  willRetry: false;
  sequence: null;
  metadata: Readonly<Record<string, string>>;
}

/** Recovery fields, where the event is about one; see the raw body for fields of the event's own. */
type Optional = Partial<Omit<RecoveryFields, keyof EventHead>>;

export type RevtainEvent =
  | RecoverySuccess
  | RecoveryFailed
  | RecoveryBlocked
  | RecoveryHoldout
  | RecoveryScheduled
  | RecoveryAttemptFailed
  | RecoveryActionRequired
  | RecoveryUnknown
  | RecoveryCancelled
  | CardUpdated
  | DunningStepDue
  | DunningStopped
  | CustomerSummaryDue
  | IncidentOpened
  | IncidentResolved
  | WebhookTest;

export type EventName = RevtainEvent['event'];
export type EventNamed<Name extends EventName> = Extract<RevtainEvent, { event: Name }>;

/** An event of a later version of Revtain than this package knows. */
export interface UnknownEvent extends Partial<Omit<RecoveryFields, 'id'>> {
  event: string;
  id: string;
}

const NAMES = {
  'recovery.success': true,
  'recovery.failed': true,
  'recovery.blocked': true,
  'recovery.holdout': true,
  'card.updated': true,
  'recovery.scheduled': true,
  'recovery.attempt_failed': true,
  'recovery.action_required': true,
  'recovery.unknown': true,
  'recovery.cancelled': true,
  'dunning.step_due': true,
  'dunning.stopped': true,
  'customer.summary_due': true,
  'incident.opened': true,
  'incident.resolved': true,
  'webhook.test': true,
} as const satisfies Record<EventName, true>;

export const EVENT_NAMES: readonly EventName[] = Object.keys(NAMES) as EventName[];

export function isEventName(name: unknown): name is EventName {
  return typeof name === 'string' && Object.prototype.hasOwnProperty.call(NAMES, name);
}

/** Narrows to the events that this package has types for. */
export function isKnownEvent(event: RevtainEvent | UnknownEvent): event is RevtainEvent {
  return isEventName(event.event);
}

import { jsonLine } from '../platform/json-line.js';
import type { Advice, EndReason, Strategy, Trigger } from '../recovery/facts.js';
import { isDefaultEvent, type EventType } from './event-types.js';
import { isPersonalData, withoutPersonalData } from './no-personal-data.js';

/** The version of the body's form. Keys are only ever added to it. */
export const API_VERSION = '2026-11-01';

/** All that an event tells, as the change that is written with it leaves the recovery. */
export interface EventFacts {
  /** `evt_…` */
  id: string;
  type: EventType;
  /** On the client's clock. */
  createdAt: Date;
  /** The number of the state change in the recovery's timeline. */
  sequence: number;
  recovery: RecoveryFacts;
  advice: Advice;
  decline: DeclineFacts;
  /** When the next charge is set; null when none is. */
  nextAttemptAt: Date | null;
  /** Open recoveries of this customer, this one included while it is open; 1 at least when no customer is named. */
  openRecoveriesForCustomer: number;
  /** Without dunning, `recovery.failed` goes only to endpoints that list it. */
  dunningEnabled: boolean;
  /** The event that a late success takes back. */
  supersedes?: string;
  /** What became of the subscription that the paid invoice bills. */
  subscription?: { id: string; status: string };
  /** The step of the merchant's message sequence that this event is. */
  dunning?: { sequenceId: string; step: number; of: number; tone: 'friendly' | 'urgent' | 'final' };
  /** What a used card-update link came to. */
  cardUpdate?: CardUpdateFacts;
}

/** Of a new card; neither the card nor the link is told. */
export interface CardUpdateFacts {
  cardUpdateId: string;
  gatewayCustomerId: string;
  /** The recoveries that are now charged to the new card. */
  transactionIds: readonly string[];
}

/** Amounts in the gateway's smallest unit. */
export interface RecoveryFacts {
  id: string;
  amountMinor: number;
  amountRequestedMinor: number;
  currency: string;
  message: string;
  strategy: Strategy;
  idempotencyKey: string | null;
  reference: string | null;
  customerId: string | null;
  trigger: Trigger | null;
  gatewayTransactionToken: string | null;
  attemptCount: number;
  endReason: EndReason | null;
  round: number;
  livemode: boolean;
  isSimulated: boolean;
  metadata: Readonly<Record<string, string>>;
}

/** The newest decline, as the router read it; all null when nothing was declined. */
export interface DeclineFacts {
  declineCode: string | null;
  declineCategory: string | null;
  networkDeclineCode: string | null;
  networkAdviceCode: string | null;
}

export interface ComposedEvent {
  type: EventType;
  /** UTF-8 JSON, fixed for ever: every try and every redelivery sends these bytes. */
  body: Buffer;
  /** Goes to endpoints that name no events of their own. */
  isDefault: boolean;
  /** It ends a round (docs/behaviour.md 6). */
  final: boolean;
}

/**
 * Writes an event as the bytes that merchants receive: flat JSON, published names first, in the published order.
 * No customer data gets in: a free text loses it, an id that is itself an e-mail address or the like becomes null.
 */
export function composeEvent(facts: EventFacts): ComposedEvent {
  const { type, recovery, advice, decline } = facts;
  const final = isFinal(type, recovery.endReason);
  const body = {
    event: type,
    revtainTransactionId: recovery.id,
    recommendedAction: advice.recommendedAction,
    amount: recovery.amountMinor,
    currency: recovery.currency,
    declineCode: cleanId(decline.declineCode),
    message: withoutPersonalData(recovery.message),
    strategyUsed: recovery.strategy,
    idempotencyKey: cleanId(recovery.idempotencyKey),
    reference: cleanId(recovery.reference),
    customerId: cleanId(recovery.customerId),
    trigger: recovery.trigger,
    gatewayTransactionToken: cleanId(recovery.gatewayTransactionToken),
    recommendedActionReason: withoutPersonalData(advice.recommendedActionReason),
    recommendedActionDetail: advice.recommendedActionDetail,
    declineCategory: decline.declineCategory,
    networkDeclineCode: cleanId(decline.networkDeclineCode),
    networkAdviceCode: cleanId(decline.networkAdviceCode),
    attemptCount: recovery.attemptCount,
    final,
    willRetry: advice.willRetry,
    endReason: recovery.endReason,
    round: recovery.round,
    amountRequested: recovery.amountRequestedMinor,
    nextAttemptAt: facts.nextAttemptAt?.toISOString() ?? null,
    openRecoveriesForCustomer: facts.openRecoveriesForCustomer,
    id: facts.id,
    sequence: facts.sequence,
    createdAt: facts.createdAt.toISOString(),
    apiVersion: API_VERSION,
    livemode: recovery.livemode,
    isSimulated: recovery.isSimulated,
    metadata: cleanPairs(recovery.metadata),
    ...(facts.supersedes === undefined ? {} : { supersedes: facts.supersedes }),
    ...(facts.subscription === undefined
      ? {}
      : { subscriptionId: facts.subscription.id, subscriptionStatus: facts.subscription.status }),
    ...(facts.dunning === undefined ? {} : { dunning: facts.dunning }),
    ...facts.cardUpdate,
  };
  return {
    type,
    body: jsonLine(body),
    isDefault: isDefaultEvent(type, facts.dunningEnabled),
    final,
  };
}

export interface LoneEventFacts {
  id: string;
  createdAt: Date;
  livemode: boolean;
}

/** The body of `webhook.test`. */
export function composeTestEvent(facts: LoneEventFacts): Buffer {
  const message = 'A test: the endpoint is reached and the signature can be checked.';
  return aboutNoRecovery('webhook.test', message, { ...facts, isSimulated: true });
}

/** The body of a `card.updated` that no recovery is retried after. */
export function composeCardUpdatedAlone(facts: LoneEventFacts, update: CardUpdateFacts): Buffer {
  return aboutNoRecovery('card.updated', CARD_UPDATED, { ...facts, isSimulated: false }, update);
}

/** An event about no recovery, with the keys that every event has. */
function aboutNoRecovery(
  event: EventType,
  message: string,
  { id, createdAt, livemode, isSimulated }: LoneEventFacts & { isSimulated: boolean },
  more: object = {},
): Buffer {
  return jsonLine({
    event,
    revtainTransactionId: null,
    recommendedAction: 'monitor',
    message,
    final: false,
    willRetry: false,
    id,
    sequence: null,
    createdAt: createdAt.toISOString(),
    apiVersion: API_VERSION,
    livemode,
    isSimulated,
    metadata: {},
    ...more,
  });
}

export const CARD_UPDATED = 'The customer has given a new card.';

function isFinal(type: EventType, endReason: EndReason | null): boolean {
  switch (type) {
    case 'recovery.success':
    case 'recovery.failed':
    case 'recovery.cancelled':
    case 'recovery.holdout':
      return true;
    case 'recovery.blocked':
      // While authentication is demanded, the recovery is still open.
      return endReason !== null;
    default:
      return false;
  }
}

// Half an id would match another debt, so one that may not be told is left out whole.
function cleanId(id: string | null): string | null {
  return id === null || isPersonalData(id) ? null : id;
}

function cleanPairs(pairs: Readonly<Record<string, string>>): Record<string, string> {
  const clean = Object.entries(pairs)
    .filter(([name]) => !isPersonalData(name))
    .map(([name, value]) => [name, withoutPersonalData(value)]);
  return Object.fromEntries(clean) as Record<string, string>;
}

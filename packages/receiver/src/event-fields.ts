/** The words and fields that events share. Revtain only ever adds to them: a word that is not listed here may come one day. */

export const RECOMMENDED_ACTIONS = ['request_card_update', 'retry_later', 'manual_review', 'monitor'] as const;
export type RecommendedAction = (typeof RECOMMENDED_ACTIONS)[number];

export type RecommendedActionDetail =
  | 'authenticate'
  | 'possibly_paid'
  | 'amount_changed'
  | 'token_not_reusable'
  | 'original_transaction_open'
  | 'refund_duplicate'
  | 'amount_mismatch'
  | 'invoice_not_open'
  | 'original_transaction_not_found'
  | 'invalid_amount'
  | 'invalid_field';

/** What led to the event. */
export type Trigger =
  'initial' | 'scheduled_retry' | 'card_updated' | 'manual_retry' | 'reconciliation' | 'external' | 'late_success';

/** By what it was charged; `external`: not by Revtain. */
export type Strategy = 'primary' | 'fallback_token' | 'updated_card' | 'network_token' | 'external';

export type DeclineCategory = 'retry_only' | 'blended' | 'hard' | 'authentication' | 'fraud' | 'configuration';

export type CancelReason =
  | 'paid_elsewhere'
  | 'abandoned'
  | 'customer_request'
  | 'voided'
  | 'uncollectible'
  | 'subscription_deleted'
  | 'deauthorised'
  | 'superseded';

/** Why a recovery ended. */
export type EndReason =
  | CancelReason
  | 'exhausted'
  | 'deadline'
  | 'hard_decline'
  | 'never_charge'
  | 'configuration'
  | 'possibly_paid'
  | 'amount_changed'
  | 'token_not_reusable'
  | 'not_authenticated'
  | 'original_transaction_open'
  | 'disputed'
  | 'refunded'
  | 'holdout';

/** Every event has these. Instants are ISO 8601 in UTC with milliseconds. */
export interface EventHead {
  /** What happened, in a sentence. */
  message: string;
  /** `evt_…`: the same on every try, so remember it. */
  id: string;
  createdAt: string;
  apiVersion: string;
  /** Real money. */
  livemode: boolean;
  /** Came from `simulateOutcome`, or is a test. */
  isSimulated: boolean;
}

/** What an event about one recovery tells. Amounts are integers in the gateway's smallest unit. */
export interface RecoveryFields extends EventHead {
  /** A ULID: the same on every answer, status and event of this recovery. */
  revtainTransactionId: string;
  recommendedAction: RecommendedAction;
  amount: number;
  /** ISO 4217. */
  currency: string;
  declineCode: string | null;
  strategyUsed: Strategy;
  idempotencyKey: string | null;
  /** Your invoice or order. */
  reference: string | null;
  customerId: string | null;
  trigger: Trigger | null;
  gatewayTransactionToken: string | null;
  /** Why that action, in a sentence for your team. */
  recommendedActionReason: string;
  recommendedActionDetail: RecommendedActionDetail | null;
  declineCategory: DeclineCategory | null;
  networkDeclineCode: string | null;
  networkAdviceCode: string | null;
  attemptCount: number;
  /** The round has ended. Only a late success may follow; it carries `supersedes`. */
  final: boolean;
  /** Revtain will charge again by itself. */
  willRetry: boolean;
  endReason: EndReason | null;
  /** 1 for the first opening of this recovery. */
  round: number;
  amountRequested: number;
  nextAttemptAt: string | null;
  openRecoveriesForCustomer: number;
  /** Numbers the recovery's state changes: with gaps, when you do not ask for every event. */
  sequence: number;
  metadata: Readonly<Record<string, string>>;
}

/** Where an event stands in your message sequence. */
export interface DunningStep {
  sequenceId: string;
  /** 1 for the first. */
  step: number;
  of: number;
  tone: 'friendly' | 'urgent' | 'final';
}

export function isRecommendedAction(word: unknown): word is RecommendedAction {
  return RECOMMENDED_ACTIONS.some((action) => action === word);
}

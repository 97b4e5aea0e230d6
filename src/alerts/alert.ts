import { ALERT_KINDS, type AlertKind } from '../clients/alert-settings.js';
import type { NotificationChannel } from '../clients/client-settings.js';

export type Channel = NotificationChannel;

export const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Ids, codes, amounts and counts; never customer data. */
export type AlertFacts = Readonly<Record<string, string | number | boolean | null>>;

/** One thing that a person should hear of, as its row holds it. */
export interface Alert {
  id: string;
  /** One of ALERT_KINDS, or the name of a kind that is newer than this process. */
  kind: string;
  severity: Severity;
  facts: AlertFacts;
  createdAt: Date;
  resolvedAt: Date | null;
}

/** An alert on its way into the table. */
export interface AlertDraft {
  kind: AlertKind;
  severity: Severity;
  facts: AlertFacts;
  /** One open alert per key. */
  dedupeKey: string;
}

/** `point` happened and is over; `lasting` goes on until it is resolved, is repeated meanwhile, and its end is told. */
export type Lifecycle = 'point' | 'lasting';

interface KindWords {
  lifecycle: Lifecycle;
  /** As in "1 recovery failed". */
  one: string;
  /** As in "12 recoveries failed". */
  many: string;
  /** How its end is told; null for what has none. */
  over: string | null;
  /** What the reader can do about it. */
  advice: string;
}

const WORDS: Readonly<Record<AlertKind, KindWords>> = {
  recovery_failed: {
    lifecycle: 'point',
    one: 'recovery failed',
    many: 'recoveries failed',
    over: null,
    advice: 'Nothing more will be tried by itself. Consider reviewing the accounts.',
  },
  recovery_blocked: {
    lifecycle: 'point',
    one: 'recovery blocked',
    many: 'recoveries blocked',
    over: null,
    advice: 'These cards must not be charged. Ask for another payment method.',
  },
  charge_unknown_for_long: {
    lifecycle: 'lasting',
    one: 'charge with unknown outcome',
    many: 'charges with unknown outcome',
    over: 'the outcome is known',
    advice: 'Nothing else is charged meanwhile. Look the payment up at the gateway; /resolve settles it by hand.',
  },
  late_success: {
    lifecycle: 'point',
    one: 'late payment after a failure',
    many: 'late payments after a failure',
    over: null,
    advice: 'The money came after the failure was told. Stop what was set in motion because of it.',
  },
  paid_twice: {
    lifecycle: 'point',
    one: 'debt paid twice',
    many: 'debts paid twice',
    over: null,
    advice: 'The customer paid elsewhere and here. Refund one of the two; Revtain never refunds.',
  },
  money_held: {
    lifecycle: 'point',
    one: 'payment held at the gateway',
    many: 'payments held at the gateway',
    over: null,
    advice: 'It is authorised and not collected. Capture or cancel it at the gateway.',
  },
  webhook_endpoint_failing: {
    lifecycle: 'lasting',
    one: 'webhook endpoint failing',
    many: 'warnings of a failing webhook endpoint',
    over: 'the webhook endpoint fails no more',
    advice: 'It has refused every event since. After five days it is disabled.',
  },
  webhook_endpoint_disabled: {
    lifecycle: 'lasting',
    one: 'webhook endpoint disabled',
    many: 'webhook endpoints disabled',
    over: 'the webhook endpoint is enabled again, or deleted',
    advice: 'Events for it wait. Enable it again, then send what it missed with /recover.',
  },
  credentials_refused: {
    lifecycle: 'lasting',
    one: 'gateway refuses the credentials',
    many: 'refusals of the gateway credentials',
    over: 'the gateway takes the credentials again',
    advice: 'Nothing is charged but a probe every five minutes. Set a valid key: PATCH /api/clients/{clientId}.',
  },
  network_limit_reached: {
    lifecycle: 'point',
    one: 'card network limit reached',
    many: 'card network limits reached',
    over: null,
    advice: 'The card is not charged again until the network allows it.',
  },
  unusual_decline_rate: {
    lifecycle: 'lasting',
    one: 'unusually many declines',
    many: 'hours of unusually many declines',
    over: 'no unusual declines any more',
    advice: 'Compare with the last 28 days; look for a change at the gateway or in your own checkout.',
  },
  queue_behind: {
    lifecycle: 'lasting',
    one: 'queue of retries behind',
    many: 'queues of retries behind',
    over: 'the queue has caught up',
    advice: 'Retries are late. Look whether a worker runs and whether the database is slow.',
  },
  work_parked: {
    lifecycle: 'lasting',
    one: 'recovery parked after repeated failures',
    many: 'recoveries parked after repeated failures',
    over: 'the parked recovery goes on',
    advice: 'Five workers in a row failed at it; it is tried again every hour. Report it with the transaction id.',
  },
  incident_open: {
    lifecycle: 'lasting',
    one: 'incident open',
    many: 'incidents open',
    over: 'the incident is resolved',
    advice: 'An event was received, and its effect was not confirmed. Reprocess it, or dismiss the incident.',
  },
  connector_failing: {
    lifecycle: 'lasting',
    one: 'call to a billing platform fails',
    many: 'calls to a billing platform fail',
    over: 'calls to the billing platform work again',
    advice: 'Check the access that was granted at the platform.',
  },
  platform_retries_on: {
    lifecycle: 'point',
    one: 'billing platform that retries too',
    many: 'billing platforms that retry too',
    over: null,
    advice: "Turn the platform's own retries off, or set the client's mode to fill.",
  },
  payment_reversed: {
    lifecycle: 'point',
    one: 'collected payment refunded or disputed',
    many: 'collected payments refunded or disputed',
    over: null,
    advice: 'The recovery stays succeeded. The card is not charged automatically any more; answer the dispute in time.',
  },
  configuration_error: {
    lifecycle: 'point',
    one: 'request refused by the gateway',
    many: 'requests refused by the gateway',
    over: null,
    advice: 'No retry mends it. Correct the named parameter, then execute again.',
  },
  unlisted_decline_code: {
    lifecycle: 'point',
    one: 'decline code that no table lists',
    many: 'decline codes that no table lists',
    over: null,
    advice: 'It is treated with care. Tell us the code, so that it gets a row.',
  },
  unmapped_gateway_answer: {
    lifecycle: 'point',
    one: 'gateway answer that is not known',
    many: 'gateway answers that are not known',
    over: null,
    advice: 'It is treated as unknown and looked up. Report the answer.',
  },
  alert_channel_failing: {
    lifecycle: 'lasting',
    one: 'alert channel failing',
    many: 'alert channels failing',
    over: 'the alert channel works again',
    advice: 'Its alerts go to the next channel. Check its settings, then send a test alert.',
  },
};

/** What is said of a kind; one that is newer than this process is told by its own name. */
export function wordsOf(kind: string): KindWords {
  if (isAlertKind(kind)) return WORDS[kind];
  const name = kind.replaceAll(/[^A-Za-z0-9]+/g, ' ').trim() || 'alert';
  return { lifecycle: 'point', one: name, many: name, over: null, advice: '' };
}

export function isAlertKind(kind: string): kind is AlertKind {
  return ALERT_KINDS.some((known) => known === kind);
}

/** The graver of two. */
export function graver(one: Severity, other: Severity): Severity {
  return SEVERITIES.indexOf(one) >= SEVERITIES.indexOf(other) ? one : other;
}

/** The endpoint, channel or platform that an alert is about; null where it is about the whole account. */
export function subjectOf({ facts }: Pick<Alert, 'facts'>): string | null {
  const named = [facts['endpointId'], facts['platform'], facts['channel']];
  return named.find((value): value is string => typeof value === 'string' && value !== '') ?? null;
}

/** The kinds whose end is told. */
export const LASTING_KINDS: readonly string[] = ALERT_KINDS.filter((kind) => WORDS[kind].lifecycle === 'lasting');

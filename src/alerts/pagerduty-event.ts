import { type Severity, wordsOf } from './alert.js';
import type { OutgoingMessage } from './message.js';
import { oneLine, subjectLineOf } from './wording.js';

/** @see https://developer.pagerduty.com/docs/send-alert-event */
export type PagerDutyEvent = {
  routing_key: string;
  dedup_key: string;
} & (
  | { event_action: 'resolve' }
  | {
      event_action: 'trigger';
      payload: {
        summary: string;
        source: string;
        severity: Severity;
        timestamp: string;
        component: string;
        group: string;
        class: string;
        custom_details: Record<string, unknown>;
      };
      client: 'Revtain';
      client_url?: string;
      links?: { href: string; text: string }[];
    }
);

const SUMMARY_MAX = 1_024;
const DEDUP_KEY_MAX = 255;

/**
 * The event of one message. What lasts has the key of its group, so that the end resolves what the beginning triggered;
 * what is over when it happens is an incident each time, or the second one would wake nobody.
 */
export function pagerDutyEvent(
  message: OutgoingMessage,
  routingKey: string,
  consoleUrl: string | null,
): PagerDutyEvent {
  const { content, clientId, notificationId } = message;
  const [part] = content.parts;
  const lasts = part !== undefined && content.purpose !== 'digest' && wordsOf(part.kind).lifecycle === 'lasting';
  const key = lasts ? part.key : `${part?.key ?? content.purpose}:${notificationId}`;
  const ends = { routing_key: routingKey, dedup_key: `revtain:${clientId}:${key}`.slice(0, DEDUP_KEY_MAX) };
  if (part?.purpose === 'resolved') return { ...ends, event_action: 'resolve' };
  const test = content.livemode ? '' : '[test] ';
  return {
    ...ends,
    event_action: 'trigger',
    payload: {
      summary: oneLine(`${test}${oneLine(content.clientName, 60)}: ${subjectLineOf(content)}`, SUMMARY_MAX),
      source: `revtain ${clientId}`,
      severity: content.severity,
      timestamp: content.createdAt,
      component: part?.subject ?? clientId,
      group: part?.kind ?? 'test',
      class: part?.kind ?? 'test',
      custom_details: detailsOf(message),
    },
    client: 'Revtain',
    ...(consoleUrl === null ? {} : { client_url: consoleUrl, links: [{ href: consoleUrl, text: 'Console' }] }),
  };
}

function detailsOf({ content, id }: OutgoingMessage): Record<string, unknown> {
  const { livemode, inPlaceOf, parts } = content;
  const [part] = parts;
  return {
    messageId: id,
    livemode,
    ...(inPlaceOf.length === 0 ? {} : { inPlaceOf }),
    ...(part && {
      count: part.summary.count,
      open: part.open,
      amounts: part.summary.amounts,
      buckets: part.summary.buckets,
      largest: part.summary.largest,
      examples: part.summary.examples,
    }),
  };
}

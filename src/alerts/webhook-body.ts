import { jsonLine } from '../platform/json-line.js';
import type { OutgoingMessage } from './message.js';
import { subjectLineOf } from './wording.js';

const EVENTS = {
  firing: 'alert.firing',
  repeat: 'alert.firing',
  resolved: 'alert.resolved',
  digest: 'alert.digest',
  test: 'alert.test',
} as const;

/** The body for the merchant's own alert receiver: the message as data. Its `id` stays the same on every try. */
export function webhookBody({ id, clientId, threadId, content }: OutgoingMessage, consoleUrl: string | null): Buffer {
  const body = {
    event: EVENTS[content.purpose],
    id,
    threadId,
    clientId,
    severity: content.severity,
    summary: subjectLineOf(content),
    repeated: content.purpose === 'repeat',
    alerts: content.parts.map((part) => ({
      ...part.summary,
      kind: part.kind,
      subject: part.subject,
      severity: part.severity,
      status: part.purpose === 'resolved' ? 'resolved' : 'firing',
      open: part.open,
      amounts: part.summary.amounts.map(({ amountMinor: amount, ...rest }) => ({ amount, ...rest })),
      largest: part.summary.largest.map(({ amountMinor: amount, ...rest }) => ({ amount, ...rest })),
    })),
    inPlaceOf: content.inPlaceOf,
    consoleUrl,
    livemode: content.livemode,
    createdAt: content.createdAt,
    apiVersion: '2026-11-01',
  };
  return jsonLine(body);
}

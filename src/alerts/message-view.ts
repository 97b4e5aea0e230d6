import type { MessageStatus } from './alerts.dto.js';
import type { Channel, Severity } from './alert.js';
import type { MessageContent } from './message.js';
import { subjectLineOf } from './wording.js';

/** A message as its row holds it, as far as the log shows it. */
export interface LoggedMessage extends Record<string, unknown> {
  id: string;
  notificationId: string;
  threadId: string;
  channel: Channel;
  target: string | null;
  severity: Severity;
  status: MessageStatus;
  content: MessageContent;
  tryCount: number;
  nextTryAt: Date | null;
  lastError: string | null;
  fellBackTo: Channel | null;
  sentAt: Date | null;
  createdAt: Date;
}

/** One row of the log: what was told, where, and what became of it. */
export function messageView(row: LoggedMessage) {
  const { content, nextTryAt, sentAt, createdAt, ...plain } = row;
  return {
    id: plain.id,
    notificationId: plain.notificationId,
    threadId: plain.threadId,
    channel: plain.channel,
    target: plain.target,
    purpose: content.purpose,
    severity: plain.severity,
    status: plain.status,
    summary: subjectLineOf(content),
    alerts: content.parts.map(({ kind, subject, summary, purpose }) => ({
      kind,
      subject,
      status: purpose === 'resolved' ? ('resolved' as const) : ('firing' as const),
      count: summary.count,
      amounts: summary.amounts.map(({ amountMinor: amount, currency, count }) => ({ amount, currency, count })),
    })),
    inPlaceOf: content.inPlaceOf,
    fellBackTo: plain.fellBackTo,
    tryCount: plain.tryCount,
    nextTryAt: nextTryAt?.toISOString() ?? null,
    lastError: plain.lastError,
    sentAt: sentAt?.toISOString() ?? null,
    createdAt: createdAt.toISOString(),
  };
}
export type MessageView = ReturnType<typeof messageView>;

import { Injectable } from '@nestjs/common';

import { Database, type Transaction } from '../platform/db/database.js';
import { type Alert, type Channel, LASTING_KINDS } from './alert.js';
import type { NotificationPart } from './grouping.js';
import type { MessageContent, OutgoingMessage } from './message.js';
import { type Summary, SummaryBuilder } from './summary.js';

const PAGE = 2_000;
/** Longer than a send may take with all its time-outs, so that a lease needs no renewal. */
export const LEASE_SECONDS = 60;

/** A message that this process may send now, once. */
export interface ClaimedMessage extends OutgoingMessage {
  /** The number of this try. */
  tries: number;
  leaseToken: string;
}

/** A message on its way into the queue. */
export interface NewMessage extends OutgoingMessage {
  status: 'queued' | 'opted_out';
  /** Claimed by who makes it, for it is sent at once; null leaves it to the queue. */
  leased: boolean;
}

interface MessageRow {
  client_id: string;
  id: string;
  notification_id: string;
  channel: Channel;
  target: string | null;
  thread_id: string;
  content: MessageContent;
  created_at: Date;
  try_count: number;
  lease_token: string;
}

/** The queue of messages, and what they say. */
@Injectable()
export class MessageStore {
  constructor(private readonly database: Database) {}

  /** Adds up what one part of a message tells: what came since the last time, what is open, or what is over. */
  async summarise(tx: Transaction, clientId: string, channel: Channel, part: NotificationPart): Promise<Summary> {
    const summary = new SummaryBuilder();
    if (part.purpose === 'resolved') {
      for (const alert of await this.lastEnded(tx, clientId, part)) summary.add(alert);
      return summary.done();
    }
    const since = part.purpose === 'repeat' ? 0 : part.afterNumber;
    for (let after: number | null = since; after !== null;) {
      const page: (Alert & { number: number })[] = await this.page(tx, [
        clientId,
        part.key,
        after,
        part.upToNumber,
        channel,
      ]);
      for (const alert of page) if (part.purpose !== 'repeat' || LASTING_KINDS.includes(alert.kind)) summary.add(alert);
      after = page.length === PAGE ? (page.at(-1)?.number ?? null) : null;
    }
    return summary.done();
  }

  /** When this channel's notifications of the last hour were made; tests do not count. */
  async sentInLastHour(tx: Transaction, clientId: string, channel: Channel, now: Date): Promise<Date[]> {
    const { rows } = await tx.query<{ at: Date }>({
      text: `SELECT min(created_at) AS at FROM alert_messages
             WHERE client_id = $1 AND channel = $2 AND created_at > $3::timestamptz - interval '1 hour' AND purpose <> 'test'
             GROUP BY notification_id`,
      values: [clientId, channel, now],
    });
    return rows.map(({ at }) => at);
  }

  async insert(tx: Transaction, message: NewMessage): Promise<void> {
    const { clientId, id, notificationId, channel, target, threadId, content, createdAt, status, leased } = message;
    await tx.query({
      text: `INSERT INTO alert_messages (client_id, id, notification_id, channel, target, purpose, severity, status, content,
               thread_id, next_try_at, try_count, lease_until, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $8 = 'queued' THEN $11::timestamptz END, $12,
               CASE WHEN $12 > 0 THEN clock_timestamp() + interval '${LEASE_SECONDS} seconds' END, $11)`,
      values: [
        ...[clientId, id, notificationId, channel, target, content.purpose, content.severity, status],
        ...[JSON.stringify(content), threadId, createdAt, leased ? 1 : 0],
      ],
    });
  }

  /** Takes due messages of any client under a lease, some of each client, so that no one client holds up the others. */
  async claimDue(now: Date, limit: number): Promise<ClaimedMessage[]> {
    const { rows } = await this.database.query<MessageRow & Record<string, unknown>>(
      { role: 'worker' },
      { name: 'claim_alert_messages', text: CLAIM, values: [now, limit, PER_CLIENT_MAX] },
    );
    return rows.map((row) => ({
      clientId: row.client_id,
      id: row.id,
      notificationId: row.notification_id,
      channel: row.channel,
      target: row.target,
      threadId: row.thread_id,
      content: row.content,
      createdAt: row.created_at,
      tries: row.try_count,
      leaseToken: row.lease_token,
    }));
  }

  /** Notes that a message arrived, whoever holds its lease by now: it must not be sent again. */
  async settleSent(tx: Transaction, { clientId, id }: ClaimedMessage, now: Date): Promise<void> {
    await tx.query({
      text: `UPDATE alert_messages SET status = 'sent', sent_at = $3, next_try_at = NULL, lease_until = NULL, last_error = NULL
             WHERE client_id = $1 AND id = $2 AND status <> 'sent'`,
      values: [clientId, id, now],
    });
  }

  async settleRetry(tx: Transaction, message: ClaimedMessage, nextTryAt: Date, error: string): Promise<void> {
    await this.settle(tx, message, `next_try_at = $4, last_error = $5`, [nextTryAt, error]);
  }

  /** Answers whether this process still held the lease. */
  async settleFailed(tx: Transaction, message: ClaimedMessage, error: string, optedOut: boolean): Promise<boolean> {
    const status = optedOut ? 'opted_out' : 'failed';
    return this.settle(tx, message, `next_try_at = NULL, status = $4, last_error = $5`, [status, error]);
  }

  async noteFallback(tx: Transaction, { clientId, notificationId }: OutgoingMessage, to: Channel): Promise<void> {
    await tx.query({
      text: `UPDATE alert_messages SET fell_back_to = $3 WHERE client_id = $1 AND notification_id = $2 AND status <> 'sent'`,
      values: [clientId, notificationId, to],
    });
  }

  /** Whether another address of the same notification got it, or still may. */
  async hasLivingSibling(tx: Transaction, { clientId, notificationId, id }: OutgoingMessage): Promise<boolean> {
    const { rows } = await tx.query({
      text: `SELECT 1 FROM alert_messages
             WHERE client_id = $1 AND notification_id = $2 AND id <> $3 AND status IN ('queued', 'sent') LIMIT 1`,
      values: [clientId, notificationId, id],
    });
    return rows.length > 0;
  }

  /** Channels that have given up on something that this message tells. */
  async channelsGivenUp(tx: Transaction, { clientId, id }: OutgoingMessage): Promise<Channel[]> {
    const { rows } = await tx.query<{ channel: Channel }>({ text: GIVEN_UP, values: [clientId, id] });
    return rows.map(({ channel }) => channel);
  }

  /** The addresses that a notification was written to, whatever became of it. */
  async targetsWritten(tx: Transaction, { clientId, notificationId }: OutgoingMessage): Promise<(string | null)[]> {
    const { rows } = await tx.query<{ target: string | null }>({
      text: 'SELECT target FROM alert_messages WHERE client_id = $1 AND notification_id = $2',
      values: [clientId, notificationId],
    });
    return rows.map(({ target }) => target);
  }

  private async settle(tx: Transaction, message: ClaimedMessage, change: string, values: unknown[]): Promise<boolean> {
    const { rowCount } = await tx.query({
      text: `UPDATE alert_messages SET ${change}, lease_until = NULL
             WHERE client_id = $1 AND id = $2 AND lease_token = $3 AND status = 'queued'`,
      values: [message.clientId, message.id, message.leaseToken, ...values],
    });
    return rowCount === 1;
  }

  private async page(tx: Transaction, values: unknown[]): Promise<(Alert & { number: number })[]> {
    const { rows } = await tx.query<Alert & { number: number }>({
      text: `SELECT ${ALERT} FROM operator_alerts
             WHERE client_id = $1 AND group_key = $2 AND taken_number > $3 AND taken_number <= $4 AND $5 = ANY (routed)
               -- What lasted is not told any more once it is over; a point in time is, whatever became of its row.
               AND (end_taken_at IS NULL OR NOT kind = ANY ($6))
             ORDER BY taken_number LIMIT ${PAGE}`,
      values: [...values, LASTING_KINDS],
    });
    return rows;
  }

  private async lastEnded(tx: Transaction, clientId: string, part: NotificationPart): Promise<Alert[]> {
    const { rows } = await tx.query<Alert & Record<string, unknown>>({
      text: `SELECT ${ALERT} FROM operator_alerts
             WHERE client_id = $1 AND group_key = $2 AND taken_number > 0 AND taken_number <= $3 AND end_taken_at IS NOT NULL
             ORDER BY taken_number DESC LIMIT 5`,
      values: [clientId, part.key, part.upToNumber],
    });
    return rows;
  }
}

const ALERT = `id, kind, severity, facts, created_at AS "createdAt", resolved_at AS "resolvedAt", taken_number::float8 AS number`;

// Two messages tell of the same where alerts of one group are in both, or where both say that the same is over.
const GIVEN_UP = `
  SELECT DISTINCT o.channel FROM alert_messages m
  CROSS JOIN jsonb_to_recordset(m.content -> 'parts') AS p (key text, purpose text, "afterNumber" bigint, "upToNumber" bigint)
  JOIN alert_messages o ON o.client_id = m.client_id AND o.channel <> m.channel AND o.status = 'failed'
    AND o.created_at > m.created_at - interval '2 days'
  CROSS JOIN jsonb_to_recordset(o.content -> 'parts') AS q (key text, purpose text, "afterNumber" bigint, "upToNumber" bigint)
  WHERE m.client_id = $1 AND m.id = $2 AND q.key = p.key
    AND (q."afterNumber" < p."upToNumber" AND q."upToNumber" > p."afterNumber"
      OR q.purpose = p.purpose AND q."upToNumber" = p."upToNumber")`;

const PER_CLIENT_MAX = 4;

const CLAIM = `
  WITH candidates AS MATERIALIZED (
    SELECT client_id, id, next_try_at, row_number() OVER (PARTITION BY client_id ORDER BY next_try_at) AS place
    FROM alert_messages
    WHERE status = 'queued' AND next_try_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())),
  due AS MATERIALIZED (
    SELECT m.client_id, m.id FROM alert_messages m JOIN candidates c ON c.client_id = m.client_id AND c.id = m.id
    WHERE c.place <= $3 AND m.status = 'queued' AND (m.lease_until IS NULL OR m.lease_until < clock_timestamp())
    ORDER BY m.next_try_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED)
  UPDATE alert_messages m SET lease_until = clock_timestamp() + interval '${LEASE_SECONDS} seconds',
    lease_token = m.lease_token + 1, try_count = m.try_count + 1
  FROM due WHERE m.client_id = due.client_id AND m.id = due.id
  RETURNING m.client_id, m.id, m.notification_id, m.channel, m.target, m.thread_id, m.content, m.created_at, m.try_count,
    m.lease_token`;

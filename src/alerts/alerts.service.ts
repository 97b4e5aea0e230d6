import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts } from '../clients/alert-accounts.service.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { badField, DomainError, notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import type { AlertsQuery } from './alerts.dto.js';
import type { Channel } from './alert.js';
import { AlertDeliveries } from './deliveries.service.js';
import { type ClaimedMessage, MessageStore } from './message-store.js';
import { contentOf, targetsOf } from './message-writer.js';
import { type LoggedMessage, messageView, type MessageView } from './message-view.js';
import { TurnStore } from './turn-store.js';

/** A test button is pressed a few times, not a hundred: each press may cost a text message. For each channel. */
const TESTS_A_MINUTE = 6;

const COLUMNS = `id, notification_id AS "notificationId", thread_id AS "threadId", channel, target, severity, status, content,
  try_count AS "tryCount", next_try_at AS "nextTryAt", last_error AS "lastError", fell_back_to AS "fellBackTo",
  sent_at AS "sentAt", created_at AS "createdAt"`;

/** The log of what a client's team was told, and the test button. */
@Injectable()
export class AlertsService {
  constructor(
    private readonly database: Database,
    private readonly accounts: AlertAccounts,
    private readonly messages: MessageStore,
    private readonly turns: TurnStore,
    private readonly deliveries: AlertDeliveries,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /** Newest first. @throws {DomainError} 404, 400 `invalid_cursor`. */
  async list(clientId: string, { status, channel, after, limit }: AlertsQuery) {
    const rows = await this.inTransaction(clientId, async (tx) => {
      await this.demandAccount(tx, clientId);
      if (after !== undefined) await demandRow(tx, clientId, after);
      return readRows(tx, clientId, { status, channel, after }, limit + 1);
    });
    const data = rows.slice(0, limit).map(messageView);
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.id ?? null) : null };
  }

  /**
   * Sends a test alert to every place of one channel, or of all that were asked for, and waits for what becomes of each.
   * @throws {DomainError} 404, 400 for a channel that was not asked for, 429 for too many tests in a minute.
   */
  async test(clientId: string, channel: Channel | undefined): Promise<{ data: MessageView[]; warnings: string[] }> {
    const { messages, warnings } = await this.inTransaction(clientId, async (tx) => {
      const account = await this.demandAccount(tx, clientId);
      const asked = account.channels.filter((each) => channel === undefined || each.channel === channel);
      if (asked.length === 0) {
        throw badField('channel', 'invalid_field', 'is not asked for', 'a channel of notificationChannels');
      }
      // One press after the other, so that none overlooks those that are made at the same time.
      await this.turns.lock(tx, clientId, true);
      const now = this.clock.now();
      const channels = asked.map((each) => each.channel);
      await this.demandPatience(tx, clientId, channels, now);
      const written: ClaimedMessage[] = [];
      for (const each of asked.filter(({ missing }) => missing.length === 0)) {
        written.push(...(await this.writeTests(tx, account, each.channel, now)));
      }
      const lacking = asked.flatMap((each) => each.missing.map((name) => `${each.channel}: ${name} is not set`));
      return { messages: written, warnings: lacking };
    });
    await Promise.all(messages.map((message) => this.deliveries.deliver(message)));
    const ids = messages.map(({ id }) => id);
    const rows = await this.inTransaction(clientId, (tx) => readRows(tx, clientId, { ids }, ids.length));
    return { data: rows.map(messageView), warnings };
  }

  private async writeTests(
    tx: Transaction,
    account: AlertAccount,
    channel: Channel,
    now: Date,
  ): Promise<ClaimedMessage[]> {
    const notificationId = this.ids.ulid();
    const messages = targetsOf(account, channel).map((target): ClaimedMessage => ({
      id: this.ids.ulid(),
      notificationId,
      clientId: account.clientId,
      channel,
      target,
      threadId: notificationId,
      content: {
        ...contentOf(account, now),
        purpose: 'test',
        severity: 'info',
        parts: [],
        hourlyCap: null,
        inPlaceOf: [],
      },
      createdAt: now,
      tries: 1,
      leaseToken: '0',
    }));
    for (const message of messages) await this.messages.insert(tx, { ...message, status: 'queued', leased: true });
    return messages;
  }

  private async demandAccount(tx: Transaction, clientId: string): Promise<AlertAccount> {
    const account = await this.accounts.read(tx, clientId);
    if (!account) throw notFound('There is no such client.');
    return account;
  }

  /** A press is one notification on each of its channels, however many addresses these have. */
  private async demandPatience(tx: Transaction, clientId: string, channels: Channel[], now: Date): Promise<void> {
    const { rows } = await tx.query<{ count: number; oldest: Date | null }>({
      text: `SELECT coalesce(max(presses), 0)::int AS count, min(oldest) AS oldest FROM (
               SELECT count(DISTINCT notification_id) AS presses, min(created_at) AS oldest FROM alert_messages
               WHERE client_id = $1 AND purpose = 'test' AND created_at > $2::timestamptz - interval '1 minute'
                 AND channel = ANY ($3)
               GROUP BY channel) tests`,
      values: [clientId, now, channels],
    });
    const { count = 0, oldest = null } = rows[0] ?? {};
    if (count < TESTS_A_MINUTE || oldest === null) return;
    throw tooManyTests(Math.max(1, Math.ceil((oldest.getTime() + 60_000 - now.getTime()) / 1_000)));
  }

  private inTransaction<T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction({ role: 'tenant', clientId }, work);
  }
}

interface RowFilter {
  status?: string | undefined;
  channel?: string | undefined;
  after?: string | undefined;
  ids?: string[];
}

async function readRows(tx: Transaction, clientId: string, filter: RowFilter, limit: number): Promise<LoggedMessage[]> {
  const filters: [string, unknown][] = [
    ['status =', filter.status],
    ['channel =', filter.channel],
    ['id <', filter.after],
    ['id = ANY', filter.ids],
  ];
  const given = filters.filter(([, value]) => value !== undefined);
  const conditions = given.map(([condition], index) => `AND ${condition} ($${index + 2})`);
  const { rows } = await tx.query<LoggedMessage>({
    text: `SELECT ${COLUMNS} FROM alert_messages WHERE client_id = $1 ${conditions.join(' ')} ORDER BY id DESC LIMIT ${limit}`,
    values: [clientId, ...given.map(([, value]) => value)],
  });
  return rows;
}

async function demandRow(tx: Transaction, clientId: string, id: string): Promise<void> {
  const { rows } = await tx.query({
    text: 'SELECT 1 FROM alert_messages WHERE client_id = $1 AND id = $2',
    values: [clientId, id],
  });
  if (rows.length === 0)
    throw badField('after', 'invalid_cursor', 'is no row of this list', 'nextAfter of the page before');
}

function tooManyTests(waitSeconds: number): DomainError {
  return new DomainError({
    status: 429,
    code: 'rate_limited',
    detail: `More than ${TESTS_A_MINUTE} tests in a minute.`,
    headers: {
      'retry-after': String(waitSeconds),
      'ratelimit-limit': String(TESTS_A_MINUTE),
      'ratelimit-remaining': '0',
      'ratelimit-reset': String(waitSeconds),
    },
    members: { retryAfter: `${waitSeconds} seconds` },
  });
}

import { Injectable } from '@nestjs/common';

import { Database, type Transaction } from '../platform/db/database.js';
import { type Alert, type Channel, LASTING_KINDS } from './alert.js';
import type { GroupState, NotificationPart } from './grouping.js';

/** An alert that no group has taken yet, or whose end none has. */
export type AlertRow = Alert & { number: number; routed: Channel[] | null; groupKey: string | null };

export interface TakenAlert {
  id: string;
  number: number;
  groupKey: string;
  routed: Channel[];
  /** It was over before anybody could be told. */
  isOver: boolean;
}

/** From the channel that failed to the one that takes over. */
export interface Rerouting {
  from: Channel;
  to: Channel;
}

/** More of them at once would make one transaction long; the rest comes with the next turn. */
export const TAKEN_AT_ONCE = 2_000;

const DUE_CLIENTS = `
  SELECT client_id FROM alert_turns WHERE due_at <= $1
  UNION (SELECT client_id FROM operator_alerts WHERE taken_number IS NULL GROUP BY client_id)
  UNION (SELECT client_id FROM operator_alerts WHERE taken_number > 0 AND resolved_at IS NOT NULL AND end_taken_at IS NULL
         GROUP BY client_id)
  LIMIT 200`;

const ALERT_COLUMNS = `id, kind, severity, facts, created_at AS "createdAt", resolved_at AS "resolvedAt",
  taken_number::float8 AS number, routed, group_key AS "groupKey"`;

/** The rows of grouping: one client's at a time, and only for whoever has its turn. */
@Injectable()
export class TurnStore {
  constructor(private readonly database: Database) {}

  /** Clients that something is to be decided for. */
  async dueClients(now: Date): Promise<string[]> {
    const statement = { name: 'alert_clients_due', text: DUE_CLIENTS, values: [now] };
    const { rows } = await this.database.query<{ client_id: string }>({ role: 'worker' }, statement);
    return rows.map((row) => row.client_id);
  }

  /** When the first group of any client falls due; null when none waits. */
  async nextDueAt(): Promise<Date | null> {
    const statement = { text: 'SELECT min(due_at) AS at FROM alert_turns WHERE due_at IS NOT NULL' };
    const { rows } = await this.database.query<{ at: Date | null }>({ role: 'worker' }, statement);
    return rows[0]?.at ?? null;
  }

  /**
   * Takes the client's turn for the length of the transaction; null when another process has it.
   * @param wait waits for that one instead
   */
  async lock(tx: Transaction, clientId: string, wait = false): Promise<{ lastNumber: number } | null> {
    await tx.query({
      text: 'INSERT INTO alert_turns (client_id) VALUES ($1) ON CONFLICT DO NOTHING',
      values: [clientId],
    });
    const { rows } = await tx.query<{ lastNumber: number }>({
      text: `SELECT last_number::float8 AS "lastNumber" FROM alert_turns WHERE client_id = $1
             FOR UPDATE ${wait ? '' : 'SKIP LOCKED'}`,
      values: [clientId],
    });
    return rows[0] ?? null;
  }

  async untaken(tx: Transaction, clientId: string): Promise<AlertRow[]> {
    const { rows } = await tx.query<AlertRow>({
      text: `SELECT ${ALERT_COLUMNS} FROM operator_alerts
             WHERE client_id = $1 AND taken_number IS NULL ORDER BY id LIMIT ${TAKEN_AT_ONCE}`,
      values: [clientId],
    });
    return rows;
  }

  async untakenEnds(tx: Transaction, clientId: string): Promise<AlertRow[]> {
    const { rows } = await tx.query<AlertRow>({
      text: `SELECT ${ALERT_COLUMNS} FROM operator_alerts
             WHERE client_id = $1 AND taken_number > 0 AND resolved_at IS NOT NULL AND end_taken_at IS NULL
             ORDER BY id LIMIT ${TAKEN_AT_ONCE}`,
      values: [clientId],
    });
    return rows;
  }

  async markTaken(tx: Transaction, clientId: string, taken: readonly TakenAlert[], now: Date): Promise<void> {
    if (taken.length === 0) return;
    const rows = taken.map((each) => ({ ...each, groupkey: each.groupKey, isover: each.isOver }));
    await tx.query({
      text: `UPDATE operator_alerts a SET taken_number = n.number, group_key = n.groupkey, routed = n.routed,
               end_taken_at = CASE WHEN n.isover THEN $3::timestamptz END
             FROM jsonb_to_recordset($2::jsonb) AS n (id text, number bigint, groupkey text, routed text[], isover boolean)
             WHERE a.client_id = $1 AND a.id = n.id`,
      values: [clientId, JSON.stringify(rows), now],
    });
  }

  async markEndsTaken(tx: Transaction, clientId: string, ids: readonly string[], now: Date): Promise<void> {
    if (ids.length === 0) return;
    await tx.query({
      text: 'UPDATE operator_alerts SET end_taken_at = $3 WHERE client_id = $1 AND id = ANY ($2)',
      values: [clientId, ids, now],
    });
  }

  async groups(tx: Transaction, clientId: string): Promise<GroupState[]> {
    const { rows } = await tx.query<GroupState & Record<string, unknown>>({
      text: `SELECT channel, key, kind, subject, severity, told_up_to::float8 AS "toldUpTo", newest::float8 AS newest, untold,
               untold_since AS "untoldSince", open, told_at AS "toldAt", told_open AS "toldOpen", over_since AS "overSince",
               thread_id AS "threadId", took_over AS "tookOver"
             FROM alert_groups WHERE client_id = $1`,
      values: [clientId],
    });
    return rows;
  }

  async saveGroups(tx: Transaction, clientId: string, groups: readonly GroupState[]): Promise<void> {
    if (groups.length === 0) return;
    await tx.query({ text: SAVE_GROUPS, values: [clientId, JSON.stringify(groups.map(groupRow))] });
  }

  async dropGroups(tx: Transaction, clientId: string, groups: readonly GroupState[]): Promise<void> {
    for (const { channel, key } of groups) {
      await tx.query({
        text: 'DELETE FROM alert_groups WHERE client_id = $1 AND channel = $2 AND key = $3',
        values: [clientId, channel, key],
      });
    }
  }

  async endTurn(tx: Transaction, clientId: string, lastNumber: number, dueAt: Date | null): Promise<void> {
    await tx.query({
      text: 'UPDATE alert_turns SET last_number = $2, due_at = $3 WHERE client_id = $1',
      values: [clientId, lastNumber, dueAt],
    });
  }

  /** Makes the client's turn due at once: something was changed beside it. */
  async wakeTurn(tx: Transaction, clientId: string, now: Date): Promise<void> {
    await tx.query({ text: 'UPDATE alert_turns SET due_at = $2 WHERE client_id = $1', values: [clientId, now] });
  }

  /**
   * Adds a channel to those that the alerts of a part are told on. Answers how many were not told there before, and how
   * many of these are still open.
   */
  async reroute(tx: Transaction, clientId: string, part: NotificationPart, { from, to }: Rerouting) {
    const { rows } = await tx.query<{ count: number; open: number }>({
      text: `WITH moved AS (
               UPDATE operator_alerts SET routed = array_append(routed, $5)
               WHERE client_id = $1 AND group_key = $2 AND taken_number > $6 AND taken_number <= $3
                 AND $4 = ANY (routed) AND NOT ($5 = ANY (routed)) AND (end_taken_at IS NULL OR NOT kind = ANY ($7))
               RETURNING kind)
             SELECT count(*)::int AS count, (count(*) FILTER (WHERE kind = ANY ($7)))::int AS open FROM moved`,
      values: [clientId, part.key, part.upToNumber, from, to, part.afterNumber, LASTING_KINDS],
    });
    return rows[0] ?? { count: 0, open: 0 };
  }

  /** Whether any alert of a group is told on a channel. */
  async isToldOn(tx: Transaction, clientId: string, key: string, channel: Channel): Promise<boolean> {
    const { rows } = await tx.query({
      text: `SELECT 1 FROM operator_alerts
             WHERE client_id = $1 AND group_key = $2 AND taken_number > 0 AND $3 = ANY (routed) LIMIT 1`,
      values: [clientId, key, channel],
    });
    return rows.length > 0;
  }
}

const SAVE_GROUPS = `
  INSERT INTO alert_groups (client_id, channel, key, kind, subject, severity, told_up_to, newest, untold, untold_since, open,
    told_at, told_open, over_since, thread_id, took_over)
  SELECT $1, channel, key, kind, subject, severity, told_up_to, newest, untold, untold_since, open, told_at, told_open,
    over_since, thread_id, took_over
  FROM jsonb_to_recordset($2::jsonb) AS n (channel text, key text, kind text, subject text, severity text, told_up_to bigint,
    newest bigint, untold integer, untold_since timestamptz, open integer, told_at timestamptz, told_open boolean,
    over_since timestamptz, thread_id text, took_over text[])
  ON CONFLICT (client_id, channel, key) DO UPDATE SET severity = excluded.severity, told_up_to = excluded.told_up_to,
    newest = excluded.newest, untold = excluded.untold, untold_since = excluded.untold_since, open = excluded.open,
    told_at = excluded.told_at, told_open = excluded.told_open, over_since = excluded.over_since,
    thread_id = excluded.thread_id, took_over = excluded.took_over`;

function groupRow(group: GroupState): Record<string, unknown> {
  return {
    channel: group.channel,
    key: group.key,
    kind: group.kind,
    subject: group.subject,
    severity: group.severity,
    told_up_to: group.toldUpTo,
    newest: group.newest,
    untold: group.untold,
    untold_since: group.untoldSince,
    open: group.open,
    told_at: group.toldAt,
    told_open: group.toldOpen,
    over_since: group.overSince,
    thread_id: group.threadId,
    took_over: group.tookOver,
  };
}

import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import type { AlertKind } from '../clients/alert-settings.js';
import type { Transaction } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import type { State } from '../recovery/facts.js';
import type { AlertDraft } from './alert.js';
import { BEHIND_AFTER_MS, type ChargeCount, type Fact } from './rules.js';

const HOUR_MS = 3_600_000;
/** Rows become visible when they are committed, which is later than the time their id tells; processes' clocks differ. */
export const LOOK_BACK_MS = 120_000;
const EVENTS_AT_ONCE = 5_000;
/** Charges that end later than that after their hour are not counted into it. */
const HOUR_SETTLED_MS = 5 * 60_000;
const HOURS_AT_ONCE = 48;
const BASELINE_HOURS = 28 * 24;

export interface WatchState {
  eventsReadUntil: Date | null;
  chargesCountedUntil: Date | null;
  isTest: boolean;
  /** When the account was last changed: what happened before was nobody's to hear. */
  accountChangedAt: Date;
}

/**
 * Reads what other rooms have written, to find what a person should hear of. It only reads there: the outbox by the time
 * in its ids, recoveries and charges by their primary keys and due times.
 */
@Injectable()
export class WatchStore {
  constructor(private readonly ids: Ids) {}

  async state(tx: Transaction, clientId: string): Promise<WatchState> {
    const { rows } = await tx.query<WatchState & Record<string, unknown>>({
      text: `SELECT t.events_read_until AS "eventsReadUntil", t.charges_counted_until AS "chargesCountedUntil",
               c.is_test AS "isTest", c.updated_at AS "accountChangedAt"
             FROM alert_turns t JOIN clients c ON c.id = t.client_id WHERE t.client_id = $1`,
      values: [clientId],
    });
    const [state] = rows;
    if (!state) throw new Error(`client ${clientId} has no turn`);
    return state;
  }

  /** Recoveries that ended without money since the last look, some of them for the second time. */
  async endedRecoveries(
    tx: Transaction,
    clientId: string,
    state: WatchState,
  ): Promise<{ facts: Fact[]; isWhole: boolean }> {
    const from = state.eventsReadUntil ?? state.accountChangedAt;
    const { rows } = await tx.query<EndedRow & Record<string, unknown>>({
      text: ENDED,
      values: [clientId, `evt_${encodeTime(Math.max(0, from.getTime() - LOOK_BACK_MS))}`],
    });
    const facts = rows.map(({ id, type, body }): Fact => ({
      kind: 'recovery_ended',
      outcome: type === 'recovery.failed' ? 'failed' : 'blocked',
      eventId: id,
      transactionId: body.revtainTransactionId,
      amountMinor: body.amount,
      currency: body.currency,
      bucket: body.declineCategory,
      declineCode: body.declineCode,
      endReason: body.endReason,
    }));
    return { facts, isWhole: rows.length < EVENTS_AT_ONCE };
  }

  /** Endpoints that fail or are disabled; `raises` is false for what is told in another way by now. */
  async endpoints(tx: Transaction, clientId: string): Promise<{ fact: Fact; raises: boolean }[]> {
    const { rows } = await tx.query<EndpointRow & Record<string, unknown>>({
      text: `SELECT id, enabled, disabled_reason, failing_since FROM webhook_endpoints
             WHERE client_id = $1 AND deleted_at IS NULL AND (failing_since IS NOT NULL OR NOT enabled)`,
      values: [clientId],
    });
    return rows.flatMap(({ id: endpointId, enabled, disabled_reason: reason, failing_since: since }) => [
      ...(since ? [{ fact: { kind: 'endpoint_failing', endpointId, since } as const, raises: enabled }] : []),
      // One that the merchant disabled itself has no such reason.
      ...(!enabled && (reason === 'gone' || reason === 'failing')
        ? [{ fact: { kind: 'endpoint_disabled', endpointId, reason } as const, raises: true }]
        : []),
    ]);
  }

  /** Work that is late. */
  async lateWork(tx: Transaction, clientId: string, now: Date): Promise<Fact[]> {
    const { rows } = await tx.query<{ late: number; oldest: Date | null }>({
      text: LATE,
      values: [clientId, now, BEHIND_AFTER_MS / 1_000],
    });
    return rows.map(({ late, oldest }) => ({ kind: 'queue', late, oldestDueAt: oldest }));
  }

  /** Recoveries that an open alert calls parked, with the failures in a row of each; null where no work is left. */
  async parkedWork(tx: Transaction, clientId: string): Promise<{ dedupeKey: string; failures: number | null }[]> {
    const { rows } = await tx.query<{ dedupeKey: string; failures: number | null }>({
      text: `SELECT a.dedupe_key AS "dedupeKey", CASE WHEN r.due_at IS NOT NULL THEN r.crash_count END AS failures
             FROM operator_alerts a LEFT JOIN recoveries r ON r.client_id = a.client_id AND r.id = a.recovery_id
             WHERE a.client_id = $1 AND a.resolved_at IS NULL AND a.kind = 'work_parked'`,
      values: [clientId],
    });
    return rows;
  }

  /** Recoveries that an open alert calls unknown, with the state that each is in now. */
  async unknownCharges(tx: Transaction, clientId: string): Promise<{ dedupeKey: string; state: State | null }[]> {
    const { rows } = await tx.query<{ dedupeKey: string; state: State | null }>({
      text: `SELECT a.dedupe_key AS "dedupeKey", r.state FROM operator_alerts a
             LEFT JOIN recoveries r ON r.client_id = a.client_id AND r.id = a.recovery_id
             WHERE a.client_id = $1 AND a.resolved_at IS NULL AND a.kind = 'charge_unknown_for_long'`,
      values: [clientId],
    });
    return rows;
  }

  /**
   * Counts the charges of every hour that is over. Answers the last of them and the 28 days before it; null while no hour
   * is over since the last count.
   */
  async countCharges(tx: Transaction, clientId: string, state: WatchState, now: Date): Promise<ChargeHours | null> {
    const until = countedUntil(now);
    const counted = state.chargesCountedUntil ?? new Date(until.getTime() - HOURS_AT_ONCE * HOUR_MS);
    if (counted >= until) return null;
    const from = new Date(Math.max(counted.getTime(), until.getTime() - HOURS_AT_ONCE * HOUR_MS));
    const values = [clientId, ...[from, until].map((at) => `att_${encodeTime(at.getTime())}`)];
    await tx.query({ text: COUNT_HOURS, values });
    await tx.query({
      text: 'UPDATE alert_turns SET charges_counted_until = $2 WHERE client_id = $1',
      values: [clientId, until],
    });
    const lastHour = new Date(until.getTime() - HOUR_MS);
    const oldest = new Date(lastHour.getTime() - BASELINE_HOURS * HOUR_MS);
    const { rows } = await tx.query<{ isLast: boolean } & ChargeCount>({
      text: `SELECT hour = $2::timestamptz AS "isLast", sum(charges)::int AS charges, sum(declined)::int AS declined
             FROM alert_charge_hours WHERE client_id = $1 AND hour >= $3 AND hour <= $2 GROUP BY 1`,
      values: [clientId, lastHour, oldest],
    });
    const none = { charges: 0, declined: 0 };
    return { lastHour: rows.find((row) => row.isLast) ?? none, before: rows.find((row) => !row.isLast) ?? none };
  }

  async openKeys(tx: Transaction, clientId: string, kind: string): Promise<{ dedupeKey: string }[]> {
    const { rows } = await tx.query<{ dedupeKey: string }>({
      text: `SELECT dedupe_key AS "dedupeKey" FROM operator_alerts WHERE client_id = $1 AND kind = $2 AND resolved_at IS NULL`,
      values: [clientId, kind],
    });
    return rows;
  }

  /** Writes alerts that were never written; a point in time is told once, whatever became of its row. */
  async raise(tx: Transaction, clientId: string, drafts: readonly AlertDraft[], now: Date): Promise<void> {
    if (drafts.length === 0) return;
    const rows = drafts.map((draft) => ({
      id: this.ids.ulid(),
      kind: draft.kind,
      severity: draft.severity,
      facts: draft.facts,
      recovery: draft.facts['transactionId'] ?? null,
      key: draft.dedupeKey,
    }));
    await tx.query({ text: RAISE, values: [clientId, JSON.stringify(rows), now] });
  }

  async resolve(tx: Transaction, clientId: string, dedupeKeys: readonly string[], now: Date): Promise<void> {
    if (dedupeKeys.length === 0) return;
    await tx.query({
      text: `UPDATE operator_alerts SET resolved_at = $3
             WHERE client_id = $1 AND dedupe_key = ANY ($2) AND resolved_at IS NULL`,
      values: [clientId, dedupeKeys, now],
    });
  }

  /** Ends what has been open for a day. */
  async resolveAged(tx: Transaction, clientId: string, kind: AlertKind, now: Date): Promise<void> {
    await tx.query({
      text: `UPDATE operator_alerts SET resolved_at = $3
             WHERE client_id = $1 AND kind = $2 AND resolved_at IS NULL AND created_at < $3::timestamptz - interval '1 day'`,
      values: [clientId, kind, now],
    });
  }

  /** Points in time that have been told are closed after a day, so that the same cause is told again when it comes again. */
  async closeOld(tx: Transaction, clientId: string, kinds: readonly string[], now: Date): Promise<void> {
    await tx.query({
      text: `UPDATE operator_alerts SET resolved_at = $3, end_taken_at = $3
             WHERE client_id = $1 AND kind = ANY ($2) AND resolved_at IS NULL AND taken_number IS NOT NULL
               AND created_at < $3::timestamptz - interval '1 day'`,
      values: [clientId, kinds, now],
    });
  }

  async noteRead(tx: Transaction, clientId: string, until: Date): Promise<void> {
    await tx.query({
      text: 'UPDATE alert_turns SET events_read_until = $2 WHERE client_id = $1',
      values: [clientId, until],
    });
  }
}

interface EndedRow {
  id: string;
  type: string;
  body: {
    revtainTransactionId: string;
    amount: number;
    currency: string;
    declineCategory: string | null;
    declineCode: string | null;
    endReason: string | null;
  };
}

interface EndpointRow {
  id: string;
  enabled: boolean;
  disabled_reason: string | null;
  failing_since: Date | null;
}

export interface ChargeHours {
  lastHour: ChargeCount;
  before: ChargeCount;
}

/** The end of the last hour whose charges have settled. */
export function countedUntil(now: Date): Date {
  return new Date(Math.floor((now.getTime() - HOUR_SETTLED_MS) / HOUR_MS) * HOUR_MS);
}

const ENDED = `
  SELECT e.id, e.type, convert_from(e.body, 'UTF8')::jsonb AS body FROM webhook_events e
  WHERE e.client_id = $1 AND e.id > $2 AND e.type IN ('recovery.failed', 'recovery.blocked') AND e.final
    AND e.superseded_at IS NULL
    AND NOT EXISTS (SELECT FROM operator_alerts a WHERE a.client_id = e.client_id AND a.dedupe_key = 'recovery_ended:' || e.id)
  ORDER BY e.id LIMIT ${EVENTS_AT_ONCE}`;

const LATE = `
  SELECT (count(*) FILTER (WHERE due_at < $2::timestamptz - make_interval(secs => $3)))::int AS late, min(due_at) AS oldest
  FROM recoveries
  WHERE client_id = $1 AND NOT is_test AND due_at IS NOT NULL AND due_at < $2
    AND (lease_until IS NULL OR lease_until < clock_timestamp())`;

const COUNT_HOURS = `
  INSERT INTO alert_charge_hours (client_id, hour, charges, declined)
  SELECT client_id, date_trunc('hour', opened_at), count(*), count(*) FILTER (WHERE outcome = 'declined')
  FROM attempts
  WHERE client_id = $1 AND id >= $2 AND id < $3 AND outcome IN ('succeeded', 'declined')
  GROUP BY 1, 2
  ON CONFLICT (client_id, hour) DO UPDATE SET charges = excluded.charges, declined = excluded.declined`;

const RAISE = `
  INSERT INTO operator_alerts (client_id, id, kind, severity, recovery_id, facts, dedupe_key, created_at)
  SELECT $1, n.id, n.kind, n.severity, n.recovery, n.facts, n.key, $3
  FROM jsonb_to_recordset($2::jsonb) AS n (id text, kind text, severity text, recovery text, facts jsonb, key text)
  ON CONFLICT DO NOTHING`;

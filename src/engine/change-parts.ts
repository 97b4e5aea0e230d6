import { draftsToRows, outboxCtes, supersedeCtes } from '../webhooks/outbox.js';
import type { Ids } from '../platform/ids.js';
import type { Change } from './change.js';
import { objectToRowJson } from './recovery.js';
import { ATTEMPT_COLUMNS, columnsFrom } from './recovery-sql.js';

// What a settlement may change of an attempt; the rest is fixed before the call.
const ATTEMPT_ENDS = `outcome loss sent_at lost_at ended_at signals decline_code network_decline_code advice_code
  gateway_transaction_token`.split(/\s+/);

/**
 * Everything that belongs to one state change, written with it or not at all: each part hangs on `guarded`. A statement
 * holds the parts that its change has and no more, because PostgreSQL sets up and tears down each of them every time. What
 * is updated comes as one record and not as a set: of a set the planner expects 100 rows, and reads the whole table.
 */
export const PARTS = {
  answer: ([answer]: string[]) => `
  answered AS (
    UPDATE idempotency_keys k
    SET recovery_id = g.id, status_code = n.status_code, body = n.body,
        lease_owner = CASE WHEN n.body IS NULL THEN k.lease_owner END, lease_until = CASE WHEN n.body IS NULL THEN k.lease_until END
    FROM guarded g, jsonb_populate_record(NULL::idempotency_keys, ${answer}::jsonb) n
    -- A key that another recovery was accepted under meanwhile is not ours to answer.
    WHERE k.client_id = n.client_id AND k.key = n.key AND k.body IS NULL AND coalesce(k.recovery_id, g.id) = g.id)`,
  ended: ([attempt]: string[]) => `
  ended AS (
    UPDATE attempts a SET (${ATTEMPT_ENDS.join(', ')}) = ROW (${columnsFrom('n', ATTEMPT_ENDS)})
    FROM guarded g, jsonb_populate_record(NULL::attempts, ${attempt}::jsonb) n
    WHERE a.client_id = n.client_id AND a.id = n.id)`,
  opened: ([attempts]: string[]) => `
  opened AS (
    INSERT INTO attempts (${ATTEMPT_COLUMNS.join(', ')})
    SELECT ${columnsFrom('n', ATTEMPT_COLUMNS)} FROM guarded g, jsonb_populate_recordset(NULL::attempts, ${attempts}::jsonb) n)`,
  told: ([timeline]: string[]) => `
  told AS (
    INSERT INTO recovery_events (client_id, recovery_id, sequence, at, type, from_state, to_state, rule, inputs, actor)
    SELECT g.client_id, g.id, n.sequence, n.at, n.type, n.from_state, n.to_state, n.rule, n.inputs, n.actor
    FROM guarded g, jsonb_populate_recordset(NULL::recovery_events, ${timeline}::jsonb) n)`,
  events: ([events = '', realNow = '']: string[]) => outboxCtes({ events, realNow }),
  alerts: ([alerts]: string[]) => `
  alerted AS (
    INSERT INTO operator_alerts (client_id, id, kind, severity, recovery_id, facts, dedupe_key, created_at)
    SELECT g.client_id, n.id, n.kind, n.severity, g.id, n.facts, n.dedupe_key, n.created_at
    FROM guarded g, jsonb_populate_recordset(NULL::operator_alerts, ${alerts}::jsonb) n
    ON CONFLICT DO NOTHING)`,
  stops: ([stops]: string[]) => `
  stopped AS (
    INSERT INTO card_stops (client_id, debt_name, card_fingerprint, token_hash, kind, signals, created_at)
    SELECT g.client_id, n.debt_name, n.card_fingerprint, n.token_hash, n.kind, n.signals, n.created_at
    FROM guarded g, jsonb_populate_recordset(NULL::card_stops, ${stops}::jsonb) n
    ON CONFLICT DO NOTHING)`,
  seen: ([charges]: string[]) => `
  seen AS (
    INSERT INTO seen_charges SELECT n.* FROM guarded g, jsonb_populate_recordset(NULL::seen_charges, ${charges}::jsonb) n
    ON CONFLICT DO NOTHING)`,
  withdrawn: ([realNow = '']: string[]) => supersedeCtes({ guarded: 'guarded', realNow }),
} as const;

/** One part of a change, with what it writes. */
export interface Part {
  name: keyof typeof PARTS;
  /** Its row, or its rows; undefined for a part that has none. */
  rows?: object;
  /** Set for a part that asks what time it is really. */
  realNow?: Date;
}

/** The parameters that a part takes in a statement of its own change. */
export function valuesOf({ rows, realNow }: Part): unknown[] {
  return [...(rows === undefined ? [] : [JSON.stringify(rows)]), ...(realNow === undefined ? [] : [realNow])];
}

/** What is saved with a change; the end of a debt withdraws what it makes untrue. */
export function savedParts(change: Change, ids: Ids, realNow: Date): Part[] {
  const { state } = change.recovery;
  const parts = partsOf(change, ids, realNow);
  if (state === 'succeeded' || state === 'cancelled') parts.push({ name: 'withdrawn', realNow });
  return parts;
}

/** The parts that a change has, the answer first. */
export function partsOf(change: Change, ids: Ids, realNow: Date): Part[] {
  const { clientId, id: recoveryId } = change.recovery;
  const parts: Part[] = [];
  const add = (name: Part['name'], rows: object[]) => {
    if (rows.length > 0) parts.push({ name, rows: rows.map(objectToRowJson) });
  };
  const addOne = (name: Part['name'], row: object | null | undefined) => {
    if (row) parts.push({ name, rows: objectToRowJson(row) });
  };
  // A recovery has one open attempt at most, so that a change ends one at most.
  if (change.attemptsEnded.length > 1) throw new Error(`two attempts of ${recoveryId} would end in one change`);
  addOne('answer', change.answer && { clientId, ...change.answer });
  addOne('ended', change.attemptsEnded[0]);
  add('opened', change.attemptsOpened);
  add(
    'told',
    change.timeline.map((entry) => ({ clientId, recoveryId, ...entry })),
  );
  if (change.events.length > 0) parts.push({ name: 'events', rows: draftsToRows(change.events, ids), realNow });
  add(
    'alerts',
    change.alerts.map((each) => ({ ...each, id: ids.ulid(), createdAt: realNow })),
  );
  add(
    'stops',
    change.cardStops.map((each) => ({ ...each, createdAt: realNow })),
  );
  return parts;
}

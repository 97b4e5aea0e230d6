import type { Statement } from '../platform/db/database.js';
import { draftsToJson, outboxCtes, supersedeCtes } from '../webhooks/outbox.js';
import type { Ids } from '../platform/ids.js';
import type { Change } from './change.js';
import { objectToRowJson, recoveryToRowJson } from './recovery.js';
import { foreignCharges } from './seen-charges.js';
import { ATTEMPT_COLUMNS, columnsFrom, LEASE_SECONDS, MUTABLE_COLUMNS, RECOVERY_COLUMNS } from './recovery-sql.js';

// What a settlement may change of an attempt; the rest is fixed before the call.
const ATTEMPT_ENDS = `outcome loss sent_at lost_at ended_at signals decline_code network_decline_code advice_code
  gateway_transaction_token`.split(/\s+/);
const LEASE_UNTIL = `CASE WHEN n.lease_owner IS NULL THEN NULL ELSE clock_timestamp() + interval '${LEASE_SECONDS} s' END`;

/**
 * Everything that belongs to one state change, written with it or not at all: each part hangs on `guarded`. A statement
 * holds the parts that its change has and no more, because PostgreSQL sets up and tears down each of them every time. What
 * is updated comes as one record and not as a set: of a set the planner expects 100 rows, and reads the whole table.
 */
const PARTS = {
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

interface Part {
  name: keyof typeof PARTS;
  values: unknown[];
}

/** Rows that stand in the way of an insert: a query with its parameters from place `first` on. */
export interface Obstacles {
  sql(first: number): string;
  values: unknown[];
}

/** The key of the call that a recovery is accepted under: the digest of its body, and when it came, on the client's clock. */
export interface AcceptedUnder {
  fingerprint: Buffer;
  at: Date;
}

/**
 * The statement that accepts a recovery, unless one of the `obstacles` is there: then `obstructed`, and nothing was
 * written. With `under`, the change's answer is the first under its key: not `written` and not obstructed means that
 * another call under the key has accepted a recovery meanwhile.
 */
export function insertStatement(
  change: Change,
  ids: Ids,
  realNow: Date,
  under: AcceptedUnder | null,
  obstacles: Obstacles = NO_OBSTACLES,
): Statement {
  const parts = partsOf({ ...change, answer: null }, ids, realNow);
  const told = change.recovery.simulateOutcome === null ? foreignCharges(change.recovery) : [];
  if (told.length > 0) parts.push({ name: 'seen', values: [JSON.stringify(told.map(objectToRowJson))] });
  const values = [JSON.stringify(recoveryToRowJson(change.recovery)), ...obstacles.values];
  const kind = obstacles === NO_OBSTACLES ? 'accept' : 'accept_unless';
  if (under === null) return statement(kind, () => insertSql(obstacles.sql(2), null), values, parts);
  const key = values.push(JSON.stringify(objectToRowJson(keyRowOf(change, under))));
  return statement(`${kind}_keyed`, () => insertSql(obstacles.sql(2), key), values, parts);
}

function keyRowOf({ recovery, answer }: Change, { fingerprint, at }: AcceptedUnder): object {
  return { clientId: recovery.clientId, recoveryId: recovery.id, fingerprint, createdAt: at, ...answer };
}

/**
 * The statement that writes a change under its lease, unless one of the `obstacles` is there. `written` 0: nothing was
 * written, because of one of them or because the lease was lost.
 */
export function saveStatement(change: Change, ids: Ids, realNow: Date, obstacles?: Obstacles): Statement {
  const { clientId, id, leaseToken, state } = change.recovery;
  const parts = partsOf(change, ids, realNow);
  if (state === 'succeeded' || state === 'cancelled') parts.push({ name: 'withdrawn', values: [realNow] });
  const values = [JSON.stringify(recoveryToRowJson(change.recovery)), clientId, id, leaseToken];
  if (!obstacles) return statement('save', () => SAVE, values, parts);
  const sql = () => saveUnlessSql(obstacles.sql(values.length + 1));
  return statement('save_unless', sql, [...values, ...obstacles.values], parts);
}

const NO_OBSTACLES: Obstacles = { sql: () => 'SELECT WHERE false', values: [] };

/** `key`: the place of the key's row. A call that died before it had a recovery has left one that is not in the way. */
function insertSql(obstacles: string, key: number | null): string {
  const mine =
    key === null
      ? ''
      : `
  mine AS (
    INSERT INTO idempotency_keys AS k (client_id, key, fingerprint, recovery_id, status_code, body, created_at)
    SELECT n.client_id, n.key, n.fingerprint, n.recovery_id, n.status_code, n.body, n.created_at
    FROM jsonb_populate_record(NULL::idempotency_keys, $${key}::jsonb) n WHERE NOT EXISTS (SELECT FROM obstacle)
    ON CONFLICT (client_id, key) DO UPDATE
    SET recovery_id = excluded.recovery_id, status_code = excluded.status_code, body = excluded.body,
        lease_owner = NULL, lease_until = NULL
    WHERE k.body IS NULL AND k.recovery_id IS NULL AND k.fingerprint = excluded.fingerprint
      AND coalesce(k.lease_until < clock_timestamp(), true)
    RETURNING k.key),`;
  return `obstacle AS MATERIALIZED (${obstacles}),${mine}
  guarded AS (
    INSERT INTO recoveries (${RECOVERY_COLUMNS.join(', ')}, lease_until)
    SELECT ${columnsFrom('n', RECOVERY_COLUMNS)}, ${LEASE_UNTIL} FROM jsonb_populate_record(NULL::recoveries, $1::jsonb) n
    WHERE NOT EXISTS (SELECT FROM obstacle) ${key === null ? '' : 'AND EXISTS (SELECT FROM mine)'}
    RETURNING client_id, id)`;
}

const SAVE = `guarded AS (
    UPDATE recoveries r
    -- Within a round a deadline only grows: a pause that ended meanwhile has moved it under our feet.
    SET (${MUTABLE_COLUMNS.join(', ')}, deadline_at, lease_until) =
        ROW (${columnsFrom('n', MUTABLE_COLUMNS)},
             CASE WHEN n.round = r.round THEN greatest(n.deadline_at, r.deadline_at) ELSE n.deadline_at END, ${LEASE_UNTIL})
    FROM jsonb_populate_record(NULL::recoveries, $1::jsonb) n
    WHERE r.client_id = $2 AND r.id = $3 AND r.lease_token = $4
    RETURNING r.client_id, r.id, r.state)`;

function saveUnlessSql(obstacles: string): string {
  const guarded = SAVE.replace(
    'AND r.lease_token = $4',
    'AND r.lease_token = $4 AND NOT EXISTS (SELECT FROM obstacle)',
  );
  return `obstacle AS MATERIALIZED (${obstacles}), ${guarded}`;
}

/** The parts that a change has, the answer first. */
function partsOf(change: Change, ids: Ids, realNow: Date): Part[] {
  const { clientId, id: recoveryId } = change.recovery;
  const parts: Part[] = [];
  const add = (name: Part['name'], rows: object[]) => {
    if (rows.length > 0) parts.push({ name, values: [JSON.stringify(rows.map(objectToRowJson))] });
  };
  const addOne = (name: Part['name'], row: object | null | undefined) => {
    if (row) parts.push({ name, values: [JSON.stringify(objectToRowJson(row))] });
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
  if (change.events.length > 0) parts.push({ name: 'events', values: [draftsToJson(change.events, ids), realNow] });
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

const texts = new Map<string, string>();

/** Each set of parts is a statement of its own, prepared under its own name (of which PostgreSQL reads 63 characters). */
function statement(
  kind: 'accept' | 'accept_unless' | 'accept_keyed' | 'accept_unless_keyed' | 'save' | 'save_unless',
  guarded: () => string,
  first: unknown[],
  parts: Part[],
): Statement {
  const values = [...first];
  const places = parts.map((part) => part.values.map((value) => `$${values.push(value)}`));
  const name = [kind, ...parts.map((part) => part.name)].join('_');
  let text = texts.get(name);
  if (text === undefined) {
    const members = [guarded(), ...parts.map((part, index) => PARTS[part.name](places[index] ?? []))];
    const obstructed = kind.startsWith('save') ? '' : ', EXISTS (SELECT FROM obstacle) AS obstructed';
    text = `WITH ${members.join(',')} SELECT (SELECT count(*)::int FROM guarded) AS written${obstructed}`;
    texts.set(name, text);
  }
  return { name, text, values };
}

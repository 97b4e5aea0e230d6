import type { Statement } from '../platform/db/database.js';
import type { Ids } from '../platform/ids.js';
import type { Change } from './change.js';
import { PARTS, partsOf, savedParts, valuesOf, type Part } from './change-parts.js';
import { changesToRowJson, objectToRowJson, recoveryToRowJson, type Recovery } from './recovery.js';
import { foreignCharges } from './seen-charges.js';
import { columnsFrom, LEASE_SECONDS, MUTABLE_COLUMNS, RECOVERY_COLUMNS } from './recovery-sql.js';

function leaseUntil(row: string): string {
  return `CASE WHEN ${row}.lease_owner IS NULL THEN NULL ELSE clock_timestamp() + interval '${LEASE_SECONDS} s' END`;
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
  if (told.length > 0) parts.push({ name: 'seen', rows: told.map(objectToRowJson) });
  const values = [JSON.stringify(recoveryToRowJson(change.recovery)), ...obstacles.values];
  const kind = obstacles === NO_OBSTACLES ? 'accept' : 'accept_unless';
  if (under === null) {
    const sql = () => insertSql(obstacles.sql(2), null);
    return { ...statement(kind, sql, values, parts), about: about('accept', change) };
  }
  const key = values.push(JSON.stringify(objectToRowJson(keyRowOf(change, under))));
  const sql = () => insertSql(obstacles.sql(2), key);
  return { ...statement(`${kind}_keyed`, sql, values, parts), about: about('accept', change) };
}

function keyRowOf({ recovery, answer }: Change, { fingerprint, at }: AcceptedUnder): object {
  return { clientId: recovery.clientId, recoveryId: recovery.id, fingerprint, createdAt: at, ...answer };
}

/** A change as it is to be saved under its lease: its row, and all that is written with it. */
export interface Save {
  recovery: Recovery;
  /** Columns of its row; what is not among them stays as it is. */
  row: object;
  parts: readonly Part[];
  about: string;
}

/** @param stored what the database has of the recovery, or null where that is not known: then all of it is written. */
export function saveOf(change: Change, stored: Recovery | null, ids: Ids, realNow: Date): Save {
  const { recovery } = change;
  const row = stored === null ? recoveryToRowJson(recovery) : changesToRowJson(recovery, stored);
  return { recovery, row, parts: savedParts(change, ids, realNow), about: about('save', change) };
}

/**
 * The statement that writes a change under its lease, unless one of the `obstacles` is there. `written` 0: nothing was
 * written, because of one of them or because the lease was lost.
 */
export function saveStatement({ recovery, row, parts, about: said }: Save, obstacles?: Obstacles): Statement {
  const { clientId, id, leaseToken } = recovery;
  const values = [JSON.stringify(row), clientId, id, leaseToken];
  if (!obstacles) return { ...statement('save', () => saveSql(''), values, parts), about: said };
  const sql = () => saveUnlessSql(obstacles.sql(values.length + 1));
  return { ...statement('save_unless', sql, [...values, ...obstacles.values], parts), about: said };
}

/** What can be saved by one statement: writes that take the same step and have the same parts. */
export function kindOf({ parts, about: said }: Save): string {
  return [said, ...parts.map(({ name }) => name)].join(' ');
}

/**
 * The statement that saves several changes of one kind, each under its own lease; with `obstacle`, each unless that query,
 * of its row `n`, finds something. Answers client and id of those that were written. For `Database.sets` only.
 */
export function saveAllStatement(saves: readonly [Save, ...Save[]], obstacle: string | null): Statement {
  const [{ parts, about: said }] = saves;
  const rows = saves.map(({ recovery: { clientId, id, leaseToken, cardFingerprint, tokenHash }, row, parts: own }) => ({
    ...objectToRowJson({ clientId, id, leaseToken, ...(obstacle === null ? {} : { cardFingerprint, tokenHash }) }),
    changed: row,
    ...Object.fromEntries(own.map((part) => [part.name, part.rows])),
  }));
  const realNow = parts.findLast((part) => part.realNow !== undefined)?.realNow;
  const name = [obstacle === null ? 'save_all' : 'save_all_unless', ...parts.map((part) => part.name)].join('_');
  const text = textOf(name, () => {
    const given = parts.filter(({ rows: own }) => own !== undefined).map((part) => part.name);
    const members = parts.map((part) => {
      const own = given.includes(part.name) ? [`g.${part.name}`] : [];
      return PARTS[part.name]([...own, ...(part.realNow === undefined ? [] : ['$2'])]);
    });
    return `WITH ${[saveAllSql(obstacle, given), ...members].join(',')} SELECT client_id, id FROM guarded`;
  });
  const values = [JSON.stringify(rows), ...(realNow === undefined ? [] : [realNow])];
  return { name, text, values, about: said };
}

/** A write is called by the last step that it takes. */
function about(verb: string, { timeline }: Change): string {
  return `${verb}:${timeline.at(-1)?.type ?? 'quietly'}`;
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
    SELECT ${columnsFrom('n', RECOVERY_COLUMNS)}, ${leaseUntil('n')} FROM jsonb_populate_record(NULL::recoveries, $1::jsonb) n
    WHERE NOT EXISTS (SELECT FROM obstacle) ${key === null ? '' : 'AND EXISTS (SELECT FROM mine)'}
    RETURNING client_id, id)`;
}

/** What of `asked` is not given stays as it is stored. */
function updateSql(asked: string): string {
  return `
    UPDATE recoveries r
    SET (${MUTABLE_COLUMNS.join(', ')}, deadline_at, lease_until) = (
      SELECT ${columnsFrom('w', MUTABLE_COLUMNS)},
        -- Within a round a deadline only grows: a pause that ended meanwhile has moved it under our feet.
        CASE WHEN w.round = r.round THEN greatest(w.deadline_at, r.deadline_at) ELSE w.deadline_at END, ${leaseUntil('w')}
      FROM jsonb_populate_record(r, ${asked}) w)`;
}

function saveSql(condition: string): string {
  return `guarded AS (${updateSql('$1::jsonb')}
    WHERE r.client_id = $2 AND r.id = $3 AND r.lease_token = $4 ${condition}
    RETURNING r.client_id, r.id, r.state)`;
}

function saveUnlessSql(obstacles: string): string {
  return `obstacle AS MATERIALIZED (${obstacles}), ${saveSql('AND NOT EXISTS (SELECT FROM obstacle)')}`;
}

// Each row brings what is written with it: no set is joined to another, and each part finds its own by an index.
function saveAllSql(obstacle: string | null, given: readonly string[]): string {
  const columns = ['changed jsonb', ...given.map((part) => `${part} jsonb`)];
  if (obstacle !== null) columns.push('card_fingerprint text', 'token_hash bytea');
  return `guarded AS (${updateSql('n.changed')}
    FROM jsonb_to_recordset($1::jsonb) AS n (client_id text, id text, lease_token bigint, ${columns.join(', ')})
    WHERE r.client_id = n.client_id AND r.id = n.id AND r.lease_token = n.lease_token
      ${obstacle === null ? '' : `AND NOT EXISTS (${obstacle})`}
    RETURNING ${['r.client_id', 'r.id', 'r.state', ...given.map((part) => `n.${part}`)].join(', ')})`;
}

const texts = new Map<string, string>();

function textOf(name: string, compose: () => string): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = compose();
  texts.set(name, text);
  return text;
}

/** Each set of parts is a statement of its own, prepared under its own name (of which PostgreSQL reads 63 characters). */
function statement(
  kind: 'accept' | 'accept_unless' | 'accept_keyed' | 'accept_unless_keyed' | 'save' | 'save_unless',
  guarded: () => string,
  first: unknown[],
  parts: readonly Part[],
): Statement {
  const values = [...first];
  const places = parts.map((part) => valuesOf(part).map((value) => `$${values.push(value)}`));
  const name = [kind, ...parts.map((part) => part.name)].join('_');
  const text = textOf(name, () => {
    const members = [guarded(), ...parts.map((part, index) => PARTS[part.name](places[index] ?? []))];
    const obstructed = kind.startsWith('save') ? '' : ', EXISTS (SELECT FROM obstacle) AS obstructed';
    return `WITH ${members.join(',')} SELECT (SELECT count(*)::int FROM guarded) AS written${obstructed}`;
  });
  return { name, text, values };
}

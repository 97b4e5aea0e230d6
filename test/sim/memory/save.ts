import { LEASE_SECONDS, MUTABLE_COLUMNS } from '../../../src/engine/recovery-sql.js';
import { anyGuardSpeaks } from './guards.js';
import { writeEvents, withdraw } from './outbox.js';
import {
  attemptRow,
  populate,
  recoveryRow,
  rowsOf,
  type AlertRow,
  type AttemptRow,
  type CardStopRow,
  type KeyRow,
  type RecoveryRow,
  type Row,
  type SeenChargeRow,
  type TimelineRow,
} from './rows.js';
import { ConstraintViolated, holdsDebt, type Tables } from './tables.js';

const ATTEMPT_ENDS = `outcome loss sent_at lost_at ended_at signals decline_code network_decline_code advice_code
  gateway_transaction_token`.split(/\s+/);
const KEY_COLUMNS = `client_id key fingerprint recovery_id status_code body created_at`.split(' ');
/** What a set of writes tells of each recovery beside its changes. */
const KNOWN_COLUMNS = 'client_id id lease_token card_fingerprint token_hash'.split(' ');
/** What the guards compare. */
const GUARD_VALUES = 10;
const TIMELINE_COLUMNS = `client_id recovery_id sequence at type from_state to_state rule inputs actor`.split(' ');
const ALERT_COLUMNS = `client_id id kind severity recovery_id facts dedupe_key created_at resolved_at`.split(' ');
const STOP_COLUMNS = `client_id debt_name card_fingerprint token_hash kind signals created_at`.split(' ');
const SEEN_COLUMNS = `client_id debt_name at card_fingerprint token_hash amount_minor currency network_decline_code
  network_advice_code`.split(/\s+/);

/** Parameters that each part of a change takes, in the order in which its statement names the parts. */
const PART_VALUES: Readonly<Record<string, number>> = {
  answer: 1,
  ended: 1,
  opened: 1,
  told: 1,
  events: 2,
  alerts: 1,
  stops: 1,
  seen: 1,
  withdrawn: 1,
};

type Parts = ReadonlyMap<string, readonly unknown[]>;

/** `accept`, `accept_unless` and, under a key, `accept_keyed` and `accept_unless_keyed` of `change-statement.ts`. */
export function accept(tables: Tables, values: readonly unknown[], name: string): Row[] {
  const isGuarded = name.startsWith('accept_unless');
  const isKeyed = /^accept(_unless)?_keyed/.test(name);
  const guards = isGuarded ? values.slice(1, 1 + GUARD_VALUES) : [];
  const keyAt = 1 + guards.length;
  const parts = partsOf(name, values, keyAt + (isKeyed ? 1 : 0));
  if (isGuarded && anyGuardSpeaks(tables, guards)) return [{ written: 0, obstructed: true }];
  if (isKeyed && !takeKey(tables, values[keyAt] as string)) return [{ written: 0, obstructed: false }];
  const row = recoveryRow(JSON.parse(values[0] as string) as Row);
  tables.recoveries.insert(row);
  lease(tables, row);
  checkRecovery(tables, row);
  writeParts(tables, row, parts);
  return [{ written: 1, obstructed: false }];
}

/** The key's row, new or left by a call that died before it had a recovery. False where it is somebody else's. */
function takeKey(tables: Tables, json: string): boolean {
  const asked = populate<KeyRow>(JSON.parse(json) as Row, KEY_COLUMNS);
  const known = tables.keys.get(`${asked.client_id}:${asked.key}`);
  if (!known) {
    tables.keys.insert({ ...asked, lease_owner: null, lease_until: null });
    return true;
  }
  const isFree = known.lease_until === null || known.lease_until.getTime() < tables.clockMs();
  const isOpen = known.body === null && known.recovery_id === null;
  if (!isOpen || !isFree || !known.fingerprint.equals(asked.fingerprint)) return false;
  const { recovery_id, status_code, body } = asked;
  tables.keys.replace({ ...known, recovery_id, status_code, body, lease_owner: null, lease_until: null });
  return true;
}

/** `save` and `save_unless` of `change-statement.ts`. */
export function save(tables: Tables, values: readonly unknown[], name: string): Row[] {
  const isGuarded = name.startsWith('save_unless');
  const own = isGuarded ? 7 : 4;
  const parts = partsOf(name, values, own);
  const [json, clientId, id, leaseToken, ...card] = values;
  if (isGuarded && anyChargeOf(tables, card)) return [{ written: 0 }];
  const asked = changesOf(JSON.parse(json as string) as Row);
  const written = saveUnderLease(tables, clientId as string, id as string, leaseToken as number, asked);
  if (!written) return [{ written: 0 }];
  writeParts(tables, written, parts);
  return [{ written: 1 }];
}

/** `save_all` and `save_all_unless`: each under its own lease, and all that is read is read before any of it is written. */
export function saveAll(tables: Tables, values: readonly unknown[], name: string): Row[] {
  const isGuarded = name.startsWith('save_all_unless');
  const names = name
    .replace(/^save_all(_unless)?_?/, '')
    .split('_')
    .filter((each) => each !== '');
  const [json, realNow] = values;
  const given = JSON.parse(json as string) as (Row & { changed: Row })[];
  const free = given
    .map((each) => ({ each, known: populate<RecoveryRow>(each, KNOWN_COLUMNS) }))
    .filter(
      ({ known }) => !isGuarded || !anyChargeOf(tables, [known.client_id, known.card_fingerprint, known.token_hash]),
    );
  const written = free.flatMap(({ each, known: { client_id, id, lease_token } }) => {
    const row = saveUnderLease(tables, client_id, id, lease_token, changesOf(each.changed));
    return row ? [{ each, row }] : [];
  });
  if (names.includes('withdrawn')) for (const { row } of written) withdraw(tables, row, realNow as Date);
  for (const { each, row } of written) {
    const parts = names.filter((part) => part !== 'withdrawn');
    writeParts(tables, row, new Map(parts.map((part) => [part, [JSON.stringify(each[part]), realNow]])));
  }
  return written.map(({ row }) => ({ client_id: row.client_id, id: row.id }));
}

/** Those columns that are given. */
function changesOf(json: Row): Partial<RecoveryRow> {
  const given = [...MUTABLE_COLUMNS, 'deadline_at'].filter((column) => json[column] !== undefined);
  return populate<RecoveryRow>(json, given);
}

/** The row as it is written, with the rest as it was; null where the lease is lost. */
function saveUnderLease(
  tables: Tables,
  clientId: string,
  id: string,
  leaseToken: number,
  changes: Partial<RecoveryRow>,
): RecoveryRow | null {
  const before = tables.recoveries.get(id);
  if (!before || before.client_id !== clientId || before.lease_token !== leaseToken) return null;
  const asked: RecoveryRow = { ...before, ...changes };
  // Within a round a deadline only grows.
  const grows = asked.round === before.round && before.deadline_at > asked.deadline_at;
  const written: RecoveryRow = grows ? { ...asked, deadline_at: before.deadline_at } : asked;
  tables.recoveries.replace(written);
  lease(tables, written);
  checkRecovery(tables, written);
  return written;
}

function lease(tables: Tables, { id, lease_owner }: RecoveryRow): void {
  tables.leases.replace({ id, untilMs: lease_owner === null ? null : tables.clockMs() + LEASE_SECONDS * 1_000 });
}

function partsOf(name: string, values: readonly unknown[], own: number): Parts {
  const parts = new Map<string, readonly unknown[]>();
  let place = own;
  for (const part of name.replace(/^(accept|save)(_unless)?(_keyed)?_?/, '').split('_')) {
    if (part === '') continue;
    const count = PART_VALUES[part];
    if (count === undefined) throw new Error(`${name}: the in-memory store knows no part ${part}`);
    parts.set(part, values.slice(place, place + count));
    place += count;
  }
  if (place !== values.length) throw new Error(`${name}: ${values.length} values, ${place} of them known`);
  return parts;
}

function writeParts(tables: Tables, row: RecoveryRow, parts: Parts): void {
  // Read before the change, as every part of one statement is.
  const [withdrawnAt] = parts.get('withdrawn') ?? [];
  if (withdrawnAt !== undefined) withdraw(tables, row, withdrawnAt as Date);
  for (const [part, [value, second]] of parts) {
    switch (part) {
      case 'answer':
        answer(tables, row, JSON.parse(value as string) as Row);
        break;
      case 'ended':
        endAttempt(tables, attemptRow(JSON.parse(value as string) as Row));
        break;
      case 'opened':
        for (const json of JSON.parse(value as string) as Row[]) openAttempt(tables, attemptRow(json));
        break;
      case 'told':
        for (const told of rowsOf<TimelineRow>(value, TIMELINE_COLUMNS)) {
          tables.timeline.insert({ ...told, client_id: row.client_id, recovery_id: row.id });
        }
        break;
      case 'events':
        writeEvents(tables, row, value as string, second as Date);
        break;
      case 'alerts':
        for (const alert of rowsOf<AlertRow>(value, ALERT_COLUMNS)) {
          addAlert(tables, { ...alert, client_id: row.client_id, recovery_id: row.id });
        }
        break;
      case 'stops':
        for (const stop of rowsOf<CardStopRow>(value, STOP_COLUMNS)) {
          tables.cardStops.insertIfNew({ ...stop, client_id: row.client_id });
        }
        break;
      case 'seen':
        for (const seen of rowsOf<SeenChargeRow>(value, SEEN_COLUMNS)) tables.seenCharges.insertIfNew(seen);
        break;
    }
  }
}

/** One open alert per key. */
export function addAlert(tables: Tables, alert: AlertRow): void {
  const isOpen = tables.alerts.some(
    (row) => row.client_id === alert.client_id && row.dedupe_key === alert.dedupe_key && row.resolved_at === null,
  );
  if (!isOpen) tables.alerts.insert(alert);
}

function answer(tables: Tables, row: RecoveryRow, json: Row): void {
  const told = populate<KeyRow>(json, ['client_id', 'key', 'status_code', 'body']);
  const key = tables.keys.get(`${told.client_id}:${told.key}`);
  if (!key || key.body !== null || (key.recovery_id ?? row.id) !== row.id) return;
  const isFinished = told.body !== null;
  tables.keys.replace({
    ...key,
    recovery_id: row.id,
    status_code: told.status_code,
    body: told.body,
    lease_owner: isFinished ? null : key.lease_owner,
    lease_until: isFinished ? null : key.lease_until,
  });
}

function endAttempt(tables: Tables, ended: AttemptRow): void {
  const before = tables.attempts.get(ended.id);
  if (!before || before.client_id !== ended.client_id) return;
  const ends: Record<string, unknown> = {};
  for (const column of ATTEMPT_ENDS) ends[column] = ended[column];
  const row: AttemptRow = { ...before, ...ends };
  tables.attempts.replace(row);
  checkAttempt(tables, row);
}

function openAttempt(tables: Tables, opened: AttemptRow): void {
  tables.attempts.insert(opened);
  checkAttempt(tables, opened);
}

export function isOpenAttempt({ outcome }: AttemptRow): boolean {
  return outcome === null || outcome === 'pending' || outcome === 'unknown';
}

function checkAttempt(tables: Tables, row: AttemptRow): void {
  const clash = (matches: (other: AttemptRow) => boolean) =>
    tables.attempts.some((other) => other.recovery_id === row.recovery_id && other.id !== row.id && matches(other));
  if (isOpenAttempt(row) && clash(isOpenAttempt)) throw new ConstraintViolated('23505', 'attempts_one_open');
  if (row.outcome === 'succeeded' && clash((other) => other.outcome === 'succeeded')) {
    throw new ConstraintViolated('23505', 'attempts_one_success');
  }
  if (clash((other) => other.number === row.number)) throw new ConstraintViolated('23505', 'attempts_by_number');
}

/** The checks and unique indexes of `recoveries`. */
function checkRecovery(tables: Tables, row: RecoveryRow): void {
  const isOpen = ['queued', 'in_progress', 'reconciling', 'action_required'].includes(row.state);
  const isClosed = ['failed', 'blocked', 'cancelled', 'holdout'].includes(row.state);
  if (row.due_at === null && isOpen) throw new ConstraintViolated('23514', 'open_has_a_next_look');
  if ((row.due_at === null) !== (row.due_kind === null)) throw new ConstraintViolated('23514', 'due_has_a_kind');
  if ((row.end_reason !== null) !== isClosed) throw new ConstraintViolated('23514', 'end_reason_only_when_closed');
  if ((row.recovered_at !== null) !== (row.state === 'succeeded')) {
    throw new ConstraintViolated('23514', 'recovered_only_when_succeeded');
  }
  if (!holdsDebt(row)) return;
  for (const other of tables.recoveries.all()) {
    if (other.id === row.id || other.client_id !== row.client_id || !holdsDebt(other)) continue;
    if (other.debt_name === row.debt_name) throw new ConstraintViolated('23505', 'recoveries_one_per_debt');
    if (row.original_resolved !== null && other.original_resolved === row.original_resolved) {
      throw new ConstraintViolated('23505', 'recoveries_one_per_original');
    }
    if (row.payment_object_id !== null && other.payment_object_id === row.payment_object_id) {
      throw new ConstraintViolated('23505', 'recoveries_one_per_payment');
    }
  }
}

/** Any charge of a card, whoever made it and however it ended: `anyChargeSql` of `card-ledger.ts`. */
function anyChargeOf(tables: Tables, [clientId, fingerprint, tokenHash]: readonly unknown[]): boolean {
  const matches = (row: { client_id: string; card_fingerprint: string | null; token_hash: Buffer }) =>
    row.client_id === clientId &&
    ((fingerprint !== null && row.card_fingerprint === fingerprint) || row.token_hash.equals(tokenHash as Buffer));
  return tables.attempts.some(matches) || tables.seenCharges.some(matches);
}

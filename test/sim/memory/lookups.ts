import { isSameCard } from './guards.js';
import { isOpenAttempt } from './save.js';
import type { AttemptRow, RecoveryRow, Row, SeenChargeRow } from './rows.js';
import { holdsDebt, type Tables } from './tables.js';

const READ_MAX = 200;
const ROWS_MAX = 20;

type Values = readonly unknown[];

function ownOf(tables: Tables, clientId: unknown, matches: (row: RecoveryRow) => boolean): RecoveryRow[] {
  return tables.recoveries.where((row) => row.client_id === clientId && matches(row));
}

function newestFirst(one: { id: string }, other: { id: string }): number {
  return one.id > other.id ? -1 : 1;
}

export function loadRecovery(tables: Tables, [clientId, id]: Values): Row[] {
  const row = tables.recoveries.get(id as string);
  if (row?.client_id !== clientId) return [];
  const untilMs = tables.leaseUntilMs(id as string);
  return [{ ...row, is_leased: untilMs === null ? null : untilMs > tables.clockMs() }];
}

export function loadAttempts(tables: Tables, [clientId, id]: Values): Row[] {
  const found = tables.attempts.where((row) => row.client_id === clientId && row.recovery_id === id);
  return found.sort((a, b) => a.number - b.number);
}

export function loadOpenAttempt(tables: Tables, [clientId, id]: Values): Row[] {
  return tables.attempts.where((row) => row.client_id === clientId && row.recovery_id === id && isOpenAttempt(row));
}

export function openOfCustomer(tables: Tables, [clientId, customerId, id]: Values): Row[] {
  const open = ownOf(
    tables,
    clientId,
    (row) =>
      row.customer_id === customerId &&
      row.id !== id &&
      ['queued', 'in_progress', 'reconciling', 'action_required'].includes(row.state),
  );
  return [{ open: open.length }];
}

export function holderOfDebt(tables: Tables, [clientId, debtName, objects]: Values): Row[] {
  const ids = objects as string[];
  const isObject = (id: string | null) => id !== null && ids.includes(id);
  const held = ownOf(
    tables,
    clientId,
    (row) =>
      holdsDebt(row) &&
      (row.debt_name === debtName || isObject(row.original_resolved) || isObject(row.payment_object_id)),
  );
  return held.slice(0, 1).map(({ id, state }) => ({ id, state }));
}

/** `SEEN` of `card-ledger.ts`: every charge of a card that may count for a network's limit. */
export function cardSeen(tables: Tables, [clientId, fingerprint, token]: Values): Row[] {
  const isToken = (row: AttemptRow | SeenChargeRow) =>
    row.token_hash.equals(token as Buffer) && (row.card_fingerprint === null || fingerprint === null);
  const isCard = (row: AttemptRow | SeenChargeRow) =>
    fingerprint !== null && row.card_fingerprint === fingerprint ? true : isToken(row);
  const own = tables.attempts.where(
    (row) => row.client_id === clientId && row.outcome !== 'succeeded' && row.outcome !== 'not_executed' && isCard(row),
  );
  const foreign = tables.seenCharges.where((row) => row.client_id === clientId && isCard(row));
  return [
    ...own
      .sort((a, b) => b.opened_at.getTime() - a.opened_at.getTime())
      .slice(0, READ_MAX)
      .map((row) => seenOwn(tables, row)),
    ...foreign
      .sort((a, b) => b.at.getTime() - a.at.getTime())
      .slice(0, READ_MAX)
      .map(seenForeign),
  ];
}

function seenOwn(tables: Tables, row: AttemptRow): Row {
  const { id, amount_minor, currency, outcome, signals } = row;
  const debt_name = tables.recoveries.get(row.recovery_id)?.debt_name;
  return { id, debt_name, at: row.ended_at ?? row.sent_at, amount_minor, currency, outcome, signals };
}

function seenForeign(row: SeenChargeRow): Row {
  const { debt_name, at, amount_minor, currency } = row;
  const signals = { networkDeclineCode: row.network_decline_code, networkAdviceCode: row.network_advice_code };
  return { id: null, debt_name, at, amount_minor, currency, outcome: 'declined', signals };
}

/** `earlierRecoveries`. */
export function earlier(tables: Tables, [clientId, id, names, reference, debtName, objects]: Values): Row[] {
  const debts = names as string[];
  const ids = objects as string[];
  const before = ownOf(tables, clientId, (row) => row.id < (id as string));
  const isNamed = (row: RecoveryRow) =>
    debts.includes(row.debt_name) ||
    (reference !== null && reference === debtName && row.reference === reference) ||
    (row.original_resolved !== null && ids.includes(row.original_resolved)) ||
    (row.payment_object_id !== null && ids.includes(row.payment_object_id));
  return before.filter(isNamed).sort(newestFirst).slice(0, ROWS_MAX).map(earlierColumns);
}

const EARLIER_COLUMNS =
  `id end_reason invoice_id original_resolved payment_object_id payment_object_kind payment_is_ours
  payment_return_url payment_to_cancel amount_minor currency gateway_customer_id`.split(/\s+/);

function earlierColumns(row: RecoveryRow): Row {
  return Object.fromEntries(EARLIER_COLUMNS.map((column) => [column, row[column]]));
}

export function cardBefore(tables: Tables, [clientId, token, id]: Values): Row[] {
  const before = ownOf(tables, clientId, (row) => row.token_hash.equals(token as Buffer) && row.id < (id as string));
  const newest = before.sort((a, b) => b.created_at.getTime() - a.created_at.getTime() || newestFirst(a, b));
  return newest.slice(0, 1).map(({ card }) => ({ card }));
}

export function isHeldByAnother(tables: Tables, [clientId, id, debtName, objects]: Values): Row[] {
  const ids = objects as string[];
  const isObject = (each: string | null) => each !== null && ids.includes(each);
  const held = ownOf(
    tables,
    clientId,
    (row) =>
      holdsDebt(row) &&
      row.id !== id &&
      (row.debt_name === debtName || isObject(row.original_resolved) || isObject(row.payment_object_id)),
  );
  return [{ held: held.length > 0 }];
}

/** `DebtHistory.isTakenOn`, and with a debt's name `Closing.isTakenOn`. */
export function isTakenOn(tables: Tables, [clientId, paymentId, id, debtName]: Values): Row[] {
  const taken = ownOf(
    tables,
    clientId,
    (row) =>
      row.id > (id as string) &&
      ((paymentId !== null && row.payment_object_id === paymentId) ||
        (debtName !== undefined && row.debt_name === debtName && row.payment_to_cancel === paymentId)),
  );
  return [{ taken: taken.length > 0 }];
}

export function isCanceledByUs(tables: Tables, [clientId, debtName, paymentId]: Values): Row[] {
  const ours = ownOf(tables, clientId, (row) => row.debt_name === debtName && row.payment_to_cancel === paymentId);
  return [{ ours: ours.length > 0 }];
}

export function paymentsOfOtherDebts(tables: Tables, [clientId, paymentIds, debtName]: Values): Row[] {
  const ids = paymentIds as string[];
  const others = ownOf(
    tables,
    clientId,
    (row) => row.payment_object_id !== null && ids.includes(row.payment_object_id) && row.debt_name !== debtName,
  );
  return [...new Set(others.map((row) => row.payment_object_id))].map((payment_object_id) => ({ payment_object_id }));
}

export function cardStop(tables: Tables, [clientId, debtName, token, fingerprint]: Values): Row[] {
  const stops = tables.cardStops.where(
    (row) =>
      row.client_id === clientId &&
      row.debt_name === debtName &&
      isSameCard(row, fingerprint as string | null, token as Buffer),
  );
  return stops
    .sort((a, b) => (a.kind < b.kind ? -1 : 1))
    .slice(0, 1)
    .map(({ kind }) => ({ kind }));
}

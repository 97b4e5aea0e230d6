import { holdsDebt, type Tables } from './tables.js';
import type { CardStopRow, RecoveryRow, Row } from './rows.js';

/** `lookSql` of `guards.ts`: every guard that speaks, in the order of its statement. */
export function look(tables: Tables, values: readonly unknown[]): Row[] {
  const [clientId, debt, objects, token, fingerprint, since, amount, currency, reference, names] = values as [
    string,
    string,
    string[],
    Buffer,
    string | null,
    Date,
    number,
    string,
    string | null,
    string[],
  ];
  const own = tables.recoveries.where((row) => row.client_id === clientId);
  const isObject = (id: string | null) => id !== null && objects.includes(id);
  const held = (matches: (row: RecoveryRow) => boolean) =>
    own
      .filter((row) => holdsDebt(row) && matches(row))
      .slice(0, 1)
      .map((row) => said('debt', row));
  const velocity = own
    .filter((row) => row.token_hash.equals(token) && row.created_at > since && row.currency === currency)
    .filter((row) => row.amount_requested_minor === amount)
    .filter((row) => row.reference === null || reference === null || row.reference === reference)
    .sort((a, b) => b.created_at.getTime() - a.created_at.getTime());
  const waiting = own.filter((row) => row.state === 'action_required');
  const sameDebt = waiting.filter((row) => row.debt_name === debt).sort((a, b) => (a.id > b.id ? -1 : 1));
  const stops = tables.cardStops
    .where((row) => row.client_id === clientId && names.includes(row.debt_name))
    .filter((row) => isSameCard(row, fingerprint, token))
    .sort((a, b) => (a.kind < b.kind ? -1 : 1));
  return [
    ...held((row) => names.includes(row.debt_name)),
    ...(reference === debt ? held((row) => row.reference === reference) : []),
    ...held((row) => isObject(row.original_resolved)),
    ...held((row) => isObject(row.payment_object_id)),
    ...stops.slice(0, 1).map(({ kind, signals }) => ({ guard: 'card', id: null, state: null, kind, signals })),
    ...velocity.slice(0, 1).map((row) => said('velocity', row)),
    ...waiting
      .filter((row) => isObject(row.payment_object_id))
      .slice(0, 1)
      .map((row) => said('waiting', row)),
    ...sameDebt.slice(0, 1).map((row) => said('waiting', row)),
  ];
}

export function anyGuardSpeaks(tables: Tables, values: readonly unknown[]): boolean {
  return look(tables, values).length > 0;
}

/** `sameCard` of `card-stops.ts`. */
export function isSameCard(stop: CardStopRow, fingerprint: string | null, token: Buffer): boolean {
  if (stop.card_fingerprint === null || fingerprint === null) return stop.token_hash.equals(token);
  return stop.card_fingerprint === fingerprint;
}

function said(guard: string, { id, state }: RecoveryRow): Row {
  return { guard, id, state, kind: null, signals: null };
}

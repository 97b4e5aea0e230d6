import { CLIENTS_LOOKED_AT, LEASE_SECONDS } from '../../../src/engine/recovery-sql.js';
import type { RecoveryRow, Row } from './rows.js';
import type { Tables } from './tables.js';

/** What a lease is good for from now on. */
function leaseEndMs(tables: Tables): number {
  return tables.clockMs() + LEASE_SECONDS * 1_000;
}

/** Takes a recovery: a newer token, and a crash more where the lease had run out. */
function take(tables: Tables, row: RecoveryRow, owner: string): RecoveryRow {
  const crashed = tables.leaseUntilMs(row.id) === null ? 0 : 1;
  const taken = {
    ...row,
    lease_token: row.lease_token + 1,
    lease_owner: owner,
    crash_count: row.crash_count + crashed,
  };
  tables.recoveries.replace(taken);
  tables.leases.replace({ id: row.id, untilMs: leaseEndMs(tables) });
  return taken;
}

function isDueBy({ due_at }: RecoveryRow, instant: Date): boolean {
  return due_at !== null && due_at <= instant;
}

function byDueTime(one: RecoveryRow, other: RecoveryRow): number {
  return (one.due_at?.getTime() ?? 0) - (other.due_at?.getTime() ?? 0) || (one.id < other.id ? -1 : 1);
}

/** What `CLAIM_DUE` and `CLAIM_FAIRLY` are told. */
interface Asked {
  owner: string;
  countMax: number;
  /** How many more a client may take. */
  allowedOf: (clientId: string) => number;
  isClaimable: (row: RecoveryRow) => boolean;
}

/** `$1` owner, `$2` real now, `$3` how many, `$4` kinds known, `$5` clients with work in hand, `$6` how many more each, `$7` others. */
function askedBy(tables: Tables, values: readonly unknown[]): Asked {
  const [owner, now, countMax, kinds, clientIds, allowed, others] = values as [
    string,
    Date,
    number,
    readonly string[],
    readonly string[],
    readonly number[],
    number,
  ];
  const held = new Map(clientIds.map((id, place) => [id, allowed[place]]));
  return {
    owner,
    countMax,
    allowedOf: (clientId) => held.get(clientId) ?? others,
    isClaimable: (row) => isDueBy(row, now) && isOfKind(row, kinds) && tables.isFree(row.id),
  };
}

function isOfKind({ due_kind }: RecoveryRow, kinds: readonly string[]): boolean {
  return due_kind !== null && kinds.includes(due_kind);
}

/** `CLAIM_DUE`, of live clients. */
export function claimDue(tables: Tables, values: readonly unknown[]): Row[] {
  const { owner, countMax, allowedOf, isClaimable } = askedBy(tables, values);
  const longest = tables.recoveries.where(isClaimable).sort(byDueTime).slice(0, countMax);
  return ranked(longest)
    .filter(({ row, place }) => place <= allowedOf(row.client_id))
    .map(({ row }) => take(tables, row, owner));
}

/** `CLAIM_FAIRLY`, of live clients: as `CLAIM_DUE`, and `$8` the client that was looked at last. */
export function claimFairly(tables: Tables, values: readonly unknown[]): Row[] {
  const { owner, countMax, allowedOf, isClaimable } = askedBy(tables, values);
  const lookedAt = clientsWithWork(tables, values[7] as string);
  const last_looked_at = lookedAt.length === CLIENTS_LOOKED_AT ? lookedAt.at(-1) : null;
  const free = tables.recoveries.where((row) => lookedAt.includes(row.client_id) && isClaimable(row)).sort(byDueTime);
  const claimed = ranked(free)
    .filter(({ row, place }) => place <= allowedOf(row.client_id))
    .sort((a, b) => a.place - b.place || byDueTime(a.row, b.row))
    .slice(0, countMax)
    .map(({ row }) => ({ ...take(tables, row, owner), last_looked_at }));
  return claimed.length > 0 ? claimed : [{ id: null, last_looked_at }];
}

function clientsWithWork(tables: Tables, after: string): string[] {
  const waiting = tables.recoveries.where((row) => row.due_at !== null && row.client_id > after);
  return [...new Set(waiting.map((row) => row.client_id))].sort().slice(0, CLIENTS_LOOKED_AT);
}

/** Each with its place among those of its client, from 1. */
function ranked(rows: readonly RecoveryRow[]): { row: RecoveryRow; place: number }[] {
  const places = new Map<string, number>();
  return rows.map((row) => {
    const place = (places.get(row.client_id) ?? 0) + 1;
    places.set(row.client_id, place);
    return { row, place };
  });
}

export function claimDueOfClient(tables: Tables, [owner, clientId, until, countMax]: readonly unknown[]): Row[] {
  const due = tables.recoveries.where(
    (row) => row.client_id === clientId && isDueBy(row, until as Date) && tables.isFree(row.id),
  );
  return due
    .sort(byDueTime)
    .slice(0, countMax as number)
    .map((row) => take(tables, row, owner as string));
}

export function claimOne(tables: Tables, [owner, clientId, id]: readonly unknown[]): Row[] {
  const row = tables.recoveries.get(id as string);
  return row && row.client_id === clientId && tables.isFree(row.id) ? [take(tables, row, owner as string)] : [];
}

export function claimWaiting(tables: Tables, [owner, clientId, id]: readonly unknown[]): Row[] {
  const row = tables.recoveries.get(id as string);
  if (!row || row.client_id !== clientId || row.state !== 'action_required') return [];
  return [take(tables, row, owner as string)];
}

export function renew(tables: Tables, [owner, clientIds, ids, tokens]: readonly unknown[]): Row[] {
  for (const [place, id] of (ids as string[]).entries()) {
    const row = tables.recoveries.get(id);
    if (!row || row.lease_token !== (tokens as number[])[place] || row.lease_owner !== owner) continue;
    if (row.client_id !== (clientIds as string[])[place]) continue;
    tables.leases.replace({ id, untilMs: leaseEndMs(tables) });
  }
  return [];
}

export function release(tables: Tables, [clientId, id, token]: readonly unknown[]): Row[] {
  const row = tables.recoveries.get(id as string);
  if (!row || row.client_id !== clientId || row.lease_token !== token) return [];
  tables.recoveries.replace({ ...row, lease_owner: null });
  tables.leases.replace({ id: id as string, untilMs: null });
  return [];
}

/** `NEXT_DUE`, of live clients: `$2` the kinds known. */
export function nextDue(tables: Tables, [, kinds]: readonly unknown[]): Row[] {
  let earliest: Date | null = null;
  for (const row of tables.recoveries.all()) {
    if (row.due_at === null || !isOfKind(row, kinds as string[]) || !tables.isFree(row.id)) continue;
    if (earliest === null || row.due_at < earliest) earliest = row.due_at;
  }
  return [{ next_due_at: earliest }];
}

/** When work falls due that a worker could claim, expired leases included; infinity when there is none. */
export function nextClaimMs(tables: Tables): number {
  let earliest = Infinity;
  for (const row of tables.recoveries.all()) {
    if (row.due_at === null) continue;
    // A lease has run out when its end is past, and not at its end.
    const freeMs = (tables.leaseUntilMs(row.id) ?? -Infinity) + 1;
    earliest = Math.min(earliest, Math.max(row.due_at.getTime(), freeMs));
  }
  return earliest;
}

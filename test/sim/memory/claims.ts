import { LEASE_SECONDS } from '../../../src/engine/recovery-sql.js';
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

/** `CLAIM_DUE`, of live clients: `$1` owner, `$2` real now, `$3` how many. */
export function claimDue(tables: Tables, [owner, now, countMax]: readonly unknown[]): Row[] {
  const due = tables.recoveries.where((row) => isDueBy(row, now as Date) && tables.isFree(row.id));
  return due
    .sort(byDueTime)
    .slice(0, countMax as number)
    .map((row) => take(tables, row, owner as string));
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

/** `NEXT_DUE`, of live clients. */
export function nextDue(tables: Tables): Row[] {
  let earliest: Date | null = null;
  for (const row of tables.recoveries.all()) {
    if (row.due_at === null || !tables.isFree(row.id)) continue;
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

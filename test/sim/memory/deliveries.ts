import { LEASE_MS } from '../../../src/webhooks/delivery-sql.js';
import { asksCustomer, type DeliveryRow, type EndpointRow, type EventRow } from './delivery-rows.js';
import type { Row } from './rows.js';
import type { Tables } from './tables.js';

const LOOK_AGAIN_MS = 1_000;
const LOOK_AGAIN_WHILE_HELD_MS = 5_000;

type Values = readonly unknown[];

interface Turn {
  endpoint: EndpointRow;
  isFailing: boolean;
  isProbe: boolean;
  room: number;
  headMs: number;
}

export function isUnleased(tables: Tables, { lease_until }: DeliveryRow): boolean {
  return lease_until === null || lease_until.getTime() < tables.clockMs();
}

function dueOf(tables: Tables, endpointId: string, nowMs: number): DeliveryRow[] {
  return tables.deliveries
    .where((row) => row.status === 'pending' && row.endpoint_id === endpointId && triedAtMs(row) <= nowMs)
    .filter((row) => isUnleased(tables, row))
    .sort((a, b) => triedAtMs(a) - triedAtMs(b) || (a.id < b.id ? -1 : 1));
}

function triedAtMs({ next_try_at }: DeliveryRow): number {
  return next_try_at?.getTime() ?? Infinity;
}

/** `CLAIM_DUE` of `claim-sql.ts`. */
export function claim(tables: Tables, values: Values): Row[] {
  const [now, perEndpoint, names, rooms, inAll, failing] = values as [Date, number, string[], number[], number, number];
  const nowMs = now.getTime();
  const served = new Map(names.map((name, place) => [name, rooms[place] ?? 0]));
  const heads = tables.endpoints
    .where((row) => isCallable(row, nowMs))
    .flatMap((endpoint) => {
      const [head] = dueOf(tables, endpoint.id, nowMs);
      return head ? [turnOf(endpoint, triedAtMs(head), served, perEndpoint)] : [];
    });
  const sorted = heads.filter(({ room }) => room > 0).sort((a, b) => a.headMs - b.headMs);
  const called = [
    ...sorted.filter(({ isFailing }) => !isFailing).slice(0, inAll),
    ...sorted.filter(({ isFailing }) => isFailing).slice(0, failing),
  ];
  const share = Math.ceil((2 * inAll) / Math.max(1, called.length));
  const due = called
    .flatMap((turn) =>
      dueOf(tables, turn.endpoint.id, nowMs)
        .slice(0, Math.min(turn.room, share))
        .map((row) => ({ row, turn })),
    )
    .sort((a, b) => byTime(a.row, b.row))
    .slice(0, inAll);
  const judged = due.map(({ row, turn }) => ({ row, turn, ...judge(tables, row, turn.endpoint, nowMs) }));
  const answered = judged.map(({ row, turn, event, fate, lookAgainMs }) => {
    const moved = move(tables, row, fate, lookAgainMs, now);
    if (fate === 'superseded') tables.events.replace({ ...event, superseded_at: event.superseded_at ?? now });
    if (fate === 'claimed' && turn.isProbe) probing(tables, turn.endpoint.id, nowMs);
    return { moved, row: claimedRow(moved, event, turn, fate), endpoint: turn.endpoint };
  });
  answered.sort((a, b) => byTime(a.moved, b.moved));
  const endpoints = new Map(answered.map(({ endpoint }) => [endpoint.id, endpoint]));
  return [...[...endpoints.values()].map(heldBy), ...answered.map(({ row }) => row)];
}

function byTime(one: DeliveryRow, other: DeliveryRow): number {
  const [oneMs, otherMs] = [triedAtMs(one), triedAtMs(other)];
  if (oneMs !== otherMs) return oneMs < otherMs ? -1 : 1;
  return one.id < other.id ? -1 : 1;
}

/** The row that tells of an endpoint, before those of its deliveries. */
function heldBy({ client_id, id, url, secret_sealed }: EndpointRow): Row {
  const unused = { previous_secret_sealed: null, previous_secret_until: null, headers_sealed: null };
  return { client_id, id: null, endpoint_id: id, url, secret_sealed, ...unused };
}

function isCallable({ throttled_until, breaker_until }: EndpointRow, nowMs: number): boolean {
  return (throttled_until?.getTime() ?? 0) <= nowMs && (breaker_until?.getTime() ?? 0) <= nowMs;
}

function turnOf(endpoint: EndpointRow, headMs: number, served: ReadonlyMap<string, number>, perEndpoint: number): Turn {
  const own = served.get(endpoint.id);
  const isProbe = endpoint.breaker_until !== null;
  const isFailing = endpoint.failing_since !== null;
  const room = isProbe ? Math.min(own ?? 1, 1) : isFailing ? (own ?? 2) : (own ?? perEndpoint);
  return { endpoint, isFailing, isProbe, room, headMs };
}

type Fate = 'claimed' | 'in_line' | 'superseded' | 'endpoint_deleted' | 'endpoint_disabled';

function judge(
  tables: Tables,
  row: DeliveryRow,
  endpoint: EndpointRow,
  nowMs: number,
): { event: EventRow; fate: Fate; lookAgainMs: number | null } {
  const event = tables.events.get(row.event_id);
  if (!event) throw new Error(`delivery ${row.id} has no event`);
  const lookAgainMs = aheadOf(tables, row, event, nowMs);
  const isUntrue = asksCustomer(event) && row.delivered_at === null && isSettled(tables, row.recovery_id);
  const fate: Fate =
    endpoint.deleted_at !== null
      ? 'endpoint_deleted'
      : !endpoint.enabled
        ? 'endpoint_disabled'
        : isUntrue
          ? 'superseded'
          : lookAgainMs !== null
            ? 'in_line'
            : 'claimed';
  return { event, fate, lookAgainMs };
}

/** When to look again at a delivery that an earlier event of its recovery is ahead of; null where none is. */
function aheadOf(tables: Tables, row: DeliveryRow, event: EventRow, nowMs: number): number | null {
  if (row.delivered_at !== null || row.recovery_id === null) return null;
  let latest: number | null = null;
  for (const other of tables.deliveries.all()) {
    if (other.recovery_id !== row.recovery_id || other.endpoint_id !== row.endpoint_id) continue;
    if ((other.status !== 'held' && other.status !== 'pending') || other.delivered_at !== null) continue;
    if (!isEarlier(other, row)) continue;
    const told = tables.events.get(other.event_id);
    const unleased = isUnleased(tables, other);
    if (event.type === 'recovery.success' && told && asksCustomer(told) && unleased) continue;
    const at = !unleased
      ? nowMs + LOOK_AGAIN_MS
      : other.status === 'held'
        ? nowMs + LOOK_AGAIN_WHILE_HELD_MS
        : Math.max(triedAtMs(other), nowMs + LOOK_AGAIN_MS);
    latest = Math.max(latest ?? 0, at);
  }
  return latest;
}

export function isEarlier(one: DeliveryRow, other: DeliveryRow): boolean {
  if (one.event_sequence !== other.event_sequence) return one.event_sequence < other.event_sequence;
  return one.event_id < other.event_id;
}

/** `debt_is_settled`. */
function isSettled(tables: Tables, recoveryId: string | null): boolean {
  const row = tables.recoveries.get(recoveryId ?? '');
  if (!row) return false;
  return tables.recoveries.some(
    (other) =>
      other.client_id === row.client_id &&
      other.debt_name === row.debt_name &&
      (other.state === 'succeeded' ||
        (other.state === 'cancelled' && (other.id === row.id || other.end_reason === 'paid_elsewhere'))),
  );
}

function move(tables: Tables, row: DeliveryRow, fate: Fate, lookAgainMs: number | null, now: Date): DeliveryRow {
  const isClaimed = fate === 'claimed';
  const moved: DeliveryRow = {
    ...row,
    status: isClaimed || fate === 'in_line' ? 'pending' : fate,
    next_try_at: isClaimed ? row.next_try_at : fate === 'in_line' ? new Date(lookAgainMs ?? 0) : null,
    lease_until: isClaimed ? new Date(tables.clockMs() + LEASE_MS) : null,
    lease_token: row.lease_token + 1,
    try_count: row.try_count + (isClaimed ? 1 : 0),
    endpoint_sequence: isClaimed && row.recovery_id !== null ? sequenceOf(tables, row) : row.endpoint_sequence,
    is_in_line: fate === 'in_line',
    updated_at: now,
  };
  tables.deliveries.replace(moved);
  return moved;
}

function sequenceOf(tables: Tables, row: DeliveryRow): number {
  if (row.endpoint_sequence !== null) return row.endpoint_sequence;
  let greatest = 0;
  for (const other of tables.deliveries.all()) {
    const isOfBoth = other.recovery_id === row.recovery_id && other.endpoint_id === row.endpoint_id;
    if (isOfBoth) greatest = Math.max(greatest, other.endpoint_sequence ?? 0);
  }
  return greatest + 1;
}

function probing(tables: Tables, endpointId: string, nowMs: number): void {
  const endpoint = tables.endpoints.get(endpointId);
  if (endpoint) tables.endpoints.replace({ ...endpoint, breaker_until: new Date(nowMs + LEASE_MS) });
}

function claimedRow(row: DeliveryRow, { type, body }: EventRow, { isFailing, isProbe }: Turn, fate: Fate): Row {
  return {
    client_id: row.client_id,
    id: row.id,
    event_id: row.event_id,
    endpoint_id: row.endpoint_id,
    recovery_id: row.recovery_id,
    lease_token: String(row.lease_token),
    try_count: row.try_count,
    schedule_step: row.schedule_step,
    endpoint_sequence: row.endpoint_sequence,
    type,
    body: fate === 'claimed' ? base64(body) : null,
    is_failing: isFailing,
    is_probe: isProbe,
  };
}

/** As PostgreSQL writes it: in lines of 76. */
function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{76}(?=.)/g, '$&\n');
}

/** `HAND_BACK`. */
export function handBack(tables: Tables, values: Values): Row[] {
  const [now, clientIds, ids, tokens] = values as [Date, string[], string[], string[]];
  for (const [place, id] of ids.entries()) {
    const row = tables.deliveries.get(id);
    if (!row || row.client_id !== clientIds[place] || String(row.lease_token) !== tokens[place]) continue;
    if (row.status !== 'pending') continue;
    const endpoint_sequence = row.try_count > 1 ? row.endpoint_sequence : null;
    tables.deliveries.replace({
      ...row,
      lease_until: null,
      try_count: row.try_count - 1,
      endpoint_sequence,
      updated_at: now,
    });
  }
  return [];
}

/** `RELEASE_HELD`, of live clients: one row for each that is set free. */
export function releaseHeld(tables: Tables, [now]: Values): Row[] {
  const held = tables.deliveries.where((row) => row.status === 'held' && row.held_until! <= (now as Date));
  for (const row of held) {
    tables.deliveries.replace({ ...row, status: 'pending', next_try_at: now as Date, updated_at: now });
  }
  return held;
}

/** `NEXT_DUE` of `claim-sql.ts`. */
export function nextDelivery(tables: Tables, [withFailing]: Values): Row[] {
  let earliest = Infinity;
  for (const endpoint of tables.endpoints.all()) {
    if (withFailing !== true && endpoint.failing_since !== null) continue;
    earliest = Math.min(
      earliest,
      nextAtMs(tables, endpoint, (row) => isUnleased(tables, row)),
    );
  }
  return [{ next_due_at: earliest === Infinity ? null : new Date(earliest) }];
}

function nextAtMs(tables: Tables, endpoint: EndpointRow, counts: (row: DeliveryRow) => boolean): number {
  let next = Infinity;
  for (const row of tables.deliveries.all()) {
    if (row.endpoint_id === endpoint.id && row.status === 'pending' && counts(row))
      next = Math.min(next, triedAtMs(row));
  }
  if (next === Infinity) return next;
  return Math.max(next, endpoint.throttled_until?.getTime() ?? 0, endpoint.breaker_until?.getTime() ?? 0);
}

/** When a dispatcher would find something: a delivery to send, or one to set free. */
export function nextSendMs(tables: Tables): number {
  let earliest = Infinity;
  for (const row of tables.deliveries.all()) {
    if (row.status === 'held') earliest = Math.min(earliest, row.held_until?.getTime() ?? Infinity);
    if (row.status !== 'pending') continue;
    const endpoint = tables.endpoints.get(row.endpoint_id);
    const freeMs = (row.lease_until?.getTime() ?? -Infinity) + 1;
    const openMs = Math.max(endpoint?.throttled_until?.getTime() ?? 0, endpoint?.breaker_until?.getTime() ?? 0);
    earliest = Math.min(earliest, Math.max(triedAtMs(row), freeMs, openMs));
  }
  return earliest;
}

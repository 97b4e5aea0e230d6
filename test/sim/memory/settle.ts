import {
  BREAKER_FAILURE_SHARE,
  BREAKER_OPEN_MAX_MS,
  BREAKER_OPEN_MS,
  BREAKER_TRIES_MIN,
  BREAKER_WINDOW_MS,
  DAY_MS,
  DISABLED_AFTER_MS,
  THROTTLE_MAX_MS,
  THROTTLE_MS,
  TOLD_AFTER_DAYS,
} from '../../../src/webhooks/endpoint-health.js';
import { isEarlier, isUnleased } from './deliveries.js';
import type { DeliveryRow, EndpointRow } from './delivery-rows.js';
import type { Row } from './rows.js';
import { addAlert } from './save.js';
import type { Tables } from './tables.js';

const STEPS_MAX = 20;

interface Result {
  client_id: string;
  delivery_id: string;
  endpoint_id: string;
  lease_token: string;
  number: number;
  status: number | null;
  error: string | null;
  verdict: 'delivered' | 'retry' | 'exhausted' | 'gone';
  next_try_at: Date | null;
  is_throttle: boolean;
  throttled_until: Date | null;
  is_probe: boolean;
}

/**
 * `settleValues` sends an array for each of its `COLUMNS`, in their order. What is usual is null, and a column of nothing
 * but nulls is empty.
 */
type Columns = readonly [
  clientIds: string[],
  deliveryIds: string[],
  endpointIds: string[],
  leaseTokens: string[],
  numbers: number[],
  ats: Date[],
  durations: number[],
  statuses: (number | null)[],
  errors: (string | null)[],
  excerpts: (string | null)[],
  verdicts: (Result['verdict'] | null)[],
  nextTries: (Date | null)[],
  areThrottles: (true | null)[],
  throttledUntils: (Date | null)[],
  areProbes: (true | null)[],
];

function resultsFrom([clientIds, deliveryIds, endpointIds, leaseTokens, numbers, , , ...others]: Columns): Result[] {
  const [statuses, errors, , verdicts, nextTries, areThrottles, throttledUntils, areProbes] = others;
  return clientIds.map((client_id, place) => ({
    client_id,
    delivery_id: at(deliveryIds, place),
    endpoint_id: at(endpointIds, place),
    lease_token: at(leaseTokens, place),
    number: at(numbers, place),
    status: statuses[place] ?? null,
    error: errors[place] ?? null,
    verdict: verdicts[place] ?? 'delivered',
    next_try_at: nextTries[place] ?? null,
    is_throttle: areThrottles[place] ?? false,
    throttled_until: throttledUntils[place] ?? null,
    is_probe: areProbes[place] ?? false,
  }));
}

function at<T>(column: readonly T[], place: number): T {
  const value = column[place];
  if (value === undefined) throw new Error(`there is no result ${place}`);
  return value;
}

/** `SETTLE` of `settle-sql.ts`: `$1` real now, then `COLUMNS`. */
export function settle(tables: Tables, values: readonly unknown[]): Row[] {
  const [now, ...columns] = values as readonly [Date, ...Columns];
  const results = resultsFrom(columns);
  for (const { client_id, delivery_id, number, status } of results) {
    if (tables.deliveries.get(delivery_id)) tables.tries.insertIfNew({ client_id, delivery_id, number, status });
  }
  // Every part of the statement reads the endpoints as they were before it.
  const ended = results.flatMap((result) => settleOne(tables, result, now));
  const woken = ended.map((row) => wakeNextInLine(tables, row, now));
  const probedWell = endpointsOf(results).map((group) => weigh(tables, group, now));
  return [{ has_woken: woken.some(Boolean) || probedWell.some(Boolean) }];
}

/** Answers the delivery where it has ended, so that what stood behind it may go. */
function settleOne(tables: Tables, result: Result, now: Date): DeliveryRow[] {
  const row = tables.deliveries.get(result.delivery_id);
  const endpoint = tables.endpoints.get(result.endpoint_id);
  if (!row || !endpoint || row.next_try_at === null) return [];
  if (String(row.lease_token) !== result.lease_token && result.verdict !== 'delivered') return [];
  const status = fateOf(result, row, endpoint);
  const isDelivered = result.verdict === 'delivered';
  const settled: DeliveryRow = {
    ...row,
    status,
    next_try_at: status === 'pending' ? result.next_try_at : null,
    delivered_at: isDelivered ? (row.delivered_at ?? now) : row.delivered_at,
    schedule_step: row.schedule_step + (isDelivered ? 0 : 1),
    last_status: result.status ?? row.last_status,
    last_error: result.error,
    lease_until: null,
    updated_at: now,
  };
  tables.deliveries.replace(settled);
  return status === 'pending' ? [] : [settled];
}

function fateOf({ verdict }: Result, row: DeliveryRow, endpoint: EndpointRow): DeliveryRow['status'] {
  if (verdict === 'delivered') return 'delivered';
  if (verdict === 'retry' && endpoint.deleted_at === null && endpoint.enabled) return 'pending';
  if (row.delivered_at !== null) return 'delivered';
  if (endpoint.deleted_at !== null) return 'endpoint_deleted';
  return verdict === 'gone' || !endpoint.enabled ? 'endpoint_disabled' : 'exhausted';
}

function wakeNextInLine(tables: Tables, ended: DeliveryRow, now: Date): boolean {
  const waiting = tables.deliveries.where(
    (row) =>
      row.recovery_id !== null &&
      row.recovery_id === ended.recovery_id &&
      row.endpoint_id === ended.endpoint_id &&
      row.is_in_line &&
      row.endpoint_sequence === null &&
      row.lease_until === null &&
      row.next_try_at !== null &&
      row.next_try_at > now &&
      isEarlier(ended, row),
  );
  for (const row of waiting) tables.deliveries.replace({ ...row, next_try_at: now, updated_at: now });
  return waiting.length > 0;
}

function endpointsOf(results: readonly Result[]): Result[][] {
  const groups = new Map<string, Result[]>();
  for (const result of results) groups.set(result.endpoint_id, [...(groups.get(result.endpoint_id) ?? []), result]);
  return [...groups.values()];
}

/** What the tries said of their endpoint. Answers whether its probe went well. */
function weigh(tables: Tables, group: readonly Result[], now: Date): boolean {
  const before = tables.endpoints.get(group[0]?.endpoint_id ?? '');
  if (!before) return false;
  const isWell = group.some(({ verdict }) => verdict === 'delivered');
  const isAllWell = group.every(({ verdict }) => verdict === 'delivered');
  const hasTrouble =
    before.failing_since !== null ||
    before.window_failures > 0 ||
    before.breaker_until !== null ||
    before.throttle_step > 0;
  if (isAllWell && !hasTrouble) return false;
  const probes = group.filter(({ is_probe }) => is_probe);
  const isProbeWell = probes.some(({ verdict }) => verdict === 'delivered');
  const isProbeFailed = probes.some(({ verdict }) => verdict !== 'delivered');
  const failingFrom = isWell ? null : (before.failing_since ?? now);
  const isGone = group.some(({ verdict }) => verdict === 'gone');
  const isGivenUp =
    before.enabled && failingFrom !== null && failingFrom.getTime() <= now.getTime() - DISABLED_AFTER_MS;
  const isDisabling = before.enabled && (isGone || isGivenUp);
  tables.endpoints.replace({
    ...before,
    failing_since: failingFrom,
    failing_told: failingFrom === null ? 0 : before.failing_told,
    ...windowOf(before, group, { isProbeWell, isProbeFailed }, now),
    ...throttleOf(before, group, isWell, now),
    enabled: before.enabled && !isGone && !isGivenUp,
    disabled_reason: !before.enabled ? before.disabled_reason : isGone ? 'gone' : isGivenUp ? 'failing' : null,
    disabled_at: isDisabling ? now : before.disabled_at,
    updated_at: isDisabling ? now : before['updated_at'],
  });
  if (isWell && before.failing_told > 0) resolveAlerts(tables, before, now);
  return isProbeWell;
}

function windowOf(
  before: EndpointRow,
  group: readonly Result[],
  { isProbeWell, isProbeFailed }: { isProbeWell: boolean; isProbeFailed: boolean },
  now: Date,
): Partial<EndpointRow> {
  const counted = group.filter(({ is_throttle }) => !is_throttle);
  const isOpen = before.window_from !== null && before.window_from.getTime() > now.getTime() - BREAKER_WINDOW_MS;
  const tries = (isOpen ? before.window_tries : 0) + counted.length;
  const failures =
    (isOpen ? before.window_failures : 0) + counted.filter(({ verdict }) => verdict !== 'delivered').length;
  const isTripping =
    before.breaker_until === null && tries >= BREAKER_TRIES_MIN && failures >= BREAKER_FAILURE_SHARE * tries;
  const opens = isProbeFailed || isTripping;
  const openMs = Math.min(BREAKER_OPEN_MAX_MS, BREAKER_OPEN_MS * 2 ** before.breaker_trips);
  const isClear = isProbeWell || failures === 0;
  return {
    window_from: isClear ? null : isOpen ? before.window_from : now,
    window_tries: isClear ? 0 : tries,
    window_failures: isProbeWell ? 0 : failures,
    breaker_trips: isProbeWell ? 0 : opens ? Math.min(before.breaker_trips + 1, STEPS_MAX) : before.breaker_trips,
    breaker_until: isProbeWell ? null : opens ? new Date(now.getTime() + openMs) : before.breaker_until,
  };
}

function throttleOf(before: EndpointRow, group: readonly Result[], isWell: boolean, now: Date): Partial<EndpointRow> {
  const asked = group.flatMap(({ throttled_until }) => (throttled_until === null ? [] : [throttled_until.getTime()]));
  const isAnew =
    group.some(({ is_throttle }) => is_throttle) && (before.throttled_until?.getTime() ?? 0) <= now.getTime();
  const ownMs = now.getTime() + Math.min(THROTTLE_MAX_MS, THROTTLE_MS * 2 ** before.throttle_step);
  const until = Math.max(before.throttled_until?.getTime() ?? 0, ...asked, isAnew ? ownMs : 0);
  return {
    throttle_step: isAnew ? Math.min(before.throttle_step + 1, STEPS_MAX) : isWell ? 0 : before.throttle_step,
    throttled_until: until === 0 ? null : new Date(until),
  };
}

function resolveAlerts(tables: Tables, { client_id, id }: EndpointRow, now: Date): void {
  const keys = TOLD_AFTER_DAYS.map((day) => `webhook_endpoint_failing:${id}:${day}`);
  for (const alert of tables.alerts.where((row) => row.client_id === client_id && row.resolved_at === null)) {
    if (keys.includes(alert.dedupe_key)) tables.alerts.replace({ ...alert, resolved_at: now });
  }
}

/** `FOLLOW_FAILURES` of `settle-sql.ts`: `$1` real now, `$2` endpoints with an id each for an alert. */
export function followFailures(tables: Tables, [realNow, json]: readonly unknown[]): Row[] {
  const now = realNow as Date;
  const named = JSON.parse(json as string) as { client_id: string; endpoint_id: string; alert_id: string }[];
  for (const { endpoint_id, alert_id } of named) {
    const endpoint = tables.endpoints.get(endpoint_id);
    if (!endpoint || endpoint.deleted_at !== null) continue;
    if (endpoint.enabled) tellFailing(tables, endpoint, alert_id, now);
    else park(tables, endpoint, alert_id, now);
  }
  return [];
}

function tellFailing(tables: Tables, endpoint: EndpointRow, alertId: string, now: Date): void {
  const failedMs = endpoint.failing_since === null ? 0 : now.getTime() - endpoint.failing_since.getTime();
  const day = [...TOLD_AFTER_DAYS].reverse().find((each) => failedMs >= each * DAY_MS) ?? 0;
  if (day <= endpoint.failing_told) return;
  tables.endpoints.replace({ ...endpoint, failing_told: day });
  addAlert(tables, alertOf(endpoint, alertId, 'webhook_endpoint_failing', `:${day}`, now));
}

function park(tables: Tables, endpoint: EndpointRow, alertId: string, now: Date): void {
  const waiting = tables.deliveries.where(
    (row) =>
      row.endpoint_id === endpoint.id && (row.status === 'held' || row.status === 'pending') && isUnleased(tables, row),
  );
  for (const row of waiting) {
    tables.deliveries.replace({
      ...row,
      status: 'endpoint_disabled',
      next_try_at: null,
      lease_until: null,
      updated_at: now,
    });
  }
  if (endpoint.disabled_reason !== 'gone' && endpoint.disabled_reason !== 'failing') return;
  addAlert(tables, alertOf(endpoint, alertId, 'webhook_endpoint_disabled', '', now));
}

function alertOf({ client_id, id }: EndpointRow, alertId: string, kind: string, suffix: string, now: Date) {
  return {
    client_id,
    id: alertId,
    kind,
    recovery_id: null,
    dedupe_key: `${kind}:${id}${suffix}`,
    created_at: now,
    resolved_at: null,
  };
}

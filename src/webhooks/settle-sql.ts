import * as health from './endpoint-health.js';
import { UNLEASED } from './delivery-sql.js';
import type { TryResult } from './delivery-store.js';

const interval = (ms: number) => `interval '${ms} milliseconds'`;
/** 2 to the power of a step, in seconds and at most so many milliseconds. */
const doubling = (firstMs: number, step: string, maxMs: number) =>
  `least(${interval(maxMs)}, ${interval(firstMs)} * power(2, ${step}))`;

/** An instant as the API writes it. */
const ISO = (column: string) => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

// What the tries said of their endpoints. One that is well and has no trouble behind it is not written to at all.
const ENDPOINTS = `
  answers AS (
    SELECT client_id, endpoint_id, count(*) FILTER (WHERE NOT is_throttle)::int AS tries,
      count(*) FILTER (WHERE verdict <> 'delivered' AND NOT is_throttle)::int AS failures,
      bool_or(verdict = 'delivered') AS is_well, bool_and(verdict = 'delivered') AS is_all_well,
      bool_or(verdict = 'gone') AS is_gone, bool_or(is_throttle) AS is_throttle, max(throttled_until) AS asked_until,
      coalesce(bool_or(verdict = 'delivered') FILTER (WHERE is_probe), false) AS is_probe_well,
      coalesce(bool_or(verdict <> 'delivered') FILTER (WHERE is_probe), false) AS is_probe_failed
    FROM results GROUP BY client_id, endpoint_id),
  -- In one order for all workers, so that no two wait for each other.
  troubled AS MATERIALIZED (
    SELECT a.*, p.enabled, p.failing_since, p.failing_told, p.throttled_until, p.throttle_step, p.breaker_until, p.breaker_trips,
      coalesce(p.window_from > $1::timestamptz - ${interval(health.BREAKER_WINDOW_MS)}, false) AS is_window_open,
      p.window_from, p.window_tries, p.window_failures
    FROM answers a JOIN webhook_endpoints p ON p.client_id = a.client_id AND p.id = a.endpoint_id
    WHERE NOT a.is_all_well OR p.failing_since IS NOT NULL OR p.window_failures > 0 OR p.breaker_until IS NOT NULL
      OR p.throttle_step > 0
    ORDER BY p.client_id, p.id FOR NO KEY UPDATE OF p),
  counted AS (
    SELECT t.*, CASE WHEN is_window_open THEN window_from ELSE $1 END AS counted_from,
      CASE WHEN is_window_open THEN window_tries ELSE 0 END + tries AS counted_tries,
      CASE WHEN is_window_open THEN window_failures ELSE 0 END + failures AS counted_failures,
      CASE WHEN is_well THEN NULL ELSE coalesce(failing_since, $1) END AS failing_from
    FROM troubled t),
  weighed AS (
    SELECT c.*, breaker_until IS NULL AND counted_tries >= ${health.BREAKER_TRIES_MIN}
        AND counted_failures >= ${health.BREAKER_FAILURE_SHARE} * counted_tries AS is_tripping,
      enabled AND coalesce(failing_from <= $1::timestamptz - ${interval(health.DISABLED_AFTER_MS)}, false) AS is_given_up,
      -- What was on the wire when the pause began says nothing new.
      is_throttle AND coalesce(throttled_until <= $1, true) AS is_throttled_anew
    FROM counted c),
  endpoints AS (
    UPDATE webhook_endpoints p SET
      failing_since = w.failing_from,
      failing_told = CASE WHEN w.failing_from IS NULL THEN 0 ELSE w.failing_told END,
      window_from = CASE WHEN w.is_probe_well OR w.counted_failures = 0 THEN NULL ELSE w.counted_from END,
      window_tries = CASE WHEN w.is_probe_well OR w.counted_failures = 0 THEN 0 ELSE w.counted_tries END,
      window_failures = CASE WHEN w.is_probe_well THEN 0 ELSE w.counted_failures END,
      breaker_trips = CASE WHEN w.is_probe_well THEN 0
        WHEN w.is_probe_failed OR w.is_tripping THEN least(w.breaker_trips + 1, 20) ELSE w.breaker_trips END,
      breaker_until = CASE WHEN w.is_probe_well THEN NULL
        WHEN w.is_probe_failed OR w.is_tripping
          THEN $1::timestamptz + ${doubling(health.BREAKER_OPEN_MS, 'w.breaker_trips', health.BREAKER_OPEN_MAX_MS)}
        ELSE w.breaker_until END,
      throttle_step = CASE WHEN w.is_throttled_anew THEN least(w.throttle_step + 1, 20)
        WHEN w.is_well THEN 0 ELSE w.throttle_step END,
      throttled_until = greatest(w.throttled_until, w.asked_until, CASE WHEN w.is_throttled_anew
        THEN $1::timestamptz + ${doubling(health.THROTTLE_MS, 'w.throttle_step', health.THROTTLE_MAX_MS)} END),
      enabled = w.enabled AND NOT w.is_gone AND NOT w.is_given_up,
      disabled_reason = CASE WHEN NOT w.enabled THEN p.disabled_reason WHEN w.is_gone THEN 'gone'
        WHEN w.is_given_up THEN 'failing' END,
      disabled_at = CASE WHEN w.enabled AND (w.is_gone OR w.is_given_up) THEN $1 ELSE p.disabled_at END,
      updated_at = CASE WHEN w.enabled AND (w.is_gone OR w.is_given_up) THEN $1 ELSE p.updated_at END
    FROM weighed w WHERE p.client_id = w.client_id AND p.id = w.endpoint_id),
  -- It answers again: what the operator was told is over.
  resolved AS (
    UPDATE operator_alerts o SET resolved_at = $1
    FROM weighed w
    WHERE w.is_well AND w.failing_told > 0 AND o.client_id = w.client_id AND o.resolved_at IS NULL
      AND o.dedupe_key IN (${health.TOLD_AFTER_DAYS.map((day) => `'webhook_endpoint_failing:' || w.endpoint_id || ':${day}'`).join(', ')}))`;

/**
 * What a result is to PostgreSQL: an array for each of these, $2 and on. JSON would cost it four times as much to read. What
 * is usual is null, and a column of nothing but nulls is sent as an empty array, which `unnest` fills up.
 */
const COLUMNS: readonly [name: string, type: string, of: (result: TryResult) => unknown][] = [
  ['client_id', 'text', ({ clientId }) => clientId],
  ['delivery_id', 'text', ({ deliveryId }) => deliveryId],
  ['endpoint_id', 'text', ({ endpointId }) => endpointId],
  ['lease_token', 'bigint', ({ leaseToken }) => leaseToken],
  ['number', 'integer', ({ number }) => number],
  ['at', 'timestamptz', ({ at }) => at],
  ['duration_ms', 'integer', ({ durationMs }) => durationMs],
  ['status', 'integer', ({ status }) => status],
  ['error', 'text', ({ error }) => error],
  ['response_excerpt', 'text', ({ responseExcerpt }) => responseExcerpt],
  ['verdict', 'text', ({ verdict }) => (verdict === 'delivered' ? null : verdict)],
  ['next_try_at', 'timestamptz', ({ nextTryAt }) => nextTryAt],
  ['is_throttle', 'boolean', ({ throttle }) => (throttle === null ? null : true)],
  ['throttled_until', 'timestamptz', ({ throttle }) => throttle?.until ?? null],
  ['is_probe', 'boolean', ({ isProbe }) => (isProbe ? true : null)],
];

/** True of the first try that was received. A ping's delivery, and one of an older release, has its row in the log. */
const IS_RECEIPT = `j.verdict = 'delivered' AND d.delivered_at IS NULL`;

/** The parameters of `SETTLE`. */
export function settleValues(realNow: Date, results: readonly TryResult[]): unknown[] {
  const columns = COLUMNS.map(([, , of]) => results.map(of));
  return [realNow, ...columns.map((column) => (column.every((value) => value === null) ? [] : column))];
}

/**
 * Writes what became of tries: $1 real now, then `COLUMNS`. A result counts while its lease is the newest one; a
 * delivery that did arrive counts in any case, so that it is not sent again. What stood in line behind one that has
 * ended becomes due. Answers whether there is something to claim that was not before.
 */
export const SETTLE = `
  WITH results AS MATERIALIZED (
    SELECT client_id, delivery_id, endpoint_id, lease_token, number, at, duration_ms, status, error, response_excerpt,
      coalesce(verdict, 'delivered') AS verdict, next_try_at, coalesce(is_throttle, false) AS is_throttle, throttled_until,
      coalesce(is_probe, false) AS is_probe
    FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 2}::${type}[]`).join(', ')})
      AS r (${COLUMNS.map(([name]) => name).join(', ')})),
  judged AS MATERIALIZED (
    SELECT r.*, r.verdict = 'retry' AND p.deleted_at IS NULL AND p.enabled AS goes_on,
      CASE WHEN p.deleted_at IS NOT NULL THEN 'endpoint_deleted'
           WHEN r.verdict = 'gone' OR NOT p.enabled THEN 'endpoint_disabled'
           ELSE 'exhausted' END AS ended_as
    FROM results r JOIN webhook_endpoints p ON p.client_id = r.client_id AND p.id = r.endpoint_id),
  settled AS (
    UPDATE webhook_deliveries d SET
      status = CASE WHEN j.goes_on THEN 'pending'
                    -- A redelivery that fails does not undo that it was received once.
                    WHEN j.verdict = 'delivered' OR d.delivered_at IS NOT NULL THEN 'delivered'
                    ELSE j.ended_as END,
      next_try_at = CASE WHEN j.goes_on THEN j.next_try_at END,
      delivered_at = CASE j.verdict WHEN 'delivered' THEN coalesce(d.delivered_at, $1) ELSE d.delivered_at END,
      receipt_number = CASE WHEN ${IS_RECEIPT} THEN j.number ELSE d.receipt_number END,
      receipt_at = CASE WHEN ${IS_RECEIPT} THEN j.at ELSE d.receipt_at END,
      receipt_ms = CASE WHEN ${IS_RECEIPT} THEN j.duration_ms ELSE d.receipt_ms END,
      receipt_status = CASE WHEN ${IS_RECEIPT} THEN j.status ELSE d.receipt_status END,
      schedule_step = d.schedule_step + CASE j.verdict WHEN 'delivered' THEN 0 ELSE 1 END,
      last_status = coalesce(j.status, d.last_status), last_error = j.error, lease_until = NULL, updated_at = $1
    FROM judged j
    WHERE d.client_id = j.client_id AND d.id = j.delivery_id AND (d.lease_token = j.lease_token OR j.verdict = 'delivered')
      -- What is pending, in other words: those would invite the index of all that waits.
      AND d.next_try_at IS NOT NULL
    RETURNING d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.event_sequence, d.status, d.receipt_number),
  -- Every try but the one that its delivery's row tells of. Also the try whose lease was lost; none of a delivery that
  -- retention has deleted meanwhile.
  logged AS (
    INSERT INTO webhook_tries (client_id, delivery_id, number, at, duration_ms, status, error, response_excerpt)
    SELECT r.client_id, r.delivery_id, r.number, r.at, r.duration_ms, r.status, r.error, r.response_excerpt
    FROM results r LEFT JOIN settled s ON s.client_id = r.client_id AND s.id = r.delivery_id
    WHERE CASE WHEN s.id IS NOT NULL THEN s.receipt_number IS DISTINCT FROM r.number
               -- OFFSET keeps a plan made over empty tables from reading all deliveries once instead.
               ELSE EXISTS (SELECT FROM webhook_deliveries d WHERE d.client_id = r.client_id AND d.id = r.delivery_id OFFSET 0) END
    ON CONFLICT DO NOTHING),
  next_in_line AS (
    UPDATE webhook_deliveries n SET next_try_at = $1, updated_at = $1
    FROM settled s CROSS JOIN LATERAL (
      -- OFFSET keeps these together, so that even a plan made over empty tables takes the index that has all of them.
      SELECT x.client_id, x.id FROM webhook_deliveries x
      WHERE x.is_in_line AND x.client_id = s.client_id AND x.recovery_id = s.recovery_id AND x.endpoint_id = s.endpoint_id
        AND (x.event_sequence, x.event_id) > (s.event_sequence, s.event_id) OFFSET 0) w
    -- Not said: n.status = 'pending'. It follows, and would invite the index of all that waits for this endpoint.
    WHERE s.status <> 'pending' AND n.client_id = w.client_id AND n.id = w.id AND n.endpoint_sequence IS NULL
      AND n.lease_until IS NULL AND n.next_try_at > $1
    RETURNING n.id), ${ENDPOINTS}
  SELECT EXISTS (SELECT FROM next_in_line) OR EXISTS (SELECT FROM weighed WHERE is_probe_well) AS has_woken`;

/**
 * What failures lead to beside their own deliveries, in the same transaction: $1 real now, $2 JSON array of their
 * endpoints with an id each for an alert. What waits for one that is disabled now is parked; the operator is told of
 * that, and of one that has failed for a day and for three, once each.
 */
export const FOLLOW_FAILURES = `
  WITH named AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS n (client_id text, endpoint_id text, alert_id text)),
  standing AS MATERIALIZED (
    SELECT p.client_id, p.id, n.alert_id, p.enabled, p.disabled_reason, p.failing_since, p.failing_told,
      CASE WHEN p.failing_since <= $1::timestamptz - ${interval(health.TOLD_AFTER_DAYS[1] * health.DAY_MS)} THEN ${health.TOLD_AFTER_DAYS[1]}
           WHEN p.failing_since <= $1::timestamptz - ${interval(health.TOLD_AFTER_DAYS[0] * health.DAY_MS)} THEN ${health.TOLD_AFTER_DAYS[0]}
           ELSE 0 END AS day
    FROM named n JOIN webhook_endpoints p ON p.client_id = n.client_id AND p.id = n.endpoint_id
    WHERE p.deleted_at IS NULL ORDER BY p.client_id, p.id FOR NO KEY UPDATE OF p),
  parked AS (
    UPDATE webhook_deliveries d SET status = 'endpoint_disabled', next_try_at = NULL, lease_until = NULL, updated_at = $1
    FROM standing s
    WHERE NOT s.enabled AND d.client_id = s.client_id AND d.endpoint_id = s.id AND d.status IN ('held', 'pending')
      AND ${UNLEASED('d')}),
  told AS (
    UPDATE webhook_endpoints p SET failing_told = s.day FROM standing s
    WHERE p.client_id = s.client_id AND p.id = s.id AND s.enabled AND s.day > s.failing_told)
  INSERT INTO operator_alerts (client_id, id, kind, severity, facts, dedupe_key, created_at)
  SELECT s.client_id, s.alert_id,
    CASE WHEN s.enabled THEN 'webhook_endpoint_failing' ELSE 'webhook_endpoint_disabled' END,
    CASE WHEN s.enabled THEN 'warning' ELSE 'critical' END,
    CASE WHEN s.enabled THEN jsonb_build_object('endpointId', s.id, 'day', s.day, 'since', ${ISO('s.failing_since')})
         ELSE jsonb_build_object('endpointId', s.id, 'reason', s.disabled_reason, 'since', ${ISO('s.failing_since')}, 'waiting',
           (SELECT count(*) FROM webhook_deliveries k WHERE k.client_id = s.client_id AND k.endpoint_id = s.id
              AND k.status IN ('held', 'pending', 'endpoint_disabled'))) END,
    CASE WHEN s.enabled THEN 'webhook_endpoint_failing:' || s.id || ':' || s.day
         ELSE 'webhook_endpoint_disabled:' || s.id END,
    $1
  FROM standing s
  WHERE CASE WHEN s.enabled THEN s.day > s.failing_told ELSE s.disabled_reason IN ('gone', 'failing') END
  ON CONFLICT DO NOTHING`;

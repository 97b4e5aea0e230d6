import { asksCustomer } from './asks-customer.js';
import { LEASE_MS, UNLEASED } from './delivery-sql.js';

// An event that must wait for an earlier one looks again so often at least; the earlier one's end wakes it sooner.
const LOOK_AGAIN = `interval '1 second'`;
const LOOK_AGAIN_WHILE_HELD = `interval '5 seconds'`;
const LEASE = `interval '${LEASE_MS} milliseconds'`;

// Every endpoint that has anything pending, by one index probe each, however much it has (a "loose index scan").
const ENDPOINTS_WAITING = `
  waiting AS (
    SELECT min(d.endpoint_id) AS endpoint_id FROM webhook_deliveries d WHERE d.status = 'pending'
    UNION ALL
    SELECT (SELECT min(d.endpoint_id) FROM webhook_deliveries d
            WHERE d.status = 'pending' AND d.endpoint_id > w.endpoint_id)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL)`;

// The oldest due delivery of each endpoint that may be called now. A failing one is told apart, so that however many of
// them there are, they take their own share of places and not those of the healthy.
const HEADS = `
  heads AS MATERIALIZED (
    SELECT p.client_id, p.id, p.failing_since IS NOT NULL AS is_failing, p.breaker_until IS NOT NULL AS is_probe,
      CASE WHEN p.breaker_until IS NOT NULL THEN least(coalesce(served.room, 1), 1)
           WHEN p.failing_since IS NOT NULL THEN coalesce(served.room, 2)
           ELSE coalesce(served.room, $2) END AS room, h.next_try_at
    FROM waiting w
    JOIN webhook_endpoints p ON p.id = w.endpoint_id
    LEFT JOIN unnest($3::text[], $4::int[]) AS served (endpoint_id, room) ON served.endpoint_id = w.endpoint_id
    CROSS JOIN LATERAL (
      SELECT d.next_try_at FROM webhook_deliveries d
      WHERE d.status = 'pending' AND d.endpoint_id = w.endpoint_id AND d.next_try_at <= $1 AND ${UNLEASED('d')}
      ORDER BY d.next_try_at LIMIT 1) h
    WHERE (p.throttled_until IS NULL OR p.throttled_until <= $1) AND (p.breaker_until IS NULL OR p.breaker_until <= $1)),
  called AS (
    (SELECT * FROM heads WHERE room > 0 AND NOT is_failing ORDER BY next_try_at LIMIT $5)
    UNION ALL
    (SELECT * FROM heads WHERE room > 0 AND is_failing ORDER BY next_try_at LIMIT $6)),
  -- None locks far more than its share of the claim, for what is beyond the claim's end was locked in vain.
  turns AS MATERIALIZED (
    SELECT client_id, id, is_failing, is_probe, next_try_at,
      least(room, ceil(2.0 * $5 / count(*) OVER ()))::int AS room
    FROM called),
  -- Of all workers, one gets the probe of a half-open breaker.
  probes AS MATERIALIZED (
    SELECT p.id FROM webhook_endpoints p JOIN turns t ON t.client_id = p.client_id AND t.id = p.id
    WHERE t.is_probe AND p.breaker_until <= $1 FOR NO KEY UPDATE OF p SKIP LOCKED)`;

const DUE = `
  due AS MATERIALIZED (
    SELECT x.* FROM turns t
    CROSS JOIN LATERAL (
      SELECT d.ctid AS version, d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.event_sequence, d.delivered_at, d.next_try_at
      FROM webhook_deliveries d
      WHERE d.status = 'pending' AND d.endpoint_id = t.id AND d.next_try_at <= $1 AND ${UNLEASED('d')}
      ORDER BY d.next_try_at LIMIT t.room FOR UPDATE SKIP LOCKED) x
    WHERE NOT t.is_probe OR t.id IN (SELECT id FROM probes)
    -- Of what fell due in the same moment the oldest first: else one endpoint's would come before another's.
    ORDER BY x.next_try_at, x.id LIMIT $5)`;

// What the success takes back will never be sent, so nothing waits for it.
const IS_AHEAD = `
  a.status IN ('held', 'pending') AND a.delivered_at IS NULL AND u.delivered_at IS NULL
  AND (a.event_sequence, a.event_id) < (u.event_sequence, u.event_id)
  AND NOT (e.type = 'recovery.success' AND ${UNLEASED('a')} AND (
    SELECT ${asksCustomer('ae')} FROM webhook_events ae WHERE ae.client_id = a.client_id AND ae.id = a.event_id))`;

// Of all that stands in one line, in one look: whether something is still ahead, and the last number that was given.
const JUDGED = `
  judged AS MATERIALIZED (
    SELECT u.version, e.ctid AS event_version, e.type, line.look_again_at, line.last_sequence, p.failing_since IS NOT NULL AS is_failing,
      CASE WHEN p.deleted_at IS NOT NULL THEN 'endpoint_deleted'
           WHEN NOT p.enabled THEN 'endpoint_disabled'
           WHEN ${asksCustomer('e')} AND u.delivered_at IS NULL AND debt_is_settled(u.client_id, u.recovery_id)
             THEN 'superseded'
           WHEN line.look_again_at IS NOT NULL THEN 'in_line'
           ELSE 'claimed' END AS fate
    FROM due u
    JOIN webhook_events e ON e.client_id = u.client_id AND e.id = u.event_id
    JOIN webhook_endpoints p ON p.client_id = u.client_id AND p.id = u.endpoint_id
    CROSS JOIN LATERAL (
      SELECT max(a.endpoint_sequence) AS last_sequence,
        max(CASE WHEN NOT ${UNLEASED('a')} THEN $1::timestamptz + ${LOOK_AGAIN}
                 WHEN a.status = 'held' THEN $1::timestamptz + ${LOOK_AGAIN_WHILE_HELD}
                 ELSE greatest(a.next_try_at, $1::timestamptz + ${LOOK_AGAIN}) END) FILTER (WHERE ${IS_AHEAD}) AS look_again_at
      -- OFFSET keeps these three together, so that even a plan made over empty tables takes the index that has all of them.
      FROM (SELECT * FROM webhook_deliveries x
            WHERE x.client_id = u.client_id AND x.recovery_id = u.recovery_id AND x.endpoint_id = u.endpoint_id OFFSET 0) a) line)`;

/**
 * Takes due deliveries, a few of each endpoint, and judges each anew: $1 real now, $2 how many of an endpoint that is
 * not named in $3, $3 endpoints that are being served, $4 how many more each of those may have, $5 how many in all,
 * $6 how many failing endpoints may have a turn. An endpoint that asked for a pause, or whose breaker is open, has none.
 * Judged are: whether its endpoint still wants anything; whether what it asks of the customer is still true; whether an
 * earlier event of the same recovery is still on its way to the same endpoint. First come the
 * endpoints with what they hold, in rows without an id; then the deliveries, what is claimed with its body. The body comes in base64, which is
 * a third shorter than PostgreSQL's own way to write bytes, and quicker to read.
 */
export const CLAIM_DUE = `
  WITH RECURSIVE ${ENDPOINTS_WAITING}, ${HEADS}, ${DUE}, ${JUDGED},
  moved AS (
    UPDATE webhook_deliveries d SET
      status = CASE WHEN j.fate IN ('claimed', 'in_line') THEN 'pending' ELSE j.fate END,
      next_try_at = CASE j.fate WHEN 'claimed' THEN d.next_try_at WHEN 'in_line' THEN j.look_again_at END,
      lease_until = CASE j.fate WHEN 'claimed' THEN clock_timestamp() + ${LEASE} END,
      lease_token = d.lease_token + 1,
      is_in_line = j.fate = 'in_line',
      try_count = d.try_count + CASE j.fate WHEN 'claimed' THEN 1 ELSE 0 END,
      endpoint_sequence = CASE WHEN j.fate = 'claimed' AND d.recovery_id IS NOT NULL
        THEN coalesce(d.endpoint_sequence, 1 + coalesce(j.last_sequence, 0)) ELSE d.endpoint_sequence END,
      updated_at = $1
    -- By its place, which holds while it is locked, and needs no index.
    FROM judged j WHERE d.ctid = j.version
    RETURNING d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.lease_token, d.try_count, d.schedule_step,
      d.endpoint_sequence, d.next_try_at, j.fate, j.type, j.event_version, j.is_failing,
      EXISTS (SELECT FROM probes b WHERE b.id = d.endpoint_id) AS is_probe),
  -- The probe is out: nobody sends another one while its lease lasts.
  probing AS (
    UPDATE webhook_endpoints p SET breaker_until = $1::timestamptz + ${LEASE}
    FROM (SELECT DISTINCT client_id, endpoint_id FROM moved WHERE is_probe AND fate = 'claimed') m
    WHERE p.client_id = m.client_id AND p.id = m.endpoint_id),
  withdrawn AS (
    UPDATE webhook_events e SET superseded_at = coalesce(e.superseded_at, $1)
    FROM (SELECT DISTINCT client_id, event_id FROM moved WHERE fate = 'superseded') m
    WHERE e.client_id = m.client_id AND e.id = m.event_id)
  SELECT p.client_id, NULL AS id, NULL AS event_id, p.id AS endpoint_id, NULL AS recovery_id, NULL AS lease_token, NULL AS try_count,
    NULL AS schedule_step, NULL AS endpoint_sequence, NULL AS type, NULL AS body, NULL AS is_failing, NULL AS is_probe,
    p.url, p.secret_sealed, p.previous_secret_sealed, p.previous_secret_until, p.headers_sealed
  FROM (SELECT DISTINCT client_id, endpoint_id FROM moved) m
  JOIN webhook_endpoints p ON p.client_id = m.client_id AND p.id = m.endpoint_id
  UNION ALL
  SELECT m.client_id, m.id, m.event_id, m.endpoint_id, m.recovery_id, m.lease_token, m.try_count, m.schedule_step,
    m.endpoint_sequence, m.type,
    -- Fetched last: what is kept and sorted until then is a sixth as wide without it.
    CASE m.fate WHEN 'claimed' THEN (SELECT encode(e.body, 'base64') FROM webhook_events e WHERE e.ctid = m.event_version) END,
    m.is_failing, m.is_probe, NULL, NULL, NULL, NULL, NULL
  FROM (SELECT * FROM moved ORDER BY next_try_at, id) m`;

/**
 * When the next delivery falls due at an endpoint that may then be called, in real time; null when none is pending.
 * $1: also at endpoints that are failing, which is no use while all their places are taken.
 */
export const NEXT_DUE = `
  WITH RECURSIVE ${ENDPOINTS_WAITING}
  SELECT min(greatest(x.next_try_at, p.throttled_until, p.breaker_until)) AS next_due_at
  FROM waiting w JOIN webhook_endpoints p ON p.id = w.endpoint_id
  CROSS JOIN LATERAL (
    SELECT d.next_try_at FROM webhook_deliveries d
    WHERE d.status = 'pending' AND d.endpoint_id = w.endpoint_id AND ${UNLEASED('d')}
    ORDER BY d.next_try_at LIMIT 1) x
  WHERE $1 OR p.failing_since IS NULL`;

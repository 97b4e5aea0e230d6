/** How long a claimed delivery belongs to its dispatcher: longer than a try may take, so that it needs no renewal. */
export const LEASE_MS = 15_000;

// An event that must wait for an earlier one looks again so often at least; the earlier one's end wakes it sooner.
const LOOK_AGAIN = `interval '1 second'`;
const LOOK_AGAIN_WHILE_HELD = `interval '5 seconds'`;

const UNLEASED = (alias: string) => `(${alias}.lease_until IS NULL OR ${alias}.lease_until < clock_timestamp())`;

// Every endpoint that has anything pending, by one index probe each, however much it has (a "loose index scan").
const ENDPOINTS_WAITING = `
  waiting AS (
    SELECT min(d.endpoint_id) AS endpoint_id FROM webhook_deliveries d WHERE d.status = 'pending'
    UNION ALL
    SELECT (SELECT min(d.endpoint_id) FROM webhook_deliveries d
            WHERE d.status = 'pending' AND d.endpoint_id > w.endpoint_id)
    FROM waiting w WHERE w.endpoint_id IS NOT NULL)`;

/**
 * Takes due deliveries, a few of each endpoint, and judges each anew: $1 real now, $2 how many of an endpoint that is
 * not named in $3, $3 endpoints that are being served, $4 how many more each of those may have, $5 how many in all.
 * Judged are: whether its endpoint still wants anything; whether a `recovery.failed` is still true; whether an earlier
 * event of the same recovery is still on its way to the same endpoint. What is claimed is returned with its body.
 */
export const CLAIM_DUE = `
  WITH RECURSIVE ${ENDPOINTS_WAITING},
  due AS MATERIALIZED (
    SELECT x.* FROM waiting w
    LEFT JOIN unnest($3::text[], $4::int[]) AS served (endpoint_id, room) ON served.endpoint_id = w.endpoint_id
    CROSS JOIN LATERAL (
      SELECT d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.event_sequence, d.delivered_at, d.next_try_at
      FROM webhook_deliveries d
      WHERE d.status = 'pending' AND d.endpoint_id = w.endpoint_id AND d.next_try_at <= $1 AND ${UNLEASED('d')}
      ORDER BY d.next_try_at LIMIT coalesce(served.room, $2) FOR UPDATE SKIP LOCKED) x
    WHERE w.endpoint_id IS NOT NULL
    ORDER BY x.next_try_at LIMIT $5),
  judged AS MATERIALIZED (
    SELECT u.client_id, u.id, e.type, e.body, ahead.look_again_at, p.url, p.secret_sealed, p.previous_secret_sealed,
      p.previous_secret_until, p.headers_sealed,
      CASE WHEN p.deleted_at IS NOT NULL THEN 'endpoint_deleted'
           WHEN NOT p.enabled THEN 'endpoint_disabled'
           WHEN e.type = 'recovery.failed' AND u.delivered_at IS NULL AND debt_is_settled(u.client_id, u.recovery_id)
             THEN 'superseded'
           WHEN ahead.look_again_at IS NOT NULL THEN 'in_line'
           ELSE 'claimed' END AS fate
    FROM due u
    JOIN webhook_events e ON e.client_id = u.client_id AND e.id = u.event_id
    JOIN webhook_endpoints p ON p.client_id = u.client_id AND p.id = u.endpoint_id
    CROSS JOIN LATERAL (
      SELECT max(CASE WHEN NOT ${UNLEASED('a')} THEN $1::timestamptz + ${LOOK_AGAIN}
                      WHEN a.status = 'held' THEN $1::timestamptz + ${LOOK_AGAIN_WHILE_HELD}
                      ELSE greatest(a.next_try_at, $1::timestamptz + ${LOOK_AGAIN}) END) AS look_again_at
      FROM webhook_deliveries a JOIN webhook_events ae ON ae.client_id = a.client_id AND ae.id = a.event_id
      WHERE a.client_id = u.client_id AND a.endpoint_id = u.endpoint_id AND a.recovery_id = u.recovery_id
        AND a.status IN ('held', 'pending') AND a.delivered_at IS NULL AND u.delivered_at IS NULL
        AND (a.event_sequence, a.event_id) < (u.event_sequence, u.event_id)
        -- A failure that the success takes back will never be sent, so nothing waits for it.
        AND NOT (e.type = 'recovery.success' AND ae.type = 'recovery.failed' AND ${UNLEASED('a')})) ahead),
  moved AS (
    UPDATE webhook_deliveries d SET
      status = CASE WHEN j.fate IN ('claimed', 'in_line') THEN 'pending' ELSE j.fate END,
      next_try_at = CASE j.fate WHEN 'claimed' THEN d.next_try_at WHEN 'in_line' THEN j.look_again_at END,
      lease_until = CASE j.fate WHEN 'claimed' THEN clock_timestamp() + interval '${LEASE_MS} milliseconds' END,
      lease_token = d.lease_token + 1,
      try_count = d.try_count + CASE j.fate WHEN 'claimed' THEN 1 ELSE 0 END,
      endpoint_sequence = CASE WHEN j.fate = 'claimed' AND d.recovery_id IS NOT NULL THEN coalesce(d.endpoint_sequence, 1 + coalesce(
        (SELECT max(s.endpoint_sequence) FROM webhook_deliveries s
         WHERE s.client_id = d.client_id AND s.endpoint_id = d.endpoint_id AND s.recovery_id = d.recovery_id), 0))
        ELSE d.endpoint_sequence END,
      updated_at = $1
    FROM judged j WHERE d.client_id = j.client_id AND d.id = j.id
    RETURNING d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.lease_token, d.try_count, d.schedule_step,
      d.endpoint_sequence, j.fate, j.type, CASE j.fate WHEN 'claimed' THEN j.body END AS body, j.url, j.secret_sealed,
      j.previous_secret_sealed, j.previous_secret_until, j.headers_sealed),
  withdrawn AS (
    UPDATE webhook_events e SET superseded_at = coalesce(e.superseded_at, $1)
    FROM (SELECT DISTINCT client_id, event_id FROM moved WHERE fate = 'superseded') m
    WHERE e.client_id = m.client_id AND e.id = m.event_id)
  SELECT * FROM moved`;

/**
 * Writes what became of tries: $1 real now, $2 JSON array of them. A result counts while its lease is the newest one; a
 * delivery that did arrive counts in any case, so that it is not sent again. What stood in line behind one that has
 * ended becomes due.
 */
export const SETTLE = `
  WITH results AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS r (
      client_id text, delivery_id text, endpoint_id text, lease_token bigint, number integer, at timestamptz,
      duration_ms integer, status integer, error text, response_excerpt text, verdict text, next_try_at timestamptz)),
  logged AS (
    INSERT INTO webhook_tries (client_id, delivery_id, number, at, duration_ms, status, error, response_excerpt)
    SELECT client_id, delivery_id, number, at, duration_ms, status, error, response_excerpt FROM results
    ON CONFLICT DO NOTHING),
  judged AS MATERIALIZED (
    SELECT d.client_id, d.id, r.status AS answered, r.error, r.verdict, r.next_try_at,
      CASE WHEN r.verdict = 'delivered' THEN 'delivered'
           WHEN r.verdict = 'retry' AND p.deleted_at IS NULL AND p.enabled THEN 'pending'
           -- A redelivery that fails does not undo that it was received once.
           WHEN d.delivered_at IS NOT NULL THEN 'delivered'
           WHEN p.deleted_at IS NOT NULL THEN 'endpoint_deleted'
           WHEN r.verdict = 'gone' OR NOT p.enabled THEN 'endpoint_disabled'
           ELSE 'exhausted' END AS fate
    FROM results r
    -- LIMIT keeps the planner from reading all that is pending to find these few.
    CROSS JOIN LATERAL (
      SELECT * FROM webhook_deliveries x WHERE x.client_id = r.client_id AND x.id = r.delivery_id LIMIT 1) d
    JOIN webhook_endpoints p ON p.client_id = d.client_id AND p.id = d.endpoint_id
    WHERE d.status = 'pending' AND (d.lease_token = r.lease_token OR r.verdict = 'delivered')),
  settled AS (
    UPDATE webhook_deliveries d SET
      status = j.fate,
      next_try_at = CASE j.fate WHEN 'pending' THEN j.next_try_at END,
      delivered_at = CASE j.verdict WHEN 'delivered' THEN coalesce(d.delivered_at, $1) ELSE d.delivered_at END,
      schedule_step = d.schedule_step + CASE j.verdict WHEN 'delivered' THEN 0 ELSE 1 END,
      last_status = coalesce(j.answered, d.last_status), last_error = j.error, lease_until = NULL, updated_at = $1
    FROM judged j WHERE d.client_id = j.client_id AND d.id = j.id
    RETURNING d.client_id, d.id, d.event_id, d.endpoint_id, d.recovery_id, d.event_sequence, d.status),
  next_in_line AS (
    UPDATE webhook_deliveries n SET next_try_at = $1, updated_at = $1
    FROM settled s
    -- Not said: n.status = 'pending'. It follows, and would invite the index of all that waits for this endpoint.
    WHERE s.status <> 'pending' AND n.client_id = s.client_id AND n.endpoint_id = s.endpoint_id
      AND n.recovery_id = s.recovery_id AND n.endpoint_sequence IS NULL AND n.lease_until IS NULL
      AND n.next_try_at > $1 AND (n.event_sequence, n.event_id) > (s.event_sequence, s.event_id)
    RETURNING n.id),
  answers AS (
    SELECT client_id, endpoint_id, bool_or(verdict = 'delivered') AS is_well, bool_or(verdict = 'gone') AS is_gone
    FROM results GROUP BY client_id, endpoint_id),
  endpoints AS (
    UPDATE webhook_endpoints p SET
      failing_since = CASE WHEN a.is_well THEN NULL ELSE coalesce(p.failing_since, $1) END,
      disabled_reason = CASE WHEN a.is_gone AND p.enabled THEN 'gone' ELSE p.disabled_reason END,
      enabled = p.enabled AND NOT a.is_gone,
      updated_at = CASE WHEN a.is_gone AND p.enabled THEN $1 ELSE p.updated_at END
    FROM answers a
    WHERE p.client_id = a.client_id AND p.id = a.endpoint_id
      AND ((a.is_gone AND p.enabled) OR a.is_well = (p.failing_since IS NOT NULL)))
  SELECT EXISTS (SELECT FROM next_in_line) AS has_woken`;

/** Gives back what was claimed and not begun: $1 real now, $2 clients, $3 deliveries, $4 lease tokens. */
export const HAND_BACK = `
  UPDATE webhook_deliveries d SET next_try_at = $1, lease_until = NULL, try_count = d.try_count - 1, updated_at = $1,
    endpoint_sequence = CASE WHEN d.try_count > 1 THEN d.endpoint_sequence END
  FROM unnest($2::text[], $3::text[], $4::bigint[]) AS held (client_id, id, lease_token)
  WHERE d.client_id = held.client_id AND d.id = held.id AND d.lease_token = held.lease_token AND d.status = 'pending'`;

/** Sets free what waited for its client's clock: $1 real now. */
export const RELEASE_HELD = `
  UPDATE webhook_deliveries d SET status = 'pending', next_try_at = $1, updated_at = $1
  FROM clients c
  WHERE d.status = 'held' AND c.id = d.client_id
    AND d.held_until <= client_time($1, c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until)`;

/** The same for one client by an instant of its own clock: $1 real now, $2 client, $3 instant. */
export const RELEASE_HELD_OF = `
  UPDATE webhook_deliveries SET status = 'pending', next_try_at = $1, updated_at = $1
  WHERE client_id = $2 AND status = 'held' AND held_until <= $3`;

/** When the next delivery falls due, in real time; null when none is pending. */
export const NEXT_DUE = `
  WITH RECURSIVE ${ENDPOINTS_WAITING}
  SELECT min(x.next_try_at) AS next_due_at
  FROM waiting w CROSS JOIN LATERAL (
    SELECT d.next_try_at FROM webhook_deliveries d
    WHERE d.status = 'pending' AND d.endpoint_id = w.endpoint_id AND ${UNLEASED('d')}
    ORDER BY d.next_try_at LIMIT 1) x
  WHERE w.endpoint_id IS NOT NULL`;

/** Parks what still waits for an endpoint that takes nothing more: $1 real now, $2 client, $3 endpoint, $4 status. */
export const PARK = `
  UPDATE webhook_deliveries d SET status = $4, next_try_at = NULL, lease_until = NULL, updated_at = $1
  WHERE d.client_id = $2 AND d.endpoint_id = $3 AND d.status IN ('held', 'pending') AND ${UNLEASED('d')}`;

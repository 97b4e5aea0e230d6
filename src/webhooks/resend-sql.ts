import type { Statement } from '../platform/db/database.js';
import type { RedeliverFilter } from './endpoint.dto.js';
import { isUntrue } from './asks-customer.js';
import { IS_HELD, QUEUED_ANEW, UNLEASED } from './delivery-sql.js';

/** What an order to send again may take up: `afterId` and `endId` are ids of events or of deliveries, both excluded. */
export interface Span {
  clientId: string;
  afterId: string;
  endId: string;
}

// What an endpoint wanted and did not get: given up, parked while it was disabled, or never meant for it, as it was
// disabled or not there yet. $1 client, $2 endpoint, $3 after, $4 end; all of them ids of events.
const MISSED = `
  FROM webhook_events e
  JOIN webhook_endpoints p ON p.client_id = e.client_id AND p.id = $2
  LEFT JOIN webhook_deliveries d ON d.client_id = e.client_id AND d.recovery_id = e.recovery_id AND d.endpoint_id = p.id
    AND d.event_id = e.id
  WHERE e.client_id = $1 AND e.id > $3 AND e.id < $4 AND e.type <> 'webhook.test'
    AND CASE WHEN d.id IS NOT NULL THEN d.status IN ('exhausted', 'endpoint_disabled')
             WHEN p.events IS NULL THEN e.is_default ELSE e.type = ANY (p.events) END`;

export function countMissed({ clientId, afterId, endId }: Span, endpointId: string): Statement {
  return {
    text: `SELECT count(*) FILTER (WHERE NOT was_withdrawn)::int AS total, count(*) FILTER (WHERE was_withdrawn)::int AS superseded
           FROM (SELECT e.superseded_at IS NOT NULL OR ${isUntrue('e', 'd')} AS was_withdrawn ${MISSED}) missed`,
    values: [clientId, endpointId, afterId, endId],
  };
}

/** Rows of (cursor_id, event_id, delivery_id, is_untrue), oldest first; the delivery is null where there is none yet. */
export function takeMissed({ clientId, afterId, endId }: Span, endpointId: string, limit: number): Statement {
  return {
    text: `SELECT e.id AS cursor_id, e.id AS event_id, d.id AS delivery_id, ${isUntrue('e', 'd')} AS is_untrue
           ${MISSED} AND e.superseded_at IS NULL ORDER BY e.id LIMIT ${limit}`,
    values: [clientId, endpointId, afterId, endId],
  };
}

function fitting({ clientId, afterId, endId }: Span, asked: RedeliverFilter): { text: string; values: unknown[] } {
  const filters: [string, unknown][] = [
    ['d.id = ANY', asked.deliveryIds],
    ['d.status =', asked.status],
    ['e.type =', asked.event],
    ['d.recovery_id =', asked.transactionId],
    ['d.endpoint_id =', asked.endpointId],
    ['d.created_at >=', asked.createdFrom],
    ['d.created_at <', asked.createdTo],
  ];
  const given = filters.filter(([, value]) => value !== undefined);
  const conditions = given.map(([condition], index) => `AND ${condition} ($${index + 4})`);
  // Superseded ones are no longer true, and those on their way need no push.
  const text = `
    FROM webhook_deliveries d
    JOIN webhook_events e ON e.client_id = d.client_id AND e.id = d.event_id
    JOIN webhook_endpoints p ON p.client_id = d.client_id AND p.id = d.endpoint_id
    WHERE d.client_id = $1 AND d.id > $2 AND d.id < $3 AND d.status IN ('delivered', 'exhausted', 'endpoint_disabled')
      AND p.enabled AND p.deleted_at IS NULL AND e.type <> 'webhook.test' ${conditions.join(' ')}`;
  return { text, values: [clientId, afterId, endId, ...given.map(([, value]) => value)] };
}

export function countFitting(span: Span, asked: RedeliverFilter): Statement {
  const { text, values } = fitting(span, asked);
  const counted = `count(*) FILTER (WHERE NOT is_untrue)::int AS total, count(*) FILTER (WHERE is_untrue)::int AS superseded`;
  return { text: `SELECT ${counted} FROM (SELECT ${isUntrue('e', 'd')} AS is_untrue ${text}) fits`, values };
}

export function takeFitting(span: Span, asked: RedeliverFilter, limit: number): Statement {
  const { text, values } = fitting(span, asked);
  return {
    text: `SELECT d.id AS cursor_id, d.event_id, d.id AS delivery_id, ${isUntrue('e', 'd')} AS is_untrue
           ${text} ORDER BY d.id LIMIT ${limit}`,
    values,
  };
}

/** Records that events became untrue while their endpoint was away: $1 client, $2 deliveries, $3 events, $4 real now. */
export const WITHDRAW = `
  WITH deliveries_superseded AS (
    UPDATE webhook_deliveries d SET status = 'superseded', updated_at = $4
    WHERE d.client_id = $1 AND d.id = ANY ($2) AND d.status IN ('exhausted', 'endpoint_disabled') AND d.delivered_at IS NULL)
  UPDATE webhook_events e SET superseded_at = $4
  WHERE e.client_id = $1 AND e.id = ANY ($3) AND e.superseded_at IS NULL`;

/** Queues deliveries anew: $1 client, $2 deliveries, $3 real now, $4 the order. Each has the whole schedule before it. */
export const QUEUE_KNOWN = `
  UPDATE webhook_deliveries d SET ${QUEUED_ANEW}, resend_id = $4
  FROM clients c
  WHERE d.client_id = $1 AND d.id = ANY ($2) AND c.id = d.client_id AND d.status <> 'superseded' AND ${UNLEASED('d')}`;

/** Makes deliveries that never were: $1 client, $2 endpoint, $3 events, $4 their ids, $5 real now, $6 the order. */
export const QUEUE_NEW = `
  INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, held_until,
    next_try_at, resend_id, created_at, updated_at)
  SELECT e.client_id, n.delivery_id, e.id, $2, e.recovery_id, e.sequence,
    CASE WHEN ${IS_HELD('e.held_until', '$5::timestamptz', 'c')} THEN 'held' ELSE 'pending' END, e.held_until,
    CASE WHEN NOT ${IS_HELD('e.held_until', '$5::timestamptz', 'c')} THEN $5::timestamptz END, $6, $5, $5
  FROM unnest($3::text[], $4::text[]) AS n (event_id, delivery_id)
  JOIN webhook_events e ON e.client_id = $1 AND e.id = n.event_id
  JOIN clients c ON c.id = e.client_id
  ON CONFLICT (client_id, recovery_id, endpoint_id, event_id) WHERE recovery_id IS NOT NULL DO NOTHING`;

const COLUMNS = `r.client_id, r.id, r.kind, r.endpoint_id, r.asked, r.status, r.cursor_id, r.end_id, r.total, r.queued, r.created_at,
  r.updated_at, r.finished_at`;

/** The order that has waited longest for its next step, for nobody else meanwhile: $1 last worked before this instant, if ever. */
export const TAKE_RUNNING = `
  SELECT ${COLUMNS}, coalesce(p.enabled AND p.deleted_at IS NULL, true) AS is_endpoint_enabled,
    (SELECT count(*)::int FROM webhook_deliveries d
     WHERE d.client_id = r.client_id AND d.resend_id = r.id AND d.status = 'pending') AS waiting
  FROM webhook_resends r LEFT JOIN webhook_endpoints p ON p.client_id = r.client_id AND p.id = r.endpoint_id
  WHERE r.status = 'running' AND (r.updated_at < $1 OR r.updated_at = r.created_at)
  ORDER BY r.updated_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED`;

/** $1 client, $2 the order, $3 status, $4 cursor, $5 how many more were queued, $6 real now. */
export const STEP = `
  UPDATE webhook_resends SET status = $3, cursor_id = $4, queued = queued + $5, updated_at = $6,
    finished_at = CASE WHEN $3 <> 'running' THEN $6::timestamptz END
  WHERE client_id = $1 AND id = $2`;

/** Orders with what became of their deliveries, newest first: $1 client, $2 one of them or null, $3 before, $4 limit. */
export const READ_RESENDS = `
  SELECT ${COLUMNS}, w.*
  FROM webhook_resends r CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE d.status = 'delivered')::int AS delivered,
      count(*) FILTER (WHERE d.status IN ('pending', 'held'))::int AS waiting,
      count(*) FILTER (WHERE d.status = 'superseded')::int AS superseded,
      count(*) FILTER (WHERE d.status IN ('exhausted', 'endpoint_disabled', 'endpoint_deleted'))::int AS failed
    FROM webhook_deliveries d WHERE d.client_id = r.client_id AND d.resend_id = r.id) w
  WHERE r.client_id = $1 AND ($2::text IS NULL OR r.id = $2) AND ($3::text IS NULL OR r.id < $3)
  ORDER BY r.id DESC LIMIT $4`;

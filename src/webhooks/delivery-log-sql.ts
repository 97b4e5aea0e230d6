import type { Statement } from '../platform/db/database.js';
import type { DeliveriesQuery } from './endpoint.dto.js';

const SELECT = `
  SELECT d.id, d.event_id, e.type, d.endpoint_id, d.recovery_id, d.status, d.try_count, d.next_try_at, d.lease_until,
    d.held_until, d.endpoint_sequence, d.last_status, d.last_error, d.delivered_at, d.created_at, d.updated_at,
    p.enabled AS endpoint_enabled, p.deleted_at IS NOT NULL AS endpoint_deleted
  FROM webhook_deliveries d
  JOIN webhook_events e ON e.client_id = d.client_id AND e.id = d.event_id
  JOIN webhook_endpoints p ON p.client_id = d.client_id AND p.id = d.endpoint_id`;

/** $1 client, $2 delivery. */
export const READ_DELIVERY = `${SELECT} WHERE d.client_id = $1 AND d.id = $2`;

/** A page of the log, newest first: only the filters that were given are in the statement, so each finds its index. */
export function listDeliveries(clientId: string, query: DeliveriesQuery, limit: number): Statement {
  const filters: [string, unknown][] = [
    ['d.status =', query.status],
    ['e.type =', query.event],
    ['d.recovery_id =', query.transactionId],
    ['d.endpoint_id =', query.endpointId],
    ['d.created_at >=', query.createdFrom],
    ['d.created_at <', query.createdTo],
    ['d.id <', query.after],
  ];
  const given = filters.filter(([, value]) => value !== undefined);
  const conditions = given.map(([condition], index) => `AND ${condition} $${index + 2}`);
  return {
    text: `${SELECT} WHERE d.client_id = $1 ${conditions.join(' ')} ORDER BY d.id DESC LIMIT ${limit}`,
    values: [clientId, ...given.map(([, value]) => value)],
  };
}

const NOT_ON_THE_WIRE = `(lease_until IS NULL OR lease_until < clock_timestamp())`;

/** $1 client, $2 delivery, $3 real now. */
export const QUEUE_AGAIN = `
  UPDATE webhook_deliveries SET status = 'pending', next_try_at = $3, schedule_step = 0, updated_at = $3
  WHERE client_id = $1 AND id = $2 AND status <> 'superseded' AND ${NOT_ON_THE_WIRE}`;

/** $1 client, $2 endpoint, $3 since, $4 real now. */
export const QUEUE_FAILED = `
  UPDATE webhook_deliveries d SET status = 'pending', next_try_at = $4, schedule_step = 0, updated_at = $4
  FROM webhook_events e
  WHERE d.client_id = $1 AND d.endpoint_id = $2 AND d.status IN ('exhausted', 'endpoint_disabled') AND d.created_at >= $3
    AND e.client_id = d.client_id AND e.id = d.event_id AND e.type <> 'webhook.test'`;

/** Events that the endpoint wants and that were never meant for it, as it was disabled: $1 client, $2 endpoint, $3 after, $4 limit. */
export const MISSED_EVENTS = `
  SELECT e.id FROM webhook_events e JOIN webhook_endpoints p ON p.client_id = e.client_id AND p.id = $2
  WHERE e.client_id = $1 AND e.id > $3 AND e.recovery_id IS NOT NULL AND e.superseded_at IS NULL
    AND CASE WHEN p.events IS NULL THEN e.is_default ELSE e.type = ANY (p.events) END
    AND NOT EXISTS (SELECT FROM webhook_deliveries d
                    WHERE d.client_id = e.client_id AND d.event_id = e.id AND d.endpoint_id = $2)
  ORDER BY e.id LIMIT $4`;

/** $1 client, $2 endpoint, $3 events, $4 ids for their deliveries, $5 real now. */
export const QUEUE_MISSED = `
  INSERT INTO webhook_deliveries
    (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, next_try_at, created_at, updated_at)
  SELECT e.client_id, n.delivery_id, e.id, $2, e.recovery_id, e.sequence, 'pending', $5, $5, $5
  FROM unnest($3::text[], $4::text[]) AS n (event_id, delivery_id)
  JOIN webhook_events e ON e.client_id = $1 AND e.id = n.event_id`;

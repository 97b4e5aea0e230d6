import { isUntrue } from './asks-customer.js';
import { QUEUED_ANEW, UNLEASED } from './delivery-sql.js';
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

/**
 * Every try of a delivery, the one by which it was first received among them: $1 client, $2 delivery. That one is in both
 * places where its result was written twice, as nobody knew whether the first time stood.
 */
export const READ_TRIES = `
  SELECT number, at, duration_ms, status, error FROM webhook_tries WHERE client_id = $1 AND delivery_id = $2
  UNION
  SELECT receipt_number, receipt_at, receipt_ms, receipt_status, NULL FROM webhook_deliveries
  WHERE client_id = $1 AND id = $2 AND receipt_number IS NOT NULL
  ORDER BY number`;

/** A page of the log, newest first: only the filters that were given are in the statement, so each finds its index. */
export function listDeliveries(clientId: string, query: DeliveriesQuery, limit: number): Statement {
  const filters: [string, unknown][] = [
    ['d.status =', query.status],
    ['e.type =', query.event],
    ['d.recovery_id =', query.transactionId],
    ['d.endpoint_id =', query.endpointId],
    ['d.resend_id =', query.resendId],
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

/** Whether an event became untrue before it was received: $1 client, $2 delivery. */
export const READ_UNTRUE = `
  SELECT d.status = 'superseded' OR ${isUntrue('e', 'd')} AS is_untrue
  FROM webhook_deliveries d JOIN webhook_events e ON e.client_id = d.client_id AND e.id = d.event_id
  WHERE d.client_id = $1 AND d.id = $2`;

/** Makes a delivery due now, or at the end of its hold: $1 client, $2 delivery, $3 real now. */
export const QUEUE_AGAIN = `
  UPDATE webhook_deliveries d SET ${QUEUED_ANEW}
  FROM clients c
  WHERE d.client_id = $1 AND d.id = $2 AND c.id = d.client_id AND d.status <> 'superseded' AND ${UNLEASED('d')}`;

/**
 * Events that were withdrawn before any endpoint had received them, each a message that no customer got in vain:
 * $1 client, $2 from, $3 to.
 */
export const COUNT_PREVENTED = `
  SELECT count(*)::int AS prevented FROM webhook_events e
  WHERE e.client_id = $1 AND e.superseded_at >= $2 AND e.superseded_at < $3
    AND NOT EXISTS (SELECT FROM webhook_deliveries d
                    WHERE d.client_id = e.client_id AND d.recovery_id = e.recovery_id AND d.event_id = e.id AND d.delivered_at IS NOT NULL)`;

/** How deliveries stand: $1 client, $2 from and $3 to as ids, which hold the time they were made at. */
export const COUNT_BY_STATUS = `
  SELECT d.status, count(*)::int AS count FROM webhook_deliveries d
  WHERE d.client_id = $1 AND d.id >= $2 AND d.id < $3 GROUP BY d.status`;

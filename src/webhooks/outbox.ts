import type { Ids } from '../platform/ids.js';
import { asksCustomer } from './asks-customer.js';
import type { ComposedEvent } from './event-body.js';

/** A client has at most so many endpoints, so an event has at most so many deliveries. */
export const ENDPOINTS_MAX = 10;

/** An event on its way into the outbox: written with the state change it tells, or not at all. */
export interface EventDraft extends ComposedEvent {
  /** `evt_…`, the same as in the body. */
  id: string;
  sequence: number;
  /** On the client's clock; null sends it at once (docs/behaviour.md 6, "Held before sending"). */
  heldUntil: Date | null;
  /** On the client's clock. */
  createdAt: Date;
}

/** The `events` parameter of `outboxCtes`, as JSON text. */
export function draftsToJson(drafts: readonly EventDraft[], ids: Ids): string {
  return JSON.stringify(draftsToRows(drafts, ids));
}

/**
 * The same before it is text. Each draft brings the ids of its deliveries, for SQL makes none: how many of them are used
 * depends on the endpoints there are.
 */
export function draftsToRows(drafts: readonly EventDraft[], ids: Ids): object[] {
  return drafts.map((draft) => ({
    id: draft.id,
    type: draft.type,
    is_default: draft.isDefault,
    sequence: draft.sequence,
    final: draft.final,
    // JSON, as text: half as long as in hexadecimal.
    body: draft.body.toString('utf8'),
    held_until: draft.heldUntil,
    created_at: draft.createdAt,
    delivery_ids: Array.from({ length: ENDPOINTS_MAX }, () => ids.prefixed('dlv')),
  }));
}

/** Parameter placeholders, such as `$5`. */
export interface OutboxParameters {
  /** The text of `draftsToJson`. */
  events: string;
  /** A timestamptz in real time: retry times are, and so is the log. */
  realNow: string;
}

/**
 * Further members of a `WITH` list that write events and their deliveries in the very statement of a state change.
 * They hang on its member `guarded`, which returns (client_id, id) of the changed recovery: where that changed no row,
 * nothing is written here either. Needs the tenant's or the worker's role.
 */
export function outboxCtes({ events, realNow }: OutboxParameters): string {
  return `
  event_drafts AS MATERIALIZED (
    SELECT g.client_id, g.id AS recovery_id, n.*
    FROM guarded g, jsonb_to_recordset(${events}::jsonb) AS n (
      id text, type text, is_default boolean, sequence bigint, final boolean, body text, held_until timestamptz,
      created_at timestamptz, delivery_ids text[])),
  events_written AS (
    INSERT INTO webhook_events
      (client_id, id, recovery_id, type, is_default, sequence, final, body, held_until, created_at)
    SELECT client_id, id, recovery_id, type, is_default, sequence, final, convert_to(body, 'UTF8'), held_until, created_at
    FROM event_drafts),
  deliveries_written AS (
    INSERT INTO webhook_deliveries
      (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status, held_until, next_try_at, created_at, updated_at)
    SELECT n.client_id, n.delivery_ids[e.place], n.id, e.id, n.recovery_id, n.sequence,
      CASE WHEN n.held_until IS NULL THEN 'pending' ELSE 'held' END, n.held_until,
      CASE WHEN n.held_until IS NULL THEN ${realNow}::timestamptz END, ${realNow}::timestamptz, ${realNow}::timestamptz
    FROM event_drafts n CROSS JOIN LATERAL (
      SELECT p.id, row_number() OVER (ORDER BY p.id) AS place FROM webhook_endpoints p
      WHERE p.client_id = n.client_id AND p.enabled AND p.deleted_at IS NULL
        AND CASE WHEN p.events IS NULL THEN n.is_default ELSE n.type = ANY (p.events) END) e
    WHERE e.place <= ${ENDPOINTS_MAX})`;
}

/**
 * Further members that withdraw what a success or a cancellation makes untrue: events of this debt that ask something of
 * the customer and that no endpoint has received yet. `guarded` returns (client_id, id, state). One that is on the wire at this moment is left
 * to the dispatcher, which looks again before each try.
 */
export function supersedeCtes({ guarded, realNow }: { guarded: string; realNow: string }): string {
  return `
  withdrawn AS MATERIALIZED (
    SELECT d.client_id, d.id, d.event_id
    FROM ${guarded} g
    JOIN recoveries paid ON paid.client_id = g.client_id AND paid.id = g.id
    JOIN recoveries r ON r.client_id = g.client_id AND r.debt_name = paid.debt_name
    JOIN webhook_events e ON e.client_id = r.client_id AND e.recovery_id = r.id AND ${asksCustomer('e')}
    JOIN webhook_deliveries d ON d.client_id = e.client_id AND d.recovery_id = e.recovery_id AND d.event_id = e.id
    WHERE (g.state = 'succeeded' OR (g.state = 'cancelled' AND r.id = g.id))
      AND d.status IN ('held', 'pending') AND d.delivered_at IS NULL
      AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())
    FOR UPDATE OF d SKIP LOCKED),
  deliveries_superseded AS (
    UPDATE webhook_deliveries d
    SET status = 'superseded', next_try_at = NULL, lease_until = NULL, lease_token = d.lease_token + 1,
        updated_at = ${realNow}::timestamptz
    FROM withdrawn w WHERE d.client_id = w.client_id AND d.id = w.id),
  events_superseded AS (
    UPDATE webhook_events e SET superseded_at = coalesce(e.superseded_at, ${realNow}::timestamptz)
    FROM (SELECT DISTINCT client_id, event_id FROM withdrawn) w WHERE e.client_id = w.client_id AND e.id = w.event_id)`;
}

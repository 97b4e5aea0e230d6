import type { DeliveryStatus } from './endpoint.dto.js';
import type { EventType } from './event-types.js';

export interface DeliveryRow extends Record<string, unknown> {
  id: string;
  event_id: string;
  type: EventType;
  endpoint_id: string;
  recovery_id: string | null;
  status: DeliveryStatus;
  try_count: number;
  next_try_at: Date | null;
  held_until: Date | null;
  endpoint_sequence: string | null;
  last_status: number | null;
  last_error: string | null;
  delivered_at: Date | null;
  created_at: Date;
  updated_at: Date;
  endpoint_enabled: boolean;
  endpoint_deleted: boolean;
}

/** One event to one endpoint, as the log shows it. Times are real time, but for `heldUntil`, on the client's clock. */
export interface DeliveryView {
  id: string;
  eventId: string;
  event: EventType;
  endpointId: string;
  transactionId: string | null;
  status: DeliveryStatus;
  tryCount: number;
  nextTryAt: string | null;
  heldUntil: string | null;
  /** `X-Revtain-Sequence`; null before the first send. */
  sequence: number | null;
  lastStatus: number | null;
  lastError: string | null;
  deliveredAt: string | null;
  createdAt: string;
  updatedAt: string;
}

export function deliveryView(row: DeliveryRow): DeliveryView {
  return {
    id: row.id,
    eventId: row.event_id,
    event: row.type,
    endpointId: row.endpoint_id,
    transactionId: row.recovery_id,
    status: row.status,
    tryCount: row.try_count,
    nextTryAt: row.next_try_at?.toISOString() ?? null,
    heldUntil: row.held_until?.toISOString() ?? null,
    sequence: row.endpoint_sequence === null ? null : Number(row.endpoint_sequence),
    lastStatus: row.last_status,
    lastError: row.last_error,
    deliveredAt: row.delivered_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
  };
}

export interface TryRow extends Record<string, unknown> {
  number: number;
  at: Date;
  duration_ms: number;
  status: number | null;
  error: string | null;
}

/** One try. What the receiver said beside its status is not shown: the log must not read other people's servers. */
export interface TryView {
  number: number;
  at: string;
  durationMs: number;
  status: number | null;
  error: string | null;
}

export function tryView(row: TryRow): TryView {
  const { number, at, duration_ms: durationMs, status, error } = row;
  return { number, at: at.toISOString(), durationMs, status, error };
}

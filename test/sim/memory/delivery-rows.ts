import type { EventType } from '../../../src/webhooks/event-types.js';
import type { Row } from './rows.js';

export interface EndpointRow extends Row {
  client_id: string;
  id: string;
  url: string;
  events: string[] | null;
  enabled: boolean;
  disabled_reason: string | null;
  disabled_at: Date | null;
  deleted_at: Date | null;
  secret_sealed: Buffer;
  failing_since: Date | null;
  failing_told: number;
  throttled_until: Date | null;
  throttle_step: number;
  breaker_until: Date | null;
  breaker_trips: number;
  window_from: Date | null;
  window_tries: number;
  window_failures: number;
}

export interface EventRow extends Row {
  client_id: string;
  id: string;
  recovery_id: string | null;
  type: EventType;
  is_default: boolean;
  sequence: number;
  final: boolean;
  body: Buffer;
  held_until: Date | null;
  superseded_at: Date | null;
  created_at: Date;
}

export interface DeliveryRow extends Row {
  client_id: string;
  id: string;
  event_id: string;
  endpoint_id: string;
  recovery_id: string | null;
  event_sequence: number;
  status: 'held' | 'pending' | 'delivered' | 'superseded' | 'exhausted' | 'endpoint_disabled' | 'endpoint_deleted';
  held_until: Date | null;
  next_try_at: Date | null;
  try_count: number;
  schedule_step: number;
  endpoint_sequence: number | null;
  last_status: number | null;
  last_error: string | null;
  delivered_at: Date | null;
  lease_token: number;
  lease_until: Date | null;
  is_in_line: boolean;
}

export interface TryRow extends Row {
  client_id: string;
  delivery_id: string;
  number: number;
  status: number | null;
}

/** By which a merchant writes to a customer (`asksCustomer` of the product's SQL). */
export function asksCustomer({ type }: EventRow): boolean {
  return type === 'recovery.failed' || type === 'dunning.step_due';
}

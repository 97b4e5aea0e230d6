import { ENDPOINTS_MAX } from '../../../src/webhooks/outbox.js';
import { asksCustomer, type DeliveryRow, type EventRow } from './delivery-rows.js';
import { populate, type RecoveryRow, type Row } from './rows.js';
import { ConstraintViolated, type Tables } from './tables.js';

const EVENT_COLUMNS = `id type is_default sequence final held_until created_at`.split(' ');

/** `outboxCtes`: the events of a change, and a delivery for each endpoint that wants them. */
export function writeEvents(tables: Tables, { client_id, id }: RecoveryRow, json: string, realNow: Date): void {
  for (const draft of JSON.parse(json) as (Row & { body: string; delivery_ids: string[] })[]) {
    const body = Buffer.from(draft.body, 'utf8');
    const event = {
      ...populate<EventRow>(draft, EVENT_COLUMNS),
      body,
      client_id,
      recovery_id: id,
      superseded_at: null,
    };
    addEvent(tables, event, draft.delivery_ids, realNow);
  }
}

function addEvent(tables: Tables, event: EventRow, deliveryIds: string[], realNow: Date): void {
  const isSecondSuccess =
    event.type === 'recovery.success' &&
    tables.events.some((other) => other.type === 'recovery.success' && other.recovery_id === event.recovery_id);
  if (isSecondSuccess) throw new ConstraintViolated('23505', 'webhook_events_one_success');
  tables.events.insert(event);
  const endpoints = tables.endpoints.where(
    (row) =>
      row.client_id === event.client_id &&
      row.enabled &&
      row.deleted_at === null &&
      (row.events === null ? event.is_default : row.events.includes(event.type)),
  );
  const sorted = endpoints.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, ENDPOINTS_MAX);
  for (const [place, endpoint] of sorted.entries()) {
    const isHeld = event.held_until !== null;
    tables.deliveries.insert({
      client_id: event.client_id,
      id: deliveryIds[place] ?? '',
      event_id: event.id,
      endpoint_id: endpoint.id,
      recovery_id: event.recovery_id,
      event_sequence: event.sequence,
      status: isHeld ? 'held' : 'pending',
      held_until: event.held_until,
      next_try_at: isHeld ? null : realNow,
      try_count: 0,
      schedule_step: 0,
      endpoint_sequence: null,
      is_in_line: false,
      last_status: null,
      last_error: null,
      delivered_at: null,
      lease_token: 0,
      lease_until: null,
      created_at: realNow,
      updated_at: realNow,
    });
  }
}

/** `supersedeCtes`: what a success or a cancellation makes untrue, and nobody has received yet, is not sent any more. */
export function withdraw(tables: Tables, ended: RecoveryRow, realNow: Date): void {
  const isPaid = ended.state === 'succeeded';
  for (const delivery of tables.deliveries.where((row) => isWithdrawable(tables, row))) {
    const event = tables.events.get(delivery.event_id);
    const told = tables.recoveries.get(delivery.recovery_id ?? '');
    if (!event || !told || !asksCustomer(event) || told.client_id !== ended.client_id) continue;
    const isUntrue = told.debt_name === ended.debt_name && (isPaid || told.id === ended.id);
    if (!isUntrue) continue;
    tables.deliveries.replace({
      ...delivery,
      status: 'superseded',
      next_try_at: null,
      lease_until: null,
      lease_token: delivery.lease_token + 1,
      updated_at: realNow,
    });
    tables.events.replace({ ...event, superseded_at: event.superseded_at ?? realNow });
  }
}

function isWithdrawable(tables: Tables, { status, delivered_at, lease_until }: DeliveryRow): boolean {
  const isUnleased = lease_until === null || lease_until.getTime() < tables.clockMs();
  return (status === 'held' || status === 'pending') && delivered_at === null && isUnleased;
}

import type { Call } from './call.js';
import { createdConditions, pageOf, pageRows, type Condition } from './lists.js';
import { ok, type Reply } from './reply.js';
import { noSuch } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

/** How many deliveries an event still waits for. The other side of `delivery_success`. */
const UNDELIVERED = `EXISTS (SELECT 1 FROM test_gateway.deliveries d
  WHERE d.account_id = events.account_id AND d.event_id = events.id AND d.delivered_at IS NULL)`;

/** GET /v1/events/{id} */
export async function retrieveEvent({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  const found = await uow.query<{ body: object }>({
    text: 'SELECT body FROM test_gateway.events WHERE account_id = $1 AND id = $2',
    values: [uow.accountId, id],
  });
  const event = found.rows[0]?.body;
  if (!event) throw noSuch('event', id);
  return ok({ ...event, pending_webhooks: (await pendingWebhooks(uow, [id])).get(id) ?? 0 });
}

/** GET /v1/events: newest first; by type, types, created and whether every endpoint has it. */
export async function listEvents({ uow, params }: Call): Promise<Reply> {
  const conditions: Condition[] = createdConditions(params);
  const type = params.filled('type');
  const types = params.texts('types');
  const delivered = params.flag('delivery_success');
  if (type !== undefined) conditions.push({ sql: "type LIKE replace(?, '*', '%')", value: type });
  if (types.length > 0) conditions.push({ sql: 'type = ANY(?)', value: types });
  if (delivered !== undefined) conditions.push({ sql: `${UNDELIVERED} = ?`, value: !delivered });
  const page = pageOf(params);
  params.refuseUnknown();
  const rows = await pageRows<{ id: string }>(uow, 'events', 'event', conditions, page);
  const ids = rows.data.map(({ id }) => id);
  const pending = await pendingWebhooks(uow, ids);
  const events = rows.data.map((event) => ({ ...event, pending_webhooks: pending.get(event.id) ?? 0 }));
  return ok({ object: 'list', url: '/v1/events', ...rows, data: events });
}

async function pendingWebhooks(uow: UnitOfWork, ids: string[]): Promise<Map<string, number>> {
  const found = await uow.query<{ event_id: string; pending: number }>({
    text: `SELECT event_id, count(*)::int AS pending FROM test_gateway.deliveries
      WHERE account_id = $1 AND event_id = ANY($2) AND delivered_at IS NULL GROUP BY event_id`,
    values: [uow.accountId, ids],
  });
  return new Map(found.rows.map((row) => [row.event_id, row.pending]));
}

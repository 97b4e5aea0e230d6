import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { badField, conflict, notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import {
  deliveryView,
  tryView,
  type DeliveryRow,
  type DeliveryView,
  type TryRow,
  type TryView,
} from './delivery-view.js';
import { Dispatcher } from './dispatcher.js';
import type { DeliveriesQuery } from './endpoint.dto.js';
import {
  listDeliveries,
  MISSED_EVENTS,
  QUEUE_AGAIN,
  QUEUE_FAILED,
  QUEUE_MISSED,
  READ_DELIVERY,
} from './delivery-log-sql.js';

/** How many missed events one statement queues. */
const MISSED_BATCH = 1_000;

/** The delivery log of one client, and sending again what it holds: always the same id and the same bytes. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly database: Database,
    private readonly dispatcher: Dispatcher,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** Newest first. @throws {DomainError} 400 `invalid_cursor`. */
  async list(clientId: string, query: DeliveriesQuery) {
    const rows = await this.transaction(clientId, async (tx) => {
      if (query.after !== undefined && !(await findRow(tx, clientId, query.after))) {
        throw badField('after', 'invalid_cursor', 'is no row of this list', 'nextAfter of the page before');
      }
      return (await tx.query<DeliveryRow>(listDeliveries(clientId, query, query.limit + 1))).rows;
    });
    const data = rows.slice(0, query.limit).map(deliveryView);
    const hasMore = rows.length > query.limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.id ?? null) : null };
  }

  /** @throws {DomainError} 404. */
  async read(clientId: string, id: string): Promise<DeliveryView & { tries: TryView[] }> {
    return this.transaction(clientId, async (tx) => {
      const row = await findRow(tx, clientId, id);
      if (!row) throw unknown();
      const { rows } = await tx.query<TryRow>({
        text: `SELECT number, at, duration_ms, status, error FROM webhook_tries
               WHERE client_id = $1 AND delivery_id = $2 ORDER BY number`,
        values: [clientId, id],
      });
      return { ...deliveryView(row), tries: rows.map(tryView) };
    });
  }

  /**
   * Makes a delivery due now, whatever became of it before, with the whole retry schedule before it.
   * @throws {DomainError} 404, 409 `endpoint_not_enabled`, 409 `superseded` for what is no longer true.
   */
  async redeliver(clientId: string, id: string): Promise<DeliveryView> {
    const row = await this.transaction(clientId, async (tx) => {
      const before = await findRow(tx, clientId, id);
      if (!before) throw unknown();
      demandEndpoint(before);
      if (before.status === 'superseded') {
        throw conflict('superseded', 'The debt was paid since, so this event is no longer true.');
      }
      // One on the wire at this moment is being delivered; a click adds no second try beside it.
      await tx.query({ text: QUEUE_AGAIN, values: [clientId, id, this.clock.now()] });
      return findRow(tx, clientId, id);
    });
    this.dispatcher.wake();
    if (!row) throw unknown();
    return deliveryView(row);
  }

  /**
   * Sends again what an endpoint has missed since an instant: what was given up, and what happened while it was disabled.
   * Answers how many deliveries that is. @throws {DomainError} 404, 409 `endpoint_not_enabled`.
   */
  async recover(clientId: string, endpointId: string, since: Date): Promise<{ count: number }> {
    const count = await this.transaction(clientId, async (tx) => {
      const { rows } = await tx.query<{ enabled: boolean; created_at: Date }>({
        text: `SELECT enabled, created_at FROM webhook_endpoints
               WHERE client_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE`,
        values: [clientId, endpointId],
      });
      const [endpoint] = rows;
      if (!endpoint) throw notFound('There is no such webhook endpoint.');
      if (!endpoint.enabled) throw conflict('endpoint_not_enabled', 'The endpoint is disabled; enable it first.');
      const failed = await tx.query({ text: QUEUE_FAILED, values: [clientId, endpointId, since, this.clock.now()] });
      const from = since > endpoint.created_at ? since : endpoint.created_at;
      return (failed.rowCount ?? 0) + (await this.queueMissed(tx, clientId, endpointId, from));
    });
    this.dispatcher.wake();
    return { count };
  }

  private async queueMissed(tx: Transaction, clientId: string, endpointId: string, from: Date): Promise<number> {
    // An event's id holds the real time it was made at; its createdAt is on the client's clock, which may be moved.
    let after = `evt_${encodeTime(from.getTime())}`;
    for (let count = 0; ;) {
      const missed = await tx.query<{ id: string }>({
        text: MISSED_EVENTS,
        values: [clientId, endpointId, after, MISSED_BATCH],
      });
      const last = missed.rows.at(-1);
      if (!last) return count;
      const eventIds = missed.rows.map(({ id }) => id);
      const deliveryIds = eventIds.map(() => this.ids.prefixed('dlv'));
      await tx.query({ text: QUEUE_MISSED, values: [clientId, endpointId, eventIds, deliveryIds, this.clock.now()] });
      count += eventIds.length;
      after = last.id;
    }
  }

  private transaction<T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction({ role: 'tenant', clientId }, work);
  }
}

async function findRow(tx: Transaction, clientId: string, id: string): Promise<DeliveryRow | null> {
  const { rows } = await tx.query<DeliveryRow>({ text: READ_DELIVERY, values: [clientId, id] });
  return rows[0] ?? null;
}

function demandEndpoint(row: DeliveryRow): void {
  if (row.endpoint_deleted) throw conflict('endpoint_not_enabled', 'The endpoint was deleted.');
  if (!row.endpoint_enabled) throw conflict('endpoint_not_enabled', 'The endpoint is disabled; enable it first.');
}

function unknown() {
  return notFound('There is no such delivery.');
}

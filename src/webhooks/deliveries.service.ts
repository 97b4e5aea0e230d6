import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { badField, conflict, notFound } from '../platform/http/domain-error.js';
import { instantOf } from '../platform/http/fields.js';
import {
  deliveryView,
  tryView,
  type DeliveryRow,
  type DeliveryView,
  type TryRow,
  type TryView,
} from './delivery-view.js';
import { Dispatcher } from './dispatcher.js';
import { DELIVERY_STATUSES, type DeliveriesQuery, type DeliveryStatus, type SummaryQuery } from './endpoint.dto.js';
import {
  COUNT_BY_STATUS,
  COUNT_PREVENTED,
  listDeliveries,
  QUEUE_AGAIN,
  READ_DELIVERY,
  READ_TRIES,
  READ_UNTRUE,
} from './delivery-log-sql.js';

const SUMMARY_MS = 30 * 86_400_000;

/** How deliveries stand in a span of time. */
export interface DeliverySummary {
  from: string;
  to: string;
  /** Events withdrawn before anybody had received them, as their debt was settled in time. */
  messagesPrevented: number;
  byStatus: Record<DeliveryStatus, number>;
}

/** The delivery log of one client, and sending again what it holds: always the same id and the same bytes. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly database: Database,
    private readonly dispatcher: Dispatcher,
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
      const { rows } = await tx.query<TryRow>({ text: READ_TRIES, values: [clientId, id] });
      return { ...deliveryView(row), tries: rows.map(tryView) };
    });
  }

  /**
   * Makes a delivery due now, whatever became of it before, with the whole retry schedule before it. One whose hold has not
   * ended stays held.
   * @throws {DomainError} 404, 409 `endpoint_not_enabled`, 409 `superseded` for what is no longer true.
   */
  async redeliver(clientId: string, id: string): Promise<DeliveryView> {
    const row = await this.transaction(clientId, async (tx) => {
      const before = await findRow(tx, clientId, id);
      if (!before) throw unknown();
      demandEndpoint(before);
      const { rows } = await tx.query<{ is_untrue: boolean }>({ text: READ_UNTRUE, values: [clientId, id] });
      if (rows[0]?.is_untrue) {
        throw conflict('superseded', 'The debt was paid or cancelled since, so this event is no longer true.');
      }
      // One on the wire at this moment is being delivered; a click adds no second try beside it.
      await tx.query({ text: QUEUE_AGAIN, values: [clientId, id, this.clock.now()] });
      return findRow(tx, clientId, id);
    });
    this.dispatcher.wake();
    if (!row) throw unknown();
    return deliveryView(row);
  }

  /** The last 30 days unless it is told otherwise. */
  async summary(clientId: string, query: SummaryQuery): Promise<DeliverySummary> {
    const to = instantOf(query.to) ?? this.clock.now();
    const from = instantOf(query.from) ?? new Date(to.getTime() - SUMMARY_MS);
    const idAt = (at: Date) => `dlv_${encodeTime(Math.max(at.getTime(), 0))}`;
    const [prevented, counted] = await this.transaction(clientId, async (tx) => [
      await tx.query<{ prevented: number }>({ text: COUNT_PREVENTED, values: [clientId, from, to] }),
      await tx.query<{ status: DeliveryStatus; count: number }>({
        text: COUNT_BY_STATUS,
        values: [clientId, idAt(from), idAt(to)],
      }),
    ]);
    const counts = new Map(counted.rows.map(({ status, count }) => [status, count]));
    const byStatus = Object.fromEntries(DELIVERY_STATUSES.map((status) => [status, counts.get(status) ?? 0]));
    return {
      from: from.toISOString(),
      to: to.toISOString(),
      messagesPrevented: prevented.rows[0]?.prevented ?? 0,
      byStatus: byStatus as Record<DeliveryStatus, number>,
    };
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

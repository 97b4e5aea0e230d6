import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import { Clock } from '../platform/clock.js';
import { Database, type Statement, type Transaction } from '../platform/db/database.js';
import { badField, conflict, notFound } from '../platform/http/domain-error.js';
import { instantOf } from '../platform/http/fields.js';
import { Ids } from '../platform/ids.js';
import type { EndpointsQuery, RecoverBody, RedeliverManyBody } from './endpoint.dto.js';
import { Resender } from './resender.js';
import { countFitting, countMissed, READ_RESENDS, type Span } from './resend-sql.js';
import { resendView, type CountedResendRow, type ResendView } from './resend-view.js';

/** What an order to send again comes to, or would come to. */
export interface ResendOrder {
  /** Deliveries to be sent. */
  count: number;
  /** Events left out, as their debt was paid or cancelled since. */
  superseded: number;
  /** Where to read the progress; null for a dry run, and where there is nothing to send. */
  resendId: string | null;
}

interface Ordered {
  kind: 'missed' | 'filter';
  endpointId: string | null;
  asked: object;
  span: Span;
  dryRun: boolean;
  count: Statement;
}

const INSERT = `
  INSERT INTO webhook_resends (client_id, id, kind, endpoint_id, asked, status, cursor_id, end_id, total, created_at, updated_at)
  VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9, $9)`;

/** Takes orders to send many deliveries again, and tells how far they have come. The `Resender` works them. */
@Injectable()
export class Resends {
  constructor(
    private readonly database: Database,
    private readonly resender: Resender,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /**
   * Sends an endpoint what it has missed since an instant: what was given up, and what happened while it was disabled or
   * not there yet. @throws {DomainError} 404, 409 `endpoint_not_enabled`.
   */
  async recover(clientId: string, endpointId: string, { since, dryRun }: RecoverBody): Promise<ResendOrder> {
    const span = this.span(clientId, 'evt', instantOf(since));
    const count = countMissed(span, endpointId);
    return this.transaction(clientId, async (tx) => {
      // A dry run may ask for one that is disabled, so that its merchant knows before enabling it.
      await demandEndpoint(tx, clientId, endpointId, !dryRun);
      return this.order(tx, { kind: 'missed', endpointId, asked: { since }, span, dryRun, count });
    });
  }

  /** Delivers once more all that fits a filter. @throws {DomainError} 400 without any filter. */
  async redeliver(clientId: string, { dryRun, ...asked }: RedeliverManyBody): Promise<ResendOrder> {
    if (Object.values(asked).every((value) => value === undefined)) {
      throw badField('body', 'missing_field', 'names nothing to redeliver', 'at least one filter beside dryRun');
    }
    const span = this.span(clientId, 'dlv', new Date(0));
    const count = countFitting(span, asked);
    const endpointId = asked.endpointId ?? null;
    return this.transaction(clientId, (tx) =>
      this.order(tx, { kind: 'filter', endpointId, asked, span, dryRun, count }),
    );
  }

  /** What `recover` would send. */
  async countMissed(clientId: string, endpointId: string, since: Date): Promise<number> {
    const statement = countMissed(this.span(clientId, 'evt', since), endpointId);
    return this.transaction(clientId, async (tx) => (await tx.query<{ total: number }>(statement)).rows[0]?.total ?? 0);
  }

  /** Newest first. @throws {DomainError} 400 `invalid_cursor`. */
  async list(clientId: string, { after, limit }: EndpointsQuery) {
    const rows = await this.transaction(clientId, async (tx) => {
      if (after !== undefined && !(await findRow(tx, clientId, after))) {
        throw badField('after', 'invalid_cursor', 'is no row of this list', 'nextAfter of the page before');
      }
      const values = [clientId, null, after ?? null, limit + 1];
      return (await tx.query<CountedResendRow>({ text: READ_RESENDS, values })).rows;
    });
    const data = rows.slice(0, limit).map(resendView);
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.id ?? null) : null };
  }

  /** @throws {DomainError} 404. */
  async read(clientId: string, id: string): Promise<ResendView> {
    const row = await this.transaction(clientId, (tx) => findRow(tx, clientId, id));
    if (!row) throw notFound('There is no such resend.');
    return resendView(row);
  }

  private async order(tx: Transaction, ordered: Ordered): Promise<ResendOrder> {
    const { rows } = await tx.query<{ total: number; superseded: number }>(ordered.count);
    const { total = 0, superseded = 0 } = rows[0] ?? {};
    if (ordered.dryRun || total === 0) return { count: total, superseded, resendId: null };
    const resendId = `rsd_${this.ids.ulid()}`;
    const { clientId, afterId, endId } = ordered.span;
    await tx.query({
      text: INSERT,
      values: [
        ...[clientId, resendId, ordered.kind, ordered.endpointId, JSON.stringify(ordered.asked)],
        ...[afterId, endId, total, this.clock.now()],
      ],
    });
    this.resender.wake();
    return { count: total, superseded, resendId };
  }

  // An id holds the real time it was made at; an event's createdAt is on the client's clock, which may be moved.
  private span(clientId: string, prefix: 'evt' | 'dlv', since: Date): Span {
    const at = (ms: number) => `${prefix}_${encodeTime(Math.max(ms, 0))}`;
    return { clientId, afterId: at(since.getTime()), endId: at(this.clock.now().getTime() + 1) };
  }

  private transaction<T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction({ role: 'tenant', clientId }, work);
  }
}

async function findRow(tx: Transaction, clientId: string, id: string): Promise<CountedResendRow | null> {
  const { rows } = await tx.query<CountedResendRow>({ text: READ_RESENDS, values: [clientId, id, null, 1] });
  return rows[0] ?? null;
}

async function demandEndpoint(tx: Transaction, clientId: string, id: string, mustBeEnabled: boolean): Promise<void> {
  const { rows } = await tx.query<{ enabled: boolean }>({
    text: `SELECT enabled FROM webhook_endpoints WHERE client_id = $1 AND id = $2 AND deleted_at IS NULL`,
    values: [clientId, id],
  });
  if (!rows[0]) throw notFound('There is no such webhook endpoint.');
  if (mustBeEnabled && !rows[0].enabled) {
    throw conflict('endpoint_not_enabled', 'The endpoint is disabled; enable it first.');
  }
}

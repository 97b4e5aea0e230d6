import { Injectable } from '@nestjs/common';

import { attemptBody, statusBody } from '../engine/presenter.js';
import { recoveryFromRow } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { Database, type Statement } from '../platform/db/database.js';
import { badField, notFound } from '../platform/http/domain-error.js';
import type { ListRecoveriesDto } from './list.dto.js';

const LIMIT_DEFAULT = 50;

export interface Page {
  data: unknown[];
  hasMore: boolean;
  nextAfter: string | null;
}

interface TimelineRow {
  sequence: string;
  at: Date;
  type: string;
  from_state: string | null;
  to_state: string;
  rule: string;
  inputs: unknown;
  actor: string;
}

/** Reads of one client's recoveries. Another client's ids answer as unknown ones do. */
@Injectable()
export class RecoveryReader {
  constructor(
    private readonly database: Database,
    private readonly store: RecoveryStore,
  ) {}

  /** @throws {DomainError} 404 */
  async status(clientId: string, id: string): Promise<object> {
    const found = await this.store.find(clientId, id);
    if (!found) throw notFound('no recovery has this transactionId');
    const attempts = await this.store.attempts(clientId, id);
    return { ...statusBody(found.recovery), attempts: attempts.map(attemptBody) };
  }

  /** @throws {DomainError} 404 */
  async statusByKey(clientId: string, key: string): Promise<object> {
    const { rows } = await this.database.query<{ recovery_id: string | null }>(
      { role: 'tenant', clientId },
      { text: `SELECT recovery_id FROM idempotency_keys WHERE client_id = $1 AND key = $2`, values: [clientId, key] },
    );
    const id = rows[0]?.recovery_id;
    if (!id) throw notFound('no recovery was accepted under this idempotencyKey');
    return this.status(clientId, id);
  }

  /** Newest first. @throws {DomainError} 400 `invalid_cursor` for an `after` that is no row of this client. */
  async list(clientId: string, filters: ListRecoveriesDto): Promise<Page> {
    const limit = filters.limit ?? LIMIT_DEFAULT;
    if (filters.after !== undefined) await this.assertCursor(clientId, filters.after);
    const { rows } = await this.database.query({ role: 'tenant', clientId }, listStatement(clientId, filters, limit));
    const data = rows.slice(0, limit).map((row) => statusBody(recoveryFromRow(row as Record<string, unknown>)));
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? ((data.at(-1)?.transactionId as string | undefined) ?? null) : null };
  }

  /** Oldest first; `after` is the last row's sequence. @throws {DomainError} 404 */
  async timeline(clientId: string, id: string, after: string | undefined, limit = LIMIT_DEFAULT): Promise<Page> {
    const found = await this.store.find(clientId, id);
    if (!found) throw notFound('no recovery has this transactionId');
    if (after !== undefined && Number(after) > found.recovery.sequence) throw invalidCursor();
    const { rows } = await this.database.query<TimelineRow>(
      { role: 'tenant', clientId },
      {
        name: 'timeline',
        text: `SELECT sequence, at, type, from_state, to_state, rule, inputs, actor FROM recovery_events
               WHERE client_id = $1 AND recovery_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4`,
        values: [clientId, id, after ?? 0, limit + 1],
      },
    );
    const data = rows.slice(0, limit).map((row) => ({
      sequence: Number(row.sequence),
      at: row.at.toISOString(),
      type: row.type,
      fromState: row.from_state,
      toState: row.to_state,
      rule: row.rule,
      inputs: row.inputs,
      actor: row.actor,
    }));
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? String(data.at(-1)?.sequence) : null };
  }

  private async assertCursor(clientId: string, after: string): Promise<void> {
    if (!(await this.store.find(clientId, after))) throw invalidCursor();
  }
}

function invalidCursor() {
  return badField('after', 'invalid_cursor', 'is no row of this list', 'nextAfter of the page before');
}

function listStatement(clientId: string, filters: ListRecoveriesDto, limit: number): Statement {
  const values: unknown[] = [clientId];
  const conditions = ['r.client_id = $1'];
  const add = (condition: (place: string) => string, value: unknown) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  add((place) => `r.state = ${place}`, filters.state);
  add((place) => `r.customer_id = ${place}`, filters.customerId);
  add((place) => `r.reference = ${place}`, filters.reference);
  add((place) => `r.created_at >= ${place}`, filters.createdFrom);
  add((place) => `r.created_at < ${place}`, filters.createdTo);
  add((place) => `r.amount_minor >= ${place}`, filters.minAmount);
  add((place) => `r.id < ${place}`, filters.after);
  add(
    (place) => `coalesce(r.last_signals, r.original_signals) ->> 'declineCode' = ${place}
      OR (coalesce(r.last_signals, r.original_signals) ->> 'declineCode' IS NULL
          AND coalesce(r.last_signals, r.original_signals) ->> 'errorCode' = ${place})`,
    filters.declineCode,
  );
  values.push(limit + 1);
  return {
    text: `SELECT r.* FROM recoveries r WHERE ${conditions.map((each) => `(${each})`).join(' AND ')}
           ORDER BY r.id DESC LIMIT $${values.length}`,
    values,
  };
}

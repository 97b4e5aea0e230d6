import { Injectable } from '@nestjs/common';

import { Database, type Transaction } from '../platform/db/database.js';
import type { EffectTracking } from './endpoint.dto.js';
import type { SealedEndpoint } from './endpoint-secrets.js';
import { PARK } from './delivery-sql.js';
import type { EventType } from './event-types.js';
import { ENDPOINTS_MAX } from './outbox.js';

/** One row of `webhook_endpoints`. */
export interface Endpoint extends SealedEndpoint {
  /** Null: the events that are on by default. */
  events: EventType[] | null;
  description: string | null;
  enabled: boolean;
  disabledReason: string | null;
  effectTracking: EffectTracking;
  consolidate: boolean;
  failingSince: Date | null;
  createdAt: Date;
  updatedAt: Date;
}

interface EndpointRow {
  client_id: string;
  id: string;
  url: string;
  events: EventType[] | null;
  description: string | null;
  enabled: boolean;
  disabled_reason: string | null;
  headers_sealed: Buffer | null;
  effect_tracking: EffectTracking;
  consolidate: boolean;
  secret_sealed: Buffer;
  previous_secret_sealed: Buffer | null;
  previous_secret_until: Date | null;
  failing_since: Date | null;
  created_at: Date;
  updated_at: Date;
}

const INSERT = `
  INSERT INTO webhook_endpoints (client_id, id, url, events, description, enabled, disabled_reason, headers_sealed,
    effect_tracking, consolidate, secret_sealed, previous_secret_sealed, previous_secret_until, failing_since,
    created_at, updated_at)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
  WHERE (SELECT count(*) FROM webhook_endpoints WHERE client_id = $1 AND deleted_at IS NULL) < ${ENDPOINTS_MAX}`;

const UPDATE = `
  UPDATE webhook_endpoints SET url = $3, events = $4, description = $5, enabled = $6, disabled_reason = $7,
    headers_sealed = $8, effect_tracking = $9, consolidate = $10, secret_sealed = $11, previous_secret_sealed = $12,
    previous_secret_until = $13, failing_since = $14, created_at = $15, updated_at = $16
  WHERE client_id = $1 AND id = $2`;

/** The rows of endpoints. Deleted ones are seen by the delivery log only. */
@Injectable()
export class EndpointRepository {
  constructor(private readonly database: Database) {}

  /** False when the client has as many as it may have. In the caller's transaction, or in one of its own. */
  async insert(endpoint: Endpoint, tx?: Transaction): Promise<boolean> {
    if (!tx) return this.transaction(endpoint.clientId, (own) => this.insert(endpoint, own));
    // Two at once must not both find room for the last one.
    await tx.query({
      text: `SELECT pg_advisory_xact_lock(hashtextextended('webhook_endpoints:' || $1, 0))`,
      values: [endpoint.clientId],
    });
    const { rowCount } = await tx.query({ text: INSERT, values: columnsOf(endpoint) });
    return rowCount === 1;
  }

  async find(clientId: string, id: string): Promise<Endpoint | null> {
    return this.transaction(clientId, (tx) => this.findIn(tx, clientId, id, ''));
  }

  /** Newest first; `limit` of them after the one that `after` names. Null when that is no endpoint of the client. */
  async list(clientId: string, after: string | undefined, limit: number): Promise<Endpoint[] | null> {
    return this.transaction(clientId, async (tx) => {
      if (after !== undefined && !(await this.findIn(tx, clientId, after, ''))) return null;
      const { rows } = await tx.query<EndpointRow>({
        text: `SELECT * FROM webhook_endpoints WHERE client_id = $1 AND deleted_at IS NULL AND ($2::text IS NULL OR id < $2)
               ORDER BY id DESC LIMIT $3`,
        values: [clientId, after ?? null, limit],
      });
      return rows.map(endpointFrom);
    });
  }

  /** Changes an endpoint under its row's lock, so that two changes at once do not lose one. Null when there is none. */
  async change(
    clientId: string,
    id: string,
    realNow: Date,
    change: (endpoint: Endpoint) => Endpoint,
  ): Promise<Endpoint | null> {
    return this.transaction(clientId, async (tx) => {
      const before = await this.findIn(tx, clientId, id, 'FOR NO KEY UPDATE');
      if (!before) return null;
      const after = change(before);
      await tx.query({ text: UPDATE, values: columnsOf(after) });
      if (!after.enabled) await tx.query({ text: PARK, values: [realNow, clientId, id, 'endpoint_disabled'] });
      return after;
    });
  }

  /** Ends an endpoint with all that waits for it. False when there is none. */
  async remove(clientId: string, id: string, realNow: Date): Promise<boolean> {
    return this.transaction(clientId, async (tx) => {
      const { rowCount } = await tx.query({
        text: `UPDATE webhook_endpoints SET deleted_at = $3, enabled = false, updated_at = $3
               WHERE client_id = $1 AND id = $2 AND deleted_at IS NULL`,
        values: [clientId, id, realNow],
      });
      await tx.query({ text: PARK, values: [realNow, clientId, id, 'endpoint_deleted'] });
      return rowCount === 1;
    });
  }

  private transaction<T>(clientId: string, work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction({ role: 'tenant', clientId }, work);
  }

  private async findIn(tx: Transaction, clientId: string, id: string, lock: '' | 'FOR NO KEY UPDATE') {
    const { rows } = await tx.query<EndpointRow>({
      text: `SELECT * FROM webhook_endpoints WHERE client_id = $1 AND id = $2 AND deleted_at IS NULL ${lock}`,
      values: [clientId, id],
    });
    return rows[0] ? endpointFrom(rows[0]) : null;
  }
}

function columnsOf(endpoint: Endpoint): unknown[] {
  return [
    endpoint.clientId,
    endpoint.id,
    endpoint.url,
    endpoint.events,
    endpoint.description,
    endpoint.enabled,
    endpoint.disabledReason,
    endpoint.headersSealed,
    endpoint.effectTracking,
    endpoint.consolidate,
    endpoint.secretSealed,
    endpoint.previousSecretSealed,
    endpoint.previousSecretUntil,
    endpoint.failingSince,
    endpoint.createdAt,
    endpoint.updatedAt,
  ];
}

function endpointFrom(row: EndpointRow): Endpoint {
  return {
    clientId: row.client_id,
    id: row.id,
    url: row.url,
    events: row.events,
    description: row.description,
    enabled: row.enabled,
    disabledReason: row.disabled_reason,
    headersSealed: row.headers_sealed,
    effectTracking: row.effect_tracking,
    consolidate: row.consolidate,
    secretSealed: row.secret_sealed,
    previousSecretSealed: row.previous_secret_sealed,
    previousSecretUntil: row.previous_secret_until,
    failingSince: row.failing_since,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

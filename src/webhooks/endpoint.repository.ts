import { Injectable } from '@nestjs/common';
import { decodeTime } from 'ulid';

import { Database, type Transaction } from '../platform/db/database.js';
import type { EffectTracking } from './endpoint.dto.js';
import { TOLD_AFTER_DAYS } from './endpoint-health.js';
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
  disabledAt: Date | null;
  effectTracking: EffectTracking;
  consolidate: boolean;
  failingSince: Date | null;
  /** Real time; written by the dispatchers alone. */
  throttledUntil: Date | null;
  breakerUntil: Date | null;
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
  disabled_at: Date | null;
  headers_sealed: Buffer | null;
  effect_tracking: EffectTracking;
  consolidate: boolean;
  secret_sealed: Buffer;
  previous_secret_sealed: Buffer | null;
  previous_secret_until: Date | null;
  failing_since: Date | null;
  throttled_until: Date | null;
  breaker_until: Date | null;
  created_at: Date;
  updated_at: Date;
}

const INSERT = `
  INSERT INTO webhook_endpoints (client_id, id, url, events, description, enabled, disabled_reason, headers_sealed,
    effect_tracking, consolidate, secret_sealed, previous_secret_sealed, previous_secret_until, failing_since,
    created_at, updated_at, disabled_at)
  SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
  WHERE (SELECT count(*) FROM webhook_endpoints WHERE client_id = $1 AND deleted_at IS NULL) < ${ENDPOINTS_MAX}`;

const UPDATE = `
  UPDATE webhook_endpoints SET url = $3, events = $4, description = $5, enabled = $6, disabled_reason = $7,
    headers_sealed = $8, effect_tracking = $9, consolidate = $10, secret_sealed = $11, previous_secret_sealed = $12,
    previous_secret_until = $13, failing_since = $14, created_at = $15, updated_at = $16, disabled_at = $17
  WHERE client_id = $1 AND id = $2`;

/**
 * Forgets what an enabled endpoint did before, and ends what the operator was told of it: $1 client, $2 endpoint, $3 real
 * now.
 */
export const CLEAR_TROUBLE = `
  WITH cleared AS (
    UPDATE webhook_endpoints SET failing_since = NULL, failing_told = 0, breaker_until = NULL, breaker_trips = 0,
      window_from = NULL, window_tries = 0, window_failures = 0
    WHERE client_id = $1 AND id = $2 AND enabled
    RETURNING client_id, id)
  UPDATE operator_alerts o SET resolved_at = $3
  FROM cleared c
  WHERE o.client_id = c.client_id AND o.resolved_at IS NULL
    AND o.dedupe_key IN ('webhook_endpoint_disabled:' || c.id,
      ${TOLD_AFTER_DAYS.map((day) => `'webhook_endpoint_failing:' || c.id || ':${day}'`).join(', ')})`;

// The pause was another address's wish.
const CLEAR_THROTTLE = `
  UPDATE webhook_endpoints SET throttled_until = NULL, throttle_step = 0 WHERE client_id = $1 AND id = $2`;

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
      const isAnother = after.url !== before.url;
      if (isAnother || (after.enabled && !before.enabled)) {
        await tx.query({ text: CLEAR_TROUBLE, values: [clientId, id, realNow] });
        if (isAnother) await tx.query({ text: CLEAR_THROTTLE, values: [clientId, id] });
        return this.findIn(tx, clientId, id, '');
      }
      return after;
    });
  }

  /**
   * Since when a disabled endpoint has missed anything: the oldest event that was parked for it, or given up while it failed
   * at every try; else when it was disabled.
   */
  async missingSince({ clientId, id, disabledAt, failingSince, updatedAt }: Endpoint): Promise<Date> {
    const { rows } = await this.database.query<{ event_id: string | null }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT min(event_id) AS event_id FROM webhook_deliveries
               WHERE client_id = $1 AND endpoint_id = $2
                 AND (status = 'endpoint_disabled' OR (status = 'exhausted' AND updated_at >= $3))`,
        values: [clientId, id, failingSince],
      },
    );
    const since = disabledAt ?? updatedAt;
    const oldest = rows[0]?.event_id ?? null;
    return oldest === null ? since : new Date(Math.min(since.getTime(), madeAt(oldest)));
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
    endpoint.disabledAt,
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
    disabledAt: row.disabled_at,
    headersSealed: row.headers_sealed,
    effectTracking: row.effect_tracking,
    consolidate: row.consolidate,
    secretSealed: row.secret_sealed,
    previousSecretSealed: row.previous_secret_sealed,
    previousSecretUntil: row.previous_secret_until,
    failingSince: row.failing_since,
    throttledUntil: row.throttled_until,
    breakerUntil: row.breaker_until,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

// An id is a prefix and a ULID, which holds the real time it was made at.
function madeAt(id: string): number {
  return decodeTime(id.slice(id.indexOf('_') + 1));
}

import { Injectable } from '@nestjs/common';

import { Database, type Scope } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import { CLAIM_DUE, NEXT_DUE } from './claim-sql.js';
import { HAND_BACK, RELEASE_HELD, RELEASE_HELD_OF } from './delivery-sql.js';
import type { Throttle } from './delivery-policy.js';
import type { EventType } from './event-types.js';
import type { SealedEndpoint } from './endpoint-secrets.js';
import { FOLLOW_FAILURES, SETTLE, settleValues } from './settle-sql.js';

const WORKER: Scope = { role: 'worker' };

/** A delivery that this process may try now, once. */
export interface ClaimedDelivery {
  clientId: string;
  id: string;
  eventId: string;
  recoveryId: string | null;
  eventType: EventType;
  body: Buffer;
  /** `X-Revtain-Sequence`; null for an event about no recovery. */
  endpointSequence: number | null;
  /** The number of this try. */
  tryNumber: number;
  /** Failed tries of this run of the schedule. */
  failedBefore: number;
  leaseToken: string;
  /** It decides whether a half-open breaker closes. */
  isProbe: boolean;
  /** Its endpoint has answered nothing well since its last failure. */
  isFailing: boolean;
  endpoint: SealedEndpoint;
}

export interface ClaimLimits {
  /** Of an endpoint that is not named in `rooms`. */
  perEndpoint: number;
  /** How many more each endpoint that is being served may have. */
  rooms: ReadonlyMap<string, number>;
  inAll: number;
  /** Endpoints that are failing may have so many turns. */
  failing: number;
}

export interface Claim {
  claimed: ClaimedDelivery[];
  /** Deliveries looked at, those that were put off or withdrawn included. */
  seen: number;
}

/** What one try came to. */
export interface TryResult {
  clientId: string;
  deliveryId: string;
  endpointId: string;
  leaseToken: string;
  number: number;
  at: Date;
  durationMs: number;
  status: number | null;
  error: string | null;
  responseExcerpt: string | null;
  verdict: 'delivered' | 'retry' | 'exhausted' | 'gone';
  nextTryAt: Date | null;
  throttle: Throttle | null;
  isProbe: boolean;
}

/** The rows of deliveries, as the dispatcher works on them: every client's. */
@Injectable()
export class DeliveryStore {
  constructor(
    private readonly database: Database,
    private readonly ids: Ids,
  ) {}

  async claimDue(realNow: Date, { perEndpoint, rooms, inAll, failing }: ClaimLimits): Promise<Claim> {
    const { rows } = await this.database.query<EndpointRow | DeliveryRow>(WORKER, {
      name: 'claim_deliveries',
      text: CLAIM_DUE,
      values: [realNow, perEndpoint, [...rooms.keys()], [...rooms.values()], inAll, failing],
    });
    return claimFrom(rows);
  }

  /**
   * Writes results with all that follows from them for their endpoints: pauses, the breaker, disabling, alerts. Answers
   * whether there is something to claim that was not before.
   */
  async settle(realNow: Date, results: readonly TryResult[]): Promise<boolean> {
    const settle = { name: 'settle_deliveries', text: SETTLE, values: settleValues(realNow, results) };
    const failed = new Map(
      results.filter(({ verdict }) => verdict !== 'delivered').map((each) => [each.endpointId, each]),
    );
    const named = [...failed.values()].map(({ clientId, endpointId }) => ({
      client_id: clientId,
      endpoint_id: endpointId,
      alert_id: this.ids.ulid(),
    }));
    const follow = { name: 'follow_failures', text: FOLLOW_FAILURES, values: [realNow, JSON.stringify(named)] };
    const [settled] = await this.database.flight(WORKER, named.length === 0 ? [settle] : [settle, follow]);
    return settled?.rows[0]?.['has_woken'] === true;
  }

  async handBack(realNow: Date, deliveries: readonly ClaimedDelivery[]): Promise<void> {
    const columns = [
      deliveries.map((each) => each.clientId),
      deliveries.map((each) => each.id),
      deliveries.map((each) => each.leaseToken),
    ];
    await this.database.query(WORKER, { name: 'hand_back', text: HAND_BACK, values: [realNow, ...columns] });
  }

  /** Answers how many deliveries were set free. */
  async releaseHeld(realNow: Date): Promise<number> {
    const { rowCount } = await this.database.query(WORKER, {
      name: 'release_held',
      text: RELEASE_HELD,
      values: [realNow],
    });
    return rowCount ?? 0;
  }

  /** The same for one client, by an instant of its own clock. */
  async releaseHeldOf(realNow: Date, clientId: string, at: Date): Promise<number> {
    const { rowCount } = await this.database.query(WORKER, {
      name: 'release_held_of',
      text: RELEASE_HELD_OF,
      values: [realNow, clientId, at],
    });
    return rowCount ?? 0;
  }

  /** `withFailing`: also at endpoints that are failing. */
  async nextDueAt(withFailing: boolean): Promise<Date | null> {
    const { rows } = await this.database.query<{ next_due_at: Date | null }>(WORKER, {
      name: 'next_delivery_due',
      text: NEXT_DUE,
      values: [withFailing],
    });
    return rows[0]?.next_due_at ?? null;
  }
}

/** What an endpoint holds: such rows come first. */
interface EndpointRow extends Record<string, unknown> {
  client_id: string;
  id: null;
  endpoint_id: string;
  url: string;
  secret_sealed: Buffer;
  previous_secret_sealed: Buffer | null;
  previous_secret_until: Date | null;
  headers_sealed: Buffer | null;
}

interface DeliveryRow extends Record<string, unknown> {
  client_id: string;
  id: string;
  event_id: string;
  endpoint_id: string;
  recovery_id: string | null;
  lease_token: string;
  try_count: number;
  schedule_step: number;
  endpoint_sequence: string | null;
  type: EventType;
  /** In base64; null for what was put off or withdrawn. */
  body: string | null;
  is_failing: boolean;
  is_probe: boolean;
}

function claimFrom(rows: readonly (EndpointRow | DeliveryRow)[]): Claim {
  const endpoints = new Map<string, SealedEndpoint>();
  const claimed: ClaimedDelivery[] = [];
  for (const row of rows) {
    if (row.id === null) {
      endpoints.set(row.endpoint_id, endpointFrom(row));
      continue;
    }
    const endpoint = endpoints.get(row.endpoint_id);
    if (!endpoint) throw new Error('a claim tells of each endpoint before its deliveries');
    if (row.body !== null) claimed.push(deliveryFrom(row, Buffer.from(row.body, 'base64'), endpoint));
  }
  return { claimed, seen: rows.length - endpoints.size };
}

function endpointFrom(row: EndpointRow): SealedEndpoint {
  return {
    clientId: row.client_id,
    id: row.endpoint_id,
    url: row.url,
    secretSealed: row.secret_sealed,
    previousSecretSealed: row.previous_secret_sealed,
    previousSecretUntil: row.previous_secret_until,
    headersSealed: row.headers_sealed,
  };
}

function deliveryFrom(row: DeliveryRow, body: Buffer, endpoint: SealedEndpoint): ClaimedDelivery {
  return {
    clientId: row.client_id,
    id: row.id,
    eventId: row.event_id,
    recoveryId: row.recovery_id,
    eventType: row.type,
    body,
    endpointSequence: row.endpoint_sequence === null ? null : Number(row.endpoint_sequence),
    tryNumber: row.try_count,
    failedBefore: row.schedule_step,
    leaseToken: row.lease_token,
    isProbe: row.is_probe,
    isFailing: row.is_failing,
    endpoint,
  };
}

import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database, type Scope } from '../platform/db/database.js';
import { tellOperator } from '../platform/db/operator-alert.js';
import { Ids } from '../platform/ids.js';
import { Log } from '../platform/logging/log.js';
import { type ClaimedEvent, type Facts, saidBy } from './inbound-event.js';

const WORKER: Scope = { role: 'worker' };

/** How long a claim holds; it is renewed while the work goes on. */
const LEASE_SECONDS = 30;
/** When a client was last heard of is written this often at most. */
const NOTED_EVERY_MS = 30_000;

/** How a claimed event ends, or when it is taken up again. Instants in real time. */
export interface Settled {
  event: ClaimedEvent;
  status: 'done' | 'ignored' | 'pending';
  outcome: string | null;
  dueAt: Date | null;
  parkedAt: Date | null;
}

interface Row {
  client_id: string;
  platform: string;
  event_id: string;
  type: string;
  subject: string;
  facts: Facts;
  tries: number;
  lease_token: string;
  received_at: Date;
}

/** The rows of the inbox. */
@Injectable()
export class InboxStore {
  private readonly notedAtMs = new Map<string, number>();

  constructor(
    private readonly database: Database,
    private readonly ids: Ids,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Due events, oldest first, each under a lease of this process. */
  async claimDue(now: Date, countMax: number): Promise<ClaimedEvent[]> {
    const { rows } = await this.database.query<Row & Record<string, unknown>>(WORKER, {
      name: 'claim_connector_events',
      text: CLAIM,
      values: [now, countMax],
    });
    return rows
      .map((row) => ({
        clientId: row.client_id,
        platform: row.platform,
        eventId: row.event_id,
        type: row.type,
        subject: row.subject,
        facts: row.facts,
        said: saidBy(row),
        tries: row.tries,
        leaseToken: Number(row.lease_token),
        receivedAt: row.received_at,
      }))
      .sort((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime());
  }

  /** Writes what came of events. One whose lease was taken over is left to whoever has it now. */
  async settle(settled: readonly Settled[], now: Date): Promise<void> {
    const column = (of: (each: Settled) => unknown) => settled.map(of);
    await this.database.query(WORKER, {
      name: 'settle_connector_events',
      text: SETTLE,
      values: [
        ...keysOf(settled.map(({ event }) => event)),
        column(({ status }) => status),
        column(({ outcome }) => outcome),
        column(({ dueAt }) => dueAt),
        column(({ parkedAt }) => parkedAt),
        now,
      ],
    });
  }

  async renew(events: readonly ClaimedEvent[]): Promise<void> {
    await this.database.query(WORKER, { name: 'renew_connector_events', text: RENEW, values: keysOf(events) });
  }

  /** When the next event falls due; null when none waits. Expired leases count as due. */
  async nextDueAt(): Promise<Date | null> {
    const { rows } = await this.database.query<{ at: Date | null }>(WORKER, {
      name: 'next_connector_event',
      text: `SELECT min(due_at) AS at FROM connector_events
             WHERE status = 'pending' AND (lease_until IS NULL OR lease_until < clock_timestamp())`,
    });
    return rows[0]?.at ?? null;
  }

  /** An operator hears once that events of a platform fail; `tellMended` takes it back. */
  async tellFailing(event: ClaimedEvent, reason: string): Promise<void> {
    const { clientId, platform, type: eventType } = event;
    const alert = tellOperator({
      clientId,
      id: this.ids.ulid(),
      kind: 'connector_failing',
      severity: 'warning',
      facts: { platform, eventType, reason },
      dedupeKey: failingKey(platform),
      at: this.clock.now(),
    });
    await this.database.query(WORKER, alert);
  }

  /** Ends the alerts of clients whose parked events have all been worked. */
  async tellMended(): Promise<void> {
    await this.database.query(WORKER, {
      text: `UPDATE operator_alerts a SET resolved_at = $1
             WHERE a.kind = 'connector_failing' AND a.resolved_at IS NULL AND a.dedupe_key LIKE 'connector_failing:%'
               AND NOT EXISTS (SELECT FROM connector_events e WHERE e.client_id = a.client_id
                 AND e.platform = a.facts ->> 'platform' AND e.parked_at IS NOT NULL AND e.status = 'pending')`,
      values: [this.clock.now()],
    });
  }

  /** The first clients there are. */
  async clientIds(countMax: number): Promise<string[]> {
    const text = 'SELECT id FROM clients ORDER BY id LIMIT $1';
    const { rows } = await this.database.query<{ id: string }>(WORKER, { text, values: [countMax] });
    return rows.map(({ id }) => id);
  }

  /**
   * Notes beside the request that a client's platform speaks to us: from then on its missed events are asked for. Where
   * that fails, the next event notes it.
   */
  noteReceived(clientId: string, platform: string, at: Date): void {
    const key = `${clientId}:${platform}`;
    const nowMs = this.clock.monotonicMs();
    if (nowMs - (this.notedAtMs.get(key) ?? -Infinity) < NOTED_EVERY_MS) return;
    this.notedAtMs.set(key, nowMs);
    this.database
      .query(WORKER, { name: 'note_received', text: NOTE_RECEIVED, values: [clientId, platform, at] })
      .catch((error: unknown) => this.log.error('inbox.not_noted', { clientId, platform }, error));
  }

  /** What a platform has sent for a client, counted by what became of it. */
  async counts(clientId: string, platform: string): Promise<Record<string, number>> {
    const { rows } = await this.database.query<{ name: string; count: number }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT CASE WHEN status = 'pending' AND parked_at IS NOT NULL THEN 'parked'
                           WHEN status = 'ignored' THEN outcome ELSE status END AS name, count(*)::int AS count
               FROM connector_events WHERE client_id = $1 AND platform = $2 GROUP BY 1 ORDER BY 1`,
        values: [clientId, platform],
      },
    );
    return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
  }

  /** When its last event came, as the tables know it (to half a minute); null when none ever did. */
  async lastReceivedAt(clientId: string, platform: string): Promise<Date | null> {
    const { rows } = await this.database.query<{ at: Date | null }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT last_received_at AS at FROM connector_cursors WHERE client_id = $1 AND platform = $2`,
        values: [clientId, platform],
      },
    );
    return rows[0]?.at ?? null;
  }

  /** Forgets worked events that no platform would list any more. Returns how many. */
  async forgetBefore(instant: Date): Promise<number> {
    const { rowCount } = await this.database.query(WORKER, {
      text: `DELETE FROM connector_events WHERE status <> 'pending' AND received_at < $1`,
      values: [instant],
    });
    return rowCount;
  }
}

function failingKey(platform: string): string {
  return `connector_failing:${platform}`;
}

function keysOf(events: readonly ClaimedEvent[]): unknown[] {
  return [
    events.map(({ clientId }) => clientId),
    events.map(({ platform }) => platform),
    events.map(({ eventId }) => eventId),
    events.map(({ leaseToken }) => leaseToken),
  ];
}

const LEASE = `clock_timestamp() + interval '${LEASE_SECONDS} s'`;

// A claim counts as a try, so that an event which takes its worker down with it is counted too.
const CLAIM = `
  WITH due AS MATERIALIZED (
    SELECT client_id, platform, event_id FROM connector_events
    WHERE status = 'pending' AND due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE connector_events e SET lease_token = e.lease_token + 1, lease_until = ${LEASE}, tries = e.tries + 1
  FROM due WHERE e.client_id = due.client_id AND e.platform = due.platform AND e.event_id = due.event_id
  RETURNING e.client_id, e.platform, e.event_id, e.type, e.subject, e.facts, e.tries,
            e.lease_token, e.received_at`;

const HELD = `unnest($1::text[], $2::text[], $3::text[], $4::bigint[]`;
const SAME = `e.client_id = n.client_id AND e.platform = n.platform AND e.event_id = n.event_id
    AND e.lease_token = n.lease_token`;

const RENEW = `
  UPDATE connector_events e SET lease_until = ${LEASE}
  FROM ${HELD}) AS n (client_id, platform, event_id, lease_token) WHERE ${SAME} AND e.status = 'pending'`;

const SETTLE = `
  UPDATE connector_events e
  SET status = n.status, outcome = n.outcome, due_at = n.due_at, parked_at = n.parked_at, lease_until = NULL,
      worked_at = CASE WHEN n.status = 'pending' THEN NULL ELSE $9::timestamptz END
  FROM ${HELD}, $5::text[], $6::text[], $7::timestamptz[], $8::timestamptz[])
    AS n (client_id, platform, event_id, lease_token, status, outcome, due_at, parked_at)
  WHERE ${SAME}`;

const NOTE_RECEIVED = `
  INSERT INTO connector_cursors (client_id, platform, listed_until, due_at, last_received_at)
  SELECT c.id, $2, client_time($3, c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until), $3, $3
  FROM clients c WHERE c.id = $1
  ON CONFLICT (client_id, platform) DO UPDATE
  SET last_received_at = greatest(connector_cursors.last_received_at, excluded.last_received_at)`;

import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database, type Scope } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import { WebhooksConfig } from './webhooks.config.js';

const WORKER: Scope = { role: 'worker' };
const DAY_MS = 86_400_000;
const EVERY_MS = 3_600_000;
/** Events looked at by one statement, so that none holds its locks for long. */
const PAGE = 500;

/** A ping is of no recovery. */
const IS_OF = (event: string) =>
  `(d.recovery_id = ${event}.recovery_id OR (${event}.recovery_id IS NULL AND d.recovery_id IS NULL AND d.event_id = ${event}.id))`;

/**
 * Deletes a page of a client's old events with their deliveries and tries: $1 client, $2 after, $3 before (ids, which hold
 * the time they were made at), $4 the same time. Kept is everything of a recovery that is open, that had an event since, or
 * one of whose deliveries was touched since: what comes later must stand in line behind it, and keep its numbers.
 */
const SWEEP = `
  WITH page AS MATERIALIZED (
    SELECT e.client_id, e.id, e.recovery_id FROM webhook_events e
    WHERE e.client_id = $1 AND e.id > $2 AND e.id < $3 ORDER BY e.id LIMIT ${PAGE}),
  spent AS MATERIALIZED (
    SELECT p.client_id, p.id, p.recovery_id FROM page p
    WHERE NOT EXISTS (SELECT FROM recoveries r WHERE r.client_id = p.client_id AND r.id = p.recovery_id AND r.due_at IS NOT NULL)
      AND NOT EXISTS (SELECT FROM webhook_events n
                      WHERE n.client_id = p.client_id AND n.recovery_id = p.recovery_id AND n.id >= $3)
      AND NOT EXISTS (SELECT FROM webhook_deliveries d
                      WHERE d.client_id = p.client_id AND ${IS_OF('p')}
                        AND (d.status IN ('held', 'pending') OR d.updated_at >= $4))),
  deliveries AS MATERIALIZED (
    SELECT d.client_id, d.id FROM webhook_deliveries d JOIN spent s ON s.client_id = d.client_id AND ${IS_OF('s')}
    WHERE d.event_id = s.id),
  tries_gone AS (
    DELETE FROM webhook_tries t USING deliveries d WHERE t.client_id = d.client_id AND t.delivery_id = d.id),
  deliveries_gone AS (
    DELETE FROM webhook_deliveries w USING deliveries d WHERE w.client_id = d.client_id AND w.id = d.id),
  events_gone AS (
    DELETE FROM webhook_events e USING spent s WHERE e.client_id = s.client_id AND e.id = s.id RETURNING e.id)
  SELECT (SELECT max(id) FROM page) AS last_id, (SELECT count(*)::int FROM events_gone) AS deleted`;

/**
 * Deletes what the delivery log has kept for as long as the operator wants it, a page at a time. The tables are not cut
 * into months: their unique keys (one delivery of an event to an endpoint, one success of a recovery) hold across all
 * months, and a key of a partitioned table would have to hold the month too (docs/webhooks.md).
 */
@Injectable()
export class Retention extends BackgroundLoop {
  override readonly name = 'webhook-retention';

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly config: WebhooksConfig,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  override start(): void {
    if (this.config.webhookRetentionDays !== null) super.start();
  }

  /** Deletes what is older than so many days of real time. Answers how many events that were. */
  async sweep(days: number): Promise<number> {
    const before = new Date(this.clock.now().getTime() - days * DAY_MS);
    let deleted = 0;
    for (
      let clientId = await this.nextClient('');
      clientId && !this.stopping;
      clientId = await this.nextClient(clientId)
    ) {
      deleted += await this.sweepClient(clientId, before);
    }
    return deleted;
  }

  protected override async turn(): Promise<number> {
    const days = this.config.webhookRetentionDays;
    const deleted = days === null ? 0 : await this.sweep(days);
    if (deleted > 0) this.log.info('webhook.swept', { count: deleted });
    return EVERY_MS;
  }

  protected override interrupted(error: unknown): number {
    this.log.error('webhook.sweep_failed', {}, error);
    return EVERY_MS;
  }

  private async sweepClient(clientId: string, before: Date): Promise<number> {
    const end = `evt_${encodeTime(before.getTime())}`;
    let deleted = 0;
    for (let after = ''; !this.stopping;) {
      const { rows } = await this.database.query<{ last_id: string | null; deleted: number }>(WORKER, {
        name: 'sweep_webhooks',
        text: SWEEP,
        values: [clientId, after, end, before],
      });
      deleted += rows[0]?.deleted ?? 0;
      const lastId = rows[0]?.last_id ?? null;
      if (lastId === null) break;
      after = lastId;
    }
    return deleted;
  }

  private async nextClient(after: string): Promise<string | null> {
    const text = 'SELECT id FROM clients WHERE id > $1 ORDER BY id LIMIT 1';
    const { rows } = await this.database.query<{ id: string }>(WORKER, { name: 'next_client', text, values: [after] });
    return rows[0]?.id ?? null;
  }
}

import { Injectable } from '@nestjs/common';
import { encodeTime } from 'ulid';

import type { AlertKind } from '../clients/alert-settings.js';
import { Database } from '../platform/db/database.js';
import { BEHIND_AFTER_MS } from './rules.js';
import { countedUntil, LOOK_BACK_MS } from './watch-store.js';

/** A client that was not looked at for so long is looked at whether it has news or not. */
const NEWS_MS = 8 * 60_000;
/** What is closed after a day, so that it can be told again (see `closeOld`). */
export const TOLD_AGAIN: readonly AlertKind[] = ['configuration_error', 'unmapped_gateway_answer', 'money_held'];

/** Which clients a look is worth, found by one statement for all of them: most have nothing to tell at most times. */
@Injectable()
export class WatchedClients {
  constructor(private readonly database: Database) {}

  /** Clients that have a channel. The outbox of the others counts as read, for nobody is told of it. */
  async all(now: Date): Promise<string[]> {
    const [, clients] = await this.database.flight({ role: 'worker' }, [
      {
        text: `UPDATE alert_turns t SET events_read_until = $1 FROM clients c
               WHERE c.id = t.client_id AND c.notification_channels = '{}' AND t.events_read_until IS NOT NULL`,
        values: [now],
      },
      { text: `SELECT id FROM clients WHERE notification_channels <> '{}' ORDER BY id` },
    ]);
    return (clients?.rows ?? []).map((row) => String(row['id']));
  }

  /** Those of them whose outbox may hold something new, by one look for all. */
  async withNews(now: Date): Promise<string[]> {
    const { rows } = await this.database.query<{ id: string }>(
      { role: 'worker' },
      {
        name: 'alert_clients_with_news',
        text: WITH_NEWS,
        values: [new Date(now.getTime() - NEWS_MS), `evt_${encodeTime(now.getTime() - NEWS_MS - LOOK_BACK_MS)}`],
      },
    );
    return rows.map(({ id }) => id);
  }

  /**
   * Those of them for whom a standing look has anything to do, by one statement for all: something is open, failing or late,
   * or an hour of charges is to be counted. Of a thousand clients that are well, none costs a look of its own.
   */
  async withStanding(now: Date): Promise<string[]> {
    const watched = new Set(await this.all(now));
    const { rows } = await this.database.query<{ id: string }>(
      { role: 'worker' },
      {
        name: 'alert_clients_with_standing',
        text: WITH_STANDING,
        values: [new Date(now.getTime() - BEHIND_AFTER_MS), STANDING_KINDS, countedUntil(now)],
      },
    );
    return rows.map(({ id }) => id).filter((id) => watched.has(id));
  }
}

/** What a standing look raises, takes back or closes. */
const STANDING_KINDS: readonly AlertKind[] = [
  'webhook_endpoint_failing',
  'webhook_endpoint_disabled',
  'queue_behind',
  'unusual_decline_rate',
  'charge_unknown_for_long',
  'work_parked',
  ...TOLD_AGAIN,
];

// Each part reads its table once for all clients: what is failing, late or open is little, however many clients there are.
const WITH_STANDING = `
  SELECT a.client_id AS id FROM operator_alerts a WHERE a.resolved_at IS NULL AND a.kind = ANY ($2)
  UNION
  SELECT p.client_id FROM webhook_endpoints p
  WHERE p.deleted_at IS NULL AND (p.failing_since IS NOT NULL OR p.disabled_reason IN ('gone', 'failing'))
  UNION
  SELECT r.client_id FROM recoveries r
  WHERE r.due_at IS NOT NULL AND NOT r.is_test AND r.due_at < $1
    AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())
  UNION
  SELECT c.id FROM clients c LEFT JOIN alert_turns t ON t.client_id = c.id
  WHERE c.notification_channels <> '{}' AND (t.charges_counted_until IS NULL OR t.charges_counted_until < $3)
  ORDER BY id`;

const WITH_NEWS = `
  SELECT c.id FROM clients c LEFT JOIN alert_turns t ON t.client_id = c.id
  WHERE c.notification_channels <> '{}' AND (
    coalesce(t.events_read_until, c.updated_at) < $1
    OR EXISTS (
      SELECT FROM webhook_events e
      WHERE e.client_id = c.id AND e.id > $2 AND e.type IN ('recovery.failed', 'recovery.blocked') AND e.final
        AND e.superseded_at IS NULL
        AND NOT EXISTS (SELECT FROM operator_alerts a
                        WHERE a.client_id = e.client_id AND a.dedupe_key = 'recovery_ended:' || e.id)))
  ORDER BY c.id`;

import { Injectable } from '@nestjs/common';

import type { ClientSettings } from '../clients/client-settings.js';
import { Database } from '../platform/db/database.js';
import { IS_OPEN } from './recovery-sql.js';
import { afterMs } from './work-context.js';

/** While credentials are refused, one charge tries them again this often (docs/behaviour.md 4). */
export const PROBE_EVERY_MS = 300_000;

/**
 * Stops charging for a client whose gateway refuses its credentials: that is the merchant's account, not the debt.
 * One charge every five minutes probes it; the first that is not refused ends the pause.
 */
@Injectable()
export class ChargingPause {
  constructor(private readonly database: Database) {}

  /** When the next charge may be tried; null when there is no pause, or this charge is the probe. */
  async heldUntil(client: ClientSettings, now: Date): Promise<Date | null> {
    if (client.chargingPausedSince === null) return null;
    const { rows } = await this.database.query<{ charging_probe_at: Date }>(
      { role: 'tenant', clientId: client.id },
      {
        name: 'probe_pause',
        text: `UPDATE clients SET charging_probe_at = $2
               WHERE id = $1 AND charging_paused_since IS NOT NULL AND charging_probe_at <= $3 RETURNING charging_probe_at`,
        values: [client.id, afterMs(now, PROBE_EVERY_MS), now],
      },
    );
    if (rows.length === 1) return null;
    const { rows: current } = await this.database.query<{ charging_probe_at: Date | null }>(
      { role: 'tenant', clientId: client.id },
      { name: 'read_pause', text: `SELECT charging_probe_at FROM clients WHERE id = $1`, values: [client.id] },
    );
    return current[0]?.charging_probe_at ?? null;
  }

  /** Starts the pause, or keeps it. Returns when the next charge may be tried. */
  async begin(clientId: string, now: Date): Promise<Date> {
    const probeAt = afterMs(now, PROBE_EVERY_MS);
    await this.database.query(
      { role: 'tenant', clientId },
      {
        name: 'begin_pause',
        text: `UPDATE clients SET charging_paused_since = coalesce(charging_paused_since, $2), charging_probe_at = $3
               WHERE id = $1`,
        values: [clientId, now, probeAt],
      },
    );
    return probeAt;
  }

  /**
   * Ends the pause, gives every open recovery back the time it lost, and closes the alert. One statement, so that a
   * deadline grows once however many workers see the pause end.
   */
  async end(client: ClientSettings, now: Date): Promise<void> {
    if (client.chargingPausedSince === null) return;
    await this.database.query(
      { role: 'tenant', clientId: client.id },
      {
        name: 'end_pause',
        text: `WITH ended AS (
                 UPDATE clients c SET charging_paused_since = NULL, charging_probe_at = NULL
                 FROM (SELECT id, charging_paused_since AS since FROM clients WHERE id = $1 FOR UPDATE) old
                 WHERE c.id = old.id AND old.since IS NOT NULL RETURNING old.since),
               resolved AS (
                 UPDATE operator_alerts SET resolved_at = $3 FROM ended
                 WHERE client_id = $1 AND dedupe_key = 'credentials_refused' AND resolved_at IS NULL)
               UPDATE recoveries r SET deadline_at = r.deadline_at + ($2::timestamptz - ended.since) FROM ended
               WHERE r.client_id = $1 AND r.${IS_OPEN}`,
        values: [client.id, now, now],
      },
    );
  }
}

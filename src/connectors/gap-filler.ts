import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow } from '../clients/client-settings.js';
import { GatewayWebhookSecrets } from '../clients/gateway-webhook-secrets.service.js';
import { BackgroundWork, BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import { BillingPlatforms } from './billing-platform.js';
import { InboxWorker } from './inbox-worker.js';
import { InboxWriter } from './inbox-writer.js';

const WORKER = { role: 'worker' as const };

/** How often each platform is asked what never arrived. */
const EVERY_MS = 10 * 60_000;
/** After a listing that was not answered. */
const AGAIN_MS = 60_000;
/** Events may be listed a little after they were made, and clocks differ: the listings overlap by this. */
const OVERLAP_MS = 60 * 60_000;
/** Platforms keep their events for 30 days. */
const KEPT_MS = 30 * 86_400_000;
const LEASE = `interval '2 minutes'`;
const CLAIM_MAX = 10;

interface CursorRow {
  client_id: string;
  platform: string;
  listed_until: Date;
}

/** Asks each platform for the events that it could not deliver, as after an outage of ours, from a stored cursor on. */
@Injectable()
export class GapFiller extends BackgroundWork {
  readonly name = 'gap-filler';
  private running = false;
  private turn: Promise<void> | null = null;

  constructor(
    private readonly database: Database,
    private readonly platforms: BillingPlatforms,
    private readonly secrets: GatewayWebhookSecrets,
    private readonly directory: ClientDirectory,
    private readonly writer: InboxWriter,
    private readonly worker: InboxWorker,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  override start(): void {
    this.running = true;
    void this.tick();
  }

  override async stop(): Promise<void> {
    this.running = false;
    await this.turn;
  }

  @Cron(CronExpression.EVERY_10_SECONDS)
  async tick(): Promise<void> {
    if (!this.running || this.turn) return;
    this.turn = this.fillDue().catch((error: unknown) => {
      // The next tick tries again.
      this.log.error('gap_filler.failed', {}, error);
    });
    await this.turn;
    this.turn = null;
  }

  /** Works every cursor that is due. */
  private async fillDue(): Promise<void> {
    const { rows } = await this.database.query<CursorRow & Record<string, unknown>>(WORKER, {
      name: 'claim_cursors',
      text: CLAIM,
      values: [this.clock.now(), CLAIM_MAX],
    });
    for (const row of rows) await this.fill(row.client_id, row.platform, row.listed_until);
  }

  /** Stores what was missed, oldest first, and only then moves the cursor: a crash in between lists it again. */
  async fill(clientId: string, platformName: string, listedUntil: Date): Promise<number> {
    const platform = this.platforms.find(platformName);
    const client = await this.secrets.of(clientId);
    if (!platform || !client) return 0;
    const asOf = clientNow(await this.directory.settings(clientId), this.clock.now());
    const oldest = new Date(asOf.getTime() - KEPT_MS);
    const from = new Date(listedUntil.getTime() - OVERLAP_MS);
    const missed = await platform.missed(client, from < oldest ? oldest : from);
    if (missed === null) {
      await this.move(clientId, platformName, listedUntil, AGAIN_MS);
      return 0;
    }
    const receivedAt = this.clock.now();
    await Promise.all(
      missed.map((event) => this.writer.write({ ...event, clientId, platform: platformName, receivedAt })),
    );
    await this.move(clientId, platformName, asOf, EVERY_MS);
    if (missed.length > 0) {
      this.log.info('gap_filler.found', { clientId, platform: platformName, count: missed.length });
      this.worker.wake();
    }
    return missed.length;
  }

  private async move(clientId: string, platform: string, listedUntil: Date, delayMs: number): Promise<void> {
    await this.database.query(WORKER, {
      name: 'move_cursor',
      text: `UPDATE connector_cursors SET listed_until = greatest(listed_until, $3), due_at = $4, lease_until = NULL
             WHERE client_id = $1 AND platform = $2`,
      values: [clientId, platform, listedUntil, new Date(this.clock.now().getTime() + delayMs)],
    });
  }
}

const CLAIM = `
  WITH due AS MATERIALIZED (
    SELECT client_id, platform FROM connector_cursors
    WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED)
  UPDATE connector_cursors c SET lease_until = clock_timestamp() + ${LEASE}
  FROM due WHERE c.client_id = due.client_id AND c.platform = due.platform
  RETURNING c.client_id, c.platform, c.listed_until`;

import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';

import { BackgroundWork, BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { tellOperator } from '../platform/db/operator-alert.js';
import { Ids } from '../platform/ids.js';
import { Log } from '../platform/logging/log.js';

const WORKER = { role: 'worker' as const };

/** Keys live as long as their recovery and at least this long (openapi.yaml). */
const KEY_DAYS_MIN = 90;
/** A charge unknown for longer than this is told to the operator (openapi.yaml). */
const UNKNOWN_TOLD_AFTER = '15 minutes';
/** Work this late is told in the log: the queue is behind, or no worker runs. */
const BEHIND_AFTER = '60 seconds';

/** What must happen now and then, whatever else happens. Runs in the worker roles only; every process may run it. */
@Injectable()
export class Sweeps extends BackgroundWork {
  readonly name = 'sweeps';
  private running = false;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  override start(): void {
    this.running = true;
  }

  override stop(): Promise<void> {
    this.running = false;
    return Promise.resolve();
  }

  /** Reconciliation's own alarm: no charge stays unknown unseen. One open alert per recovery. */
  @Cron(CronExpression.EVERY_MINUTE)
  async tellUnknown(): Promise<void> {
    await this.guarded('sweep.unknown', async (realNow) => {
      const { rows } = await this.database.query<{ client_id: string; id: string; since: Date }>(WORKER, {
        text: `SELECT r.client_id, r.id, r.waiting_since AS since FROM recoveries r JOIN clients c ON c.id = r.client_id
               WHERE r.state = 'reconciling' AND r.waiting_since <
                 client_time($1, c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until) - interval '${UNKNOWN_TOLD_AFTER}'
                 AND NOT EXISTS (SELECT FROM operator_alerts a WHERE a.client_id = r.client_id
                   AND a.dedupe_key = 'charge_unknown:' || r.id AND a.resolved_at IS NULL)
               LIMIT 1000`,
        values: [realNow],
      });
      for (const { client_id: clientId, id, since } of rows) {
        const alert = tellOperator({
          clientId,
          id: this.ids.ulid(),
          kind: 'charge_unknown_for_long',
          severity: 'warning',
          recoveryId: id,
          facts: { transactionId: id, since: since.toISOString() },
          dedupeKey: `charge_unknown:${id}`,
          at: realNow,
        });
        await this.database.query(WORKER, alert);
        this.log.warn('recovery.unknown_for_long', { clientId, transactionId: id });
      }
    });
  }

  @Cron(CronExpression.EVERY_MINUTE)
  async tellBehind(): Promise<void> {
    await this.guarded('sweep.behind', async (realNow) => {
      const { rows } = await this.database.query<{ count: number }>(WORKER, {
        text: `SELECT count(*)::int AS count FROM recoveries r WHERE NOT r.is_test
               AND r.due_at < $1::timestamptz - interval '${BEHIND_AFTER}'
               AND (r.lease_until IS NULL OR r.lease_until < clock_timestamp())`,
        values: [realNow],
      });
      const count = rows[0]?.count ?? 0;
      if (count > 0) this.log.warn('engine.behind', { count });
    });
  }

  @Cron(CronExpression.EVERY_HOUR)
  async forgetOldKeys(): Promise<void> {
    await this.guarded('sweep.keys', async (realNow) => {
      const { rowCount } = await this.database.query(WORKER, {
        text: `DELETE FROM idempotency_keys k WHERE k.created_at < $1::timestamptz - interval '${KEY_DAYS_MIN} days'
               AND NOT EXISTS (SELECT FROM recoveries r WHERE r.client_id = k.client_id AND r.id = k.recovery_id
                 AND (r.due_at IS NOT NULL OR r.updated_at > $1::timestamptz - interval '${KEY_DAYS_MIN} days'))`,
        values: [realNow],
      });
      this.log.info('keys.forgotten', { count: rowCount ?? 0 });
    });
  }

  private async guarded(event: string, sweep: (realNow: Date) => Promise<void>): Promise<void> {
    if (!this.running) return;
    try {
      await sweep(this.clock.now());
    } catch (error) {
      // The next turn of the clock tries again.
      this.log.error(event, {}, error);
    }
  }
}

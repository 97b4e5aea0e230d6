import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import { STRIPE_BILLING } from './stripe-billing/billing-turn.js';

/** What an operator should know of how a platform is set up. */
@Injectable()
export class OperatorWord {
  constructor(
    private readonly database: Database,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** In mode `recover` the engine owns the schedule, and the platform's own retries were found to be on. Told once. */
  async retriesOn(clientId: string): Promise<void> {
    await this.database.query(
      { role: 'tenant', clientId },
      {
        name: 'tell_retries_on',
        text: `INSERT INTO operator_alerts (client_id, id, kind, severity, facts, dedupe_key, created_at)
               VALUES ($1, $2, 'platform_retries_on', 'warning', $3, $4, $5) ON CONFLICT DO NOTHING`,
        values: [
          clientId,
          this.ids.ulid(),
          { platform: STRIPE_BILLING },
          `platform_retries_on:${STRIPE_BILLING}`,
          this.clock.now(),
        ],
      },
    );
  }
}

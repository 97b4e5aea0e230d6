import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { tellOperator } from '../platform/db/operator-alert.js';
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
    const alert = tellOperator({
      clientId,
      id: this.ids.ulid(),
      kind: 'platform_retries_on',
      severity: 'warning',
      facts: { platform: STRIPE_BILLING },
      dedupeKey: `platform_retries_on:${STRIPE_BILLING}`,
      at: this.clock.now(),
    });
    await this.database.query({ role: 'tenant', clientId }, alert);
  }
}

import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { clientNow } from '../clients/client-settings.js';
import { CURRENCY_ACCEPTED } from '../execute/execute-request.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { badField } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import { isCurrency } from '../recovery/money.js';
import type { PulseDto } from './steering.dto.js';

/** Successes that came without us: what a report of the lift is measured against. */
@Injectable()
export class PulseService {
  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  async record({ settings: client }: Caller, pulse: PulseDto): Promise<object> {
    const currency = pulse.currency.toUpperCase();
    if (!isCurrency(currency)) {
      throw badField('currency', 'invalid_field', 'is no known currency', CURRENCY_ACCEPTED);
    }
    const id = this.ids.ulid();
    const transactionId = pulse.transactionId ?? id;
    await this.database.query(
      { role: 'tenant', clientId: client.id },
      {
        name: 'record_pulse',
        text: `INSERT INTO pulses (client_id, id, amount_minor, currency, transaction_id, created_at)
               VALUES ($1, $2, $3, $4, $5, $6)`,
        values: [client.id, id, pulse.amount, currency, transactionId, clientNow(client, this.clock.now())],
      },
    );
    return { success: true, message: 'Recorded.', transactionId };
  }
}

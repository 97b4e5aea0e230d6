import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';

/** A changed account is seen by every process within this time. */
const FRESH_MS = 1_000;
const KEPT_MAX = 10_000;

/** Which account at a billing platform a client has connected to us. */
@Injectable()
export class ConnectedAccounts {
  private readonly kept = new Map<string, { accountId: string | null; readAtMs: number }>();

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** Null where the client uses a key of its own: its events name no account. */
  async accountOf(clientId: string, platform: string): Promise<string | null> {
    const key = `${clientId} ${platform}`;
    const kept = this.kept.get(key);
    const nowMs = this.clock.monotonicMs();
    if (kept && nowMs - kept.readAtMs <= FRESH_MS) return kept.accountId;
    const { rows } = await this.database.query<{ account_id: string }>(
      { role: 'tenant', clientId },
      {
        name: 'connected_account',
        text: 'SELECT account_id FROM connector_accounts WHERE client_id = $1 AND platform = $2',
        values: [clientId, platform],
      },
    );
    const accountId = rows[0]?.account_id ?? null;
    if (this.kept.size >= KEPT_MAX) this.kept.clear();
    this.kept.set(key, { accountId, readAtMs: nowMs });
    return accountId;
  }

  /** Stores what a client has connected, in the caller's tenant transaction. Connected again, it is authorised again. */
  async connect(tx: Transaction, clientId: string, platform: string, accountId: string): Promise<void> {
    await tx.query({
      text: `INSERT INTO connector_accounts (client_id, platform, account_id, connected_at) VALUES ($1, $2, $3, $4)
             ON CONFLICT (client_id, platform)
             DO UPDATE SET account_id = excluded.account_id, connected_at = excluded.connected_at, deauthorised_at = NULL`,
      values: [clientId, platform, accountId, this.clock.now()],
    });
    this.kept.delete(`${clientId} ${platform}`);
  }

  /** The merchant has taken the access back. */
  async deauthorise(clientId: string, platform: string): Promise<void> {
    await this.database.query(
      { role: 'tenant', clientId },
      {
        text: `UPDATE connector_accounts SET deauthorised_at = coalesce(deauthorised_at, $3)
               WHERE client_id = $1 AND platform = $2`,
        values: [clientId, platform, this.clock.now()],
      },
    );
  }
}

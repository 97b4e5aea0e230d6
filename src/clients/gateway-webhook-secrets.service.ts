import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import type { ClientEntity } from './client.entity.js';
import { gatewayWebhookSecretIdentity, keptWebhookSecretIdentity } from './sealing.js';

/** An earlier secret is taken for this long: Stripe signs with both for 24 hours while one is rolled. */
const ROLLING_HOURS = 24;
/** So many earlier ones are taken at most, the newest: every event is tried with each, and anybody may send events. */
const EARLIER_MAX = 4;
/** A changed secret is seen by every process within this time. */
const FRESH_MS = 1_000;
const KEPT_MAX = 10_000;

/** What proves an inbound event of a client, and what it must say of itself. Secrets are clear text: never logged. */
export interface InboundClient {
  clientId: string;
  provider: 'test' | 'stripe';
  livemode: boolean;
  secrets: readonly string[];
}

interface Row {
  provider: 'test' | 'stripe';
  livemode: boolean;
  own: Buffer | null;
  ids: string[];
  sealed: Buffer[];
}

/** The secrets that billing platforms sign their events to us with: the client's own, and those kept beside it. */
@Injectable()
export class GatewayWebhookSecrets {
  private readonly kept = new Map<string, { client: InboundClient | null; readAtMs: number }>();

  constructor(
    private readonly database: Database,
    private readonly vault: Vault,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {}

  /** Null for a client that there is not. Kept for a second, so that a storm of events reads them once a second. */
  async of(clientId: string): Promise<InboundClient | null> {
    const nowMs = this.clock.monotonicMs();
    const kept = this.kept.get(clientId);
    if (kept && nowMs - kept.readAtMs <= FRESH_MS) return kept.client;
    const client = await this.read(clientId);
    if (this.kept.size >= KEPT_MAX) this.kept.clear();
    this.kept.set(clientId, { client, readAtMs: nowMs });
    return client;
  }

  /** Keeps one more secret, of an endpoint that was registered for the client, in the caller's tenant transaction. */
  async add(tx: Transaction, clientId: string, secret: string, expiresAt: Date | null = null): Promise<void> {
    const id = this.ids.ulid();
    await tx.query({
      text: `INSERT INTO gateway_webhook_secrets (client_id, id, secret_sealed, expires_at, created_at)
             VALUES ($1, $2, $3, $4, $5)`,
      values: [clientId, id, this.sealed(clientId, id, secret), expiresAt, this.clock.now()],
    });
    this.forget(clientId);
  }

  /** The client names another secret: what was signed with the one before is still taken for a day. */
  async keepEarlier(tx: Transaction, client: Pick<ClientEntity, 'id' | 'gatewayWebhookSecretSealed'>): Promise<void> {
    if (client.gatewayWebhookSecretSealed === null) return;
    const earlier = this.vault.open(client.gatewayWebhookSecretSealed, gatewayWebhookSecretIdentity(client.id));
    await this.add(tx, client.id, earlier, new Date(this.clock.now().getTime() + ROLLING_HOURS * 3_600_000));
  }

  /** Called after a change by this process. */
  forget(clientId: string): void {
    this.kept.delete(clientId);
  }

  private sealed(clientId: string, id: string, secret: string): Buffer {
    return this.vault.seal(secret, keptWebhookSecretIdentity(clientId, id));
  }

  private async read(clientId: string): Promise<InboundClient | null> {
    const scope = { role: 'tenant', clientId } as const;
    const values = [clientId, this.clock.now()];
    const { rows } = await this.database.query<Row & Record<string, unknown>>(scope, { ...FIND, values });
    const [row] = rows;
    if (!row) return null;
    const own = row.own === null ? [] : [this.vault.open(row.own, gatewayWebhookSecretIdentity(clientId))];
    const others = row.sealed.map((sealed, index) =>
      this.vault.open(sealed, keptWebhookSecretIdentity(clientId, row.ids[index] ?? '')),
    );
    return { clientId, provider: row.provider, livemode: row.livemode, secrets: [...own, ...others] };
  }
}

const FIND = {
  name: 'find_webhook_secrets',
  text: `SELECT c.gateway_provider AS provider, c.livemode, c.gateway_webhook_secret_sealed AS own,
           coalesce(array_agg(s.id ORDER BY s.id) FILTER (WHERE s.id IS NOT NULL), '{}') AS ids,
           coalesce(array_agg(s.secret_sealed ORDER BY s.id) FILTER (WHERE s.id IS NOT NULL), '{}') AS sealed
         FROM clients c LEFT JOIN LATERAL (
           SELECT id, secret_sealed FROM gateway_webhook_secrets
           WHERE client_id = c.id AND (expires_at IS NULL OR expires_at > $2)
           ORDER BY id DESC LIMIT ${EARLIER_MAX}) s ON true
         WHERE c.id = $1 GROUP BY c.id`,
};

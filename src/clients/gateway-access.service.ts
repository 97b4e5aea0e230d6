import { Injectable } from '@nestjs/common';

import { NO_ACCESS } from '../gateways/gateway.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import type { Transaction } from '../platform/db/database.js';
import { ClientDirectory } from './client-directory.service.js';
import { GatewayWebhookSecrets } from './gateway-webhook-secrets.service.js';
import { gatewayKeyIdentity, gatewayWebhookSecretIdentity } from './sealing.js';

/** Gives and takes the access to a client's account at Stripe that it does not hold by a key of its own. */
@Injectable()
export class GatewayAccess {
  constructor(
    private readonly directory: ClientDirectory,
    private readonly webhookSecrets: GatewayWebhookSecrets,
    private readonly vault: Vault,
    private readonly clock: Clock,
  ) {}

  /** From the commit on the client's debts are charged on this account. In the caller's tenant transaction. */
  async give(
    tx: Transaction,
    clientId: string,
    { accountId, webhookSecret }: { accountId: string; webhookSecret: string },
  ) {
    await tx.query({
      // A pause for lack of access ends with the next charge, which need not wait for its probe.
      text: `UPDATE clients SET gateway_key_sealed = $2, gateway_webhook_secret_sealed = $3, updated_at = $4,
               charging_probe_at = CASE WHEN charging_paused_since IS NOT NULL
                 THEN client_time($4, clock_offset_ms, clock_frozen_at, clock_frozen_until) END
             WHERE id = $1`,
      values: [
        clientId,
        this.vault.seal(accountId, gatewayKeyIdentity(clientId)),
        this.vault.seal(webhookSecret, gatewayWebhookSecretIdentity(clientId)),
        this.clock.now(),
      ],
    });
  }

  /** From the commit on nothing of the client is sent to Stripe. In the caller's tenant transaction. */
  async take(tx: Transaction, clientId: string): Promise<void> {
    await tx.query({
      text: 'UPDATE clients SET gateway_key_sealed = $2, updated_at = $3 WHERE id = $1',
      values: [clientId, this.vault.seal(NO_ACCESS, gatewayKeyIdentity(clientId)), this.clock.now()],
    });
  }

  /** Called after the commit: this process sees the change at once, others within a second. */
  changed(clientId: string): void {
    this.directory.forget(clientId);
    this.webhookSecrets.forget(clientId);
  }
}

import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../../clients/client-directory.service.js';
import { GatewayWebhookSecrets } from '../../clients/gateway-webhook-secrets.service.js';
import { connectedAccountOf, NO_ACCESS } from '../../gateways/gateway.js';
import { PublicUrl } from '../../platform/public-url.js';
import { InboxStore } from '../inbox-store.js';
import { STRIPE_BILLING } from './billing-turn.js';
import { ConnectStore } from './connect-store.js';
import { endpointUrl } from './connect.service.js';

/** A client's connection as it is shown: no key and no secret. Instants are ISO 8601. */
export interface ConnectionView {
  clientId: string;
  provider: 'test' | 'stripe';
  livemode: boolean;
  /** By our platform, by a key of the merchant's own, or not at all. */
  access: 'connect' | 'key' | 'none';
  accountId: string | null;
  connectedAt: string | null;
  disconnectedAt: string | null;
  disconnectedBy: 'merchant' | 'stripe' | null;
  webhook: {
    endpointId: string | null;
    /** Where Stripe has to send the account's events. */
    url: string;
    /** Without one, no event can be proven, and none is taken. */
    secretIsSet: boolean;
    lastEventAt: string | null;
    /** By what became of them: `done`, `pending`, `parked` (they fail again and again), or why they were ignored. */
    events: Record<string, number>;
  };
}

/** How the connection to a client's Stripe account fares. */
@Injectable()
export class ConnectHealth {
  constructor(
    private readonly store: ConnectStore,
    private readonly directory: ClientDirectory,
    private readonly publicUrl: PublicUrl,
    private readonly secrets: GatewayWebhookSecrets,
    private readonly inbox: InboxStore,
  ) {}

  /** @throws {DomainError} 404. */
  async read(clientId: string): Promise<ConnectionView> {
    const { gatewayProvider, livemode } = await this.directory.settings(clientId);
    const account = await this.directory.gatewayAccount(clientId);
    const connection = await this.store.find(clientId);
    const lastEventAt = await this.inbox.lastReceivedAt(clientId, STRIPE_BILLING);
    const events = await this.inbox.counts(clientId, STRIPE_BILLING);
    const isConnected = connectedAccountOf(account) !== null;
    return {
      clientId,
      provider: gatewayProvider,
      livemode,
      access: account.secretKey === NO_ACCESS ? 'none' : isConnected ? 'connect' : 'key',
      accountId: connection?.accountId ?? null,
      connectedAt: connection?.connectedAt.toISOString() ?? null,
      disconnectedAt: connection?.disconnectedAt?.toISOString() ?? null,
      disconnectedBy: connection?.disconnectedBy ?? null,
      webhook: {
        endpointId: connection?.endpointId ?? null,
        url: connection?.endpointUrl ?? endpointUrl(this.publicUrl.current(), clientId),
        secretIsSet: ((await this.secrets.of(clientId))?.secrets.length ?? 0) > 0,
        lastEventAt: lastEventAt?.toISOString() ?? null,
        events,
      },
    };
  }
}

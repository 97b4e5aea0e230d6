import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../../clients/client-directory.service.js';
import { GatewayAccess } from '../../clients/gateway-access.service.js';
import { connectedAccountOf, NO_ACCESS } from '../../gateways/gateway.js';
import { GatewayRegistry } from '../../gateways/registry.js';
import type { Grant, StripePlatform } from '../../gateways/stripe/stripe-platform.js';
import { Clock } from '../../platform/clock.js';
import { sha256 } from '../../platform/crypto/vault.js';
import { conflict, DomainError } from '../../platform/http/domain-error.js';
import { Log } from '../../platform/logging/log.js';
import { PublicUrl } from '../../platform/public-url.js';
import { Random } from '../../platform/random.js';
import { ConnectedAccounts } from '../connected-accounts.service.js';
import { STRIPE_BILLING } from './billing-turn.js';
import { AccountTaken, type Connection, ConnectStore, STATE_LIFETIME_MS } from './connect-store.js';
import { ConnectStopper } from './connect-stopper.js';
import { STRIPE_EVENTS } from './event-table.js';

const STATE_BYTES = 32;
const CALL_MS = 10_000;

export interface Begun {
  url: string;
  /** ISO 8601, real time. */
  expiresAt: string;
}

/** How an attempt to connect ended; every end but the first leaves the client as it was. */
export type ConnectResult =
  | { kind: 'connected'; accountId: string; clientName: string }
  | { kind: 'stale' }
  | { kind: 'refused'; reason: 'code' | 'other_account' | 'taken' | 'other_mode' | 'unregistered' }
  | { kind: 'unavailable' };

/** Connects merchants' accounts to our platform at Stripe by OAuth, and ends that again. */
@Injectable()
export class StripeConnections {
  constructor(
    private readonly store: ConnectStore,
    private readonly directory: ClientDirectory,
    private readonly access: GatewayAccess,
    private readonly accounts: ConnectedAccounts,
    private readonly gateways: GatewayRegistry,
    private readonly stopper: ConnectStopper,
    private readonly publicUrl: PublicUrl,
    private readonly random: Random,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** Where the merchant goes to allow it. @throws {DomainError} 404, 409 `connect_not_configured` or `not_a_stripe_client`. */
  async begin(clientId: string): Promise<Begun> {
    const platform = this.demandPlatform();
    const settings = await this.directory.settings(clientId);
    if (settings.gatewayProvider !== 'stripe') {
      throw conflict('not_a_stripe_client', 'only a client on the gateway stripe can connect an account');
    }
    const state = this.random.bytes(STATE_BYTES).toString('base64url');
    const now = this.clock.now();
    await this.store.begin(clientId, sha256(state), now);
    const expiresAt = new Date(now.getTime() + STATE_LIFETIME_MS).toISOString();
    return { url: platform.authorizeUrl(state, this.callbackUrl()), expiresAt };
  }

  /** Whose connection a state belongs to, for the page that asks once more. Changes nothing; null for a stale one. */
  async peek(state: string): Promise<{ clientId: string; clientName: string } | null> {
    const clientId = await this.store.peek(sha256(state), this.clock.now());
    if (clientId === null) return null;
    return { clientId, clientName: (await this.directory.settings(clientId)).name };
  }

  /** Takes the merchant's word: once per state. */
  async finish(state: string, code: string): Promise<ConnectResult> {
    const clientId = await this.store.use(sha256(state), this.clock.now());
    if (clientId === null) return { kind: 'stale' };
    const platform = this.demandPlatform();
    const granted = await platform.exchange(code);
    if (granted.kind === 'unavailable') return { kind: 'unavailable' };
    if (granted.kind !== 'found') return { kind: 'refused', reason: 'code' };
    return this.connect(platform, clientId, granted.value);
  }

  /** Ends a connection at the merchant's wish: here first, so that nothing is charged whatever Stripe answers. */
  async disconnect(clientId: string): Promise<Connection | null> {
    const before = await this.store.find(clientId);
    if (before && before.disconnectedAt === null && (await this.end(clientId, 'merchant'))) {
      await this.leave(before);
    }
    return this.store.find(clientId);
  }

  /** Stripe says that the merchant has withdrawn the access: everything stops, and Stripe is asked nothing more. */
  async deauthorised(clientId: string): Promise<void> {
    await this.end(clientId, 'stripe');
  }

  private async connect(platform: StripePlatform, clientId: string, grant: Grant): Promise<ConnectResult> {
    const settings = await this.directory.settings(clientId);
    if (grant.livemode !== settings.livemode) return { kind: 'refused', reason: 'other_mode' };
    if (!(await this.isSameAccount(clientId, grant.accountId))) return { kind: 'refused', reason: 'other_account' };
    const url = endpointUrl(this.publicUrl.current(), clientId);
    const registered = await platform.register(url, clientId, STRIPE_EVENTS);
    if (registered.kind !== 'found') {
      const code = 'code' in registered ? registered.code : null;
      this.log.warn('connect.endpoint_refused', { clientId, code });
      return registered.kind === 'unavailable' ? { kind: 'unavailable' } : { kind: 'refused', reason: 'unregistered' };
    }
    const { id: endpointId, secret: webhookSecret } = registered.value;
    const { accountId, scope } = grant;
    try {
      const made = { clientId, accountId, scope, endpointId, endpointUrl: url, connectedAt: this.clock.now() };
      await this.store.connect(made, async (tx) => {
        await this.access.give(tx, clientId, { accountId, webhookSecret });
        await this.accounts.connect(tx, clientId, STRIPE_BILLING, accountId);
      });
    } catch (error) {
      if (!(error instanceof AccountTaken)) throw error;
      await platform.unregister(url, clientId);
      return { kind: 'refused', reason: 'taken' };
    }
    this.access.changed(clientId);
    this.log.info('connect.connected', { clientId });
    return { kind: 'connected', accountId, clientName: settings.name };
  }

  /** Debts that were charged on one account can not be read on another: a client has one account for life. */
  private async isSameAccount(clientId: string, accountId: string): Promise<boolean> {
    const known = await this.store.find(clientId);
    if (known) return known.accountId === accountId;
    const account = await this.directory.gatewayAccount(clientId);
    if (account.secretKey === NO_ACCESS || connectedAccountOf(account) === accountId) return true;
    const reading = await this.gateways.readAccountId(account, CALL_MS);
    return reading.kind === 'found' && reading.value === accountId;
  }

  private async end(clientId: string, by: 'merchant' | 'stripe'): Promise<boolean> {
    const ended = await this.store.disconnect(clientId, by, this.clock.now(), (tx) => this.access.take(tx, clientId));
    this.access.changed(clientId);
    if (ended) {
      await this.accounts.deauthorise(clientId, STRIPE_BILLING);
      this.log.warn('connect.disconnected', { clientId, reason: by });
      this.stopper.wake();
    }
    return ended;
  }

  /** Best effort: our own side has ended already, and Stripe shows the merchant how to take the access away. */
  private async leave({ clientId, accountId, endpointUrl }: Connection): Promise<void> {
    const platform = this.gateways.connectPlatform();
    if (!platform) return;
    const left = await platform.deauthorize(accountId);
    const gone = endpointUrl === null ? left : await platform.unregister(endpointUrl, clientId);
    if (left.kind !== 'found' || gone.kind !== 'found') this.log.warn('connect.not_left', { clientId });
  }

  private callbackUrl(): string {
    return `${this.publicUrl.current()}/api/connectors/stripe/callback`;
  }

  private demandPlatform(): StripePlatform {
    const platform = this.gateways.connectPlatform();
    if (platform) return platform;
    throw new DomainError({
      status: 409,
      code: 'connect_not_configured',
      detail: 'STRIPE_CONNECT_CLIENT_ID and STRIPE_CONNECT_SECRET_KEY are not set on this server.',
    });
  }
}

/** Where Stripe sends a client's events. */
export function endpointUrl(publicUrl: string, clientId: string): string {
  return `${publicUrl}/api/connectors/${STRIPE_BILLING}/webhook/${clientId}`;
}

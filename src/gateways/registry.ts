import type { OnApplicationShutdown } from '@nestjs/common';

import type { Clock } from '../platform/clock.js';
import { findDeclineRow } from '../recovery/tables.js';
import type { CardSetups } from './card-setups.js';
import type { Gateway, GatewayAccount, Reading } from './gateway.js';
import { StripeBilling } from './stripe/billing.js';
import type { Priority } from './limits/account-gate.js';
import { AccountGates } from './limits/account-gates.js';
import { LimitedGateway } from './limits/limited-gateway.js';
import { type CallLimits, stripeLimits } from './limits/published-limits.js';
import type { ScopeOf } from './stripe/classify.js';
import { StripeClients } from './stripe/client.js';
import { OneSendHttpClient } from './stripe/http-client.js';
import type { AddressOf, SessionParts } from './stripe/session.js';
import { StripeCardSetups } from './stripe/stripe-card-setups.js';
import { type ConnectSettings, readAccountId, StripePlatform } from './stripe/stripe-platform.js';
import { StripeGateway } from './stripe/stripe-gateway.js';

const STRIPE_ADDRESS = 'https://api.stripe.com';
const CONNECT_ADDRESS = 'https://connect.stripe.com';

/** Where this process serves the test gateway. Its port is known only once it listens, and changes at every start. */
export class TestGatewayAddress {
  private url: URL | null = null;

  /** Told by whoever starts the test gateway; null when it stops. */
  set(url: string | null): void {
    this.url = url === null ? null : new URL(url);
  }

  current(): URL | null {
    return this.url;
  }
}

/** How an account's calls are limited. */
export interface RegistryLimits {
  /** Processes that share what a gateway allows. */
  processes: () => number;
  /** REVTAIN_GATEWAY_CALLS_PER_SECOND; null: what Stripe publishes, at Stripe's own address alone. */
  callsPerSecond: number | null;
}

export interface RegistryOptions {
  /** Replaces Stripe's own address by a local fake; null means Stripe's own. */
  stripeApiBase: string | null;
  /** Our own platform account, to which merchants connect theirs. */
  connect?: ConnectSettings | null;
  limits?: RegistryLimits;
  /** Puts failpoints around a gateway. */
  arm?: (gateway: Gateway) => Gateway;
}

const UNSHARED: RegistryLimits = { processes: () => 1, callsPerSecond: null };

/** Every gateway this process can charge on, and which of them an account belongs to. */
export class GatewayRegistry implements OnApplicationShutdown {
  private readonly httpClient = new OneSendHttpClient();
  private readonly gateways: Readonly<Record<GatewayAccount['provider'], Readonly<Record<Priority, Gateway>>>>;
  private readonly cardSetups: Readonly<Record<GatewayAccount['provider'], CardSetups>>;
  private readonly billings: Readonly<Record<GatewayAccount['provider'], StripeBilling>>;
  private readonly platform: StripePlatform | null;
  private readonly sessions: Readonly<Record<GatewayAccount['provider'], SessionParts>>;
  private readonly stripeApiBase: string | null;
  private readonly limits: RegistryLimits;

  constructor(clock: Clock, testGateway: TestGatewayAddress, options: RegistryOptions) {
    const { stripeApiBase, connect = null, limits = UNSHARED, arm = (gateway: Gateway) => gateway } = options;
    this.stripeApiBase = stripeApiBase;
    this.limits = limits;
    const clients = new StripeClients(this.httpClient);
    const stripeAddress = new URL(stripeApiBase ?? STRIPE_ADDRESS);
    const partsFor = (addressOf: AddressOf): SessionParts => ({
      clients,
      clock,
      scopeOf,
      addressOf,
      platformKey: connect?.secretKey ?? null,
    });
    const stripe = partsFor(() => stripeAddress);
    const test = partsFor(() => testGateway.current());
    this.sessions = { stripe, test };
    const gates = new AccountGates(clock, limits.processes, (account) => this.limitsOf(account));
    const behindGates = (parts: SessionParts) => {
      const gateway = arm(new StripeGateway(parts, this.httpClient));
      return {
        request: new LimitedGateway(gateway, gates, 'request'),
        background: new LimitedGateway(gateway, gates, 'background'),
      };
    };
    this.gateways = { stripe: behindGates(stripe), test: behindGates(test) };
    this.cardSetups = { stripe: new StripeCardSetups(stripe), test: new StripeCardSetups(test) };
    const authorizeBase = stripeApiBase ?? CONNECT_ADDRESS;
    this.platform = connect && new StripePlatform(stripe, { ...connect, authorizeBase });
    this.billings = { stripe: new StripeBilling(stripe), test: new StripeBilling(test) };
  }

  /** The gateway that holds this account's payments. Calls of a request go before those of background work. */
  gatewayFor(account: Pick<GatewayAccount, 'provider'>, priority: Priority = 'background'): Gateway {
    return this.gateways[account.provider][priority];
  }

  /** A local fake is not Stripe, and its rate not Stripe's: there only what the operator says. */
  private limitsOf({ provider, secretKey }: GatewayAccount): CallLimits | null {
    const { callsPerSecond } = this.limits;
    if (callsPerSecond !== null) return { perSecond: callsPerSecond, endpointPerSecond: callsPerSecond };
    return provider === 'stripe' && this.stripeApiBase === null ? stripeLimits(secretKey) : null;
  }

  /** Where this account's customers save cards by themselves. */
  cardSetupsFor(account: Pick<GatewayAccount, 'provider'>): CardSetups {
    return this.cardSetups[account.provider];
  }

  /** Our own platform account at Stripe; null where the operator has set none. */
  connectPlatform(): StripePlatform | null {
    return this.platform;
  }

  /** The account that a key belongs to. */
  readAccountId(account: GatewayAccount, timeoutMs: number): Promise<Reading<string>> {
    return readAccountId(this.sessions[account.provider], account, timeoutMs);
  }

  /** The billing side of the same account: readings only. */
  billingFor(account: Pick<GatewayAccount, 'provider'>): StripeBilling {
    return this.billings[account.provider];
  }

  /** Ends the kept sockets: nothing is on the wire any more when the application has shut down. */
  async onApplicationShutdown(): Promise<void> {
    await this.httpClient.close();
  }
}

const scopeOf: ScopeOf = ({ declineCode, errorCode }) => {
  const declineRow = declineCode === null ? null : findDeclineRow(declineCode, 'decline_code');
  const row = declineRow ?? (errorCode === null ? null : findDeclineRow(errorCode, 'error_code'));
  return row?.scope ?? null;
};

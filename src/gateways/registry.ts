import type { OnApplicationShutdown } from '@nestjs/common';

import type { Clock } from '../platform/clock.js';
import { findDeclineRow } from '../recovery/tables.js';
import type { Gateway, GatewayAccount } from './gateway.js';
import type { Priority } from './limits/account-gate.js';
import { AccountGates } from './limits/account-gates.js';
import { LimitedGateway } from './limits/limited-gateway.js';
import { type CallLimits, stripeLimits } from './limits/published-limits.js';
import type { ScopeOf } from './stripe/classify.js';
import { StripeClients } from './stripe/client.js';
import { OneSendHttpClient } from './stripe/http-client.js';
import { StripeGateway } from './stripe/stripe-gateway.js';

const STRIPE_ADDRESS = 'https://api.stripe.com';

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

/** Every gateway this process can charge on, and which of them an account belongs to. */
export class GatewayRegistry implements OnApplicationShutdown {
  private readonly httpClient = new OneSendHttpClient();
  private readonly gateways: Readonly<Record<GatewayAccount['provider'], Readonly<Record<Priority, Gateway>>>>;

  /** `stripeApiBase` replaces Stripe's own address by a local fake; null means Stripe's own. */
  constructor(
    clock: Clock,
    testGateway: TestGatewayAddress,
    private readonly stripeApiBase: string | null,
    private readonly limits: RegistryLimits = { processes: () => 1, callsPerSecond: null },
  ) {
    const clients = new StripeClients(this.httpClient);
    const stripeAddress = new URL(stripeApiBase ?? STRIPE_ADDRESS);
    const speakingStripe = (addressOf: () => URL | null): Gateway =>
      new StripeGateway({ clients, clock, scopeOf, addressOf }, this.httpClient);
    const gates = new AccountGates(clock, limits.processes, (account) => this.limitsOf(account));
    const behindGates = (gateway: Gateway) => ({
      request: new LimitedGateway(gateway, gates, 'request'),
      background: new LimitedGateway(gateway, gates, 'background'),
    });
    this.gateways = {
      stripe: behindGates(speakingStripe(() => stripeAddress)),
      test: behindGates(speakingStripe(() => testGateway.current())),
    };
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

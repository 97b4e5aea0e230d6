import type { OnApplicationShutdown } from '@nestjs/common';

import type { Clock } from '../platform/clock.js';
import { findDeclineRow } from '../recovery/tables.js';
import type { Gateway, GatewayAccount } from './gateway.js';
import { StripeBilling } from './stripe/billing.js';
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

/** Every gateway this process can charge on, and which of them an account belongs to. */
export class GatewayRegistry implements OnApplicationShutdown {
  private readonly httpClient = new OneSendHttpClient();
  private readonly gateways: Readonly<Record<GatewayAccount['provider'], Gateway>>;
  private readonly billings: Readonly<Record<GatewayAccount['provider'], StripeBilling>>;

  /** `stripeApiBase` replaces Stripe's own address by a local fake; null means Stripe's own. `arm` puts failpoints around it. */
  constructor(
    clock: Clock,
    testGateway: TestGatewayAddress,
    stripeApiBase: string | null,
    arm: (gateway: Gateway) => Gateway = (gateway) => gateway,
  ) {
    const clients = new StripeClients(this.httpClient);
    const stripeAddress = new URL(stripeApiBase ?? STRIPE_ADDRESS);
    const partsAt = (addressOf: () => URL | null) => ({ clients, clock, scopeOf, addressOf });
    const stripe = partsAt(() => stripeAddress);
    const test = partsAt(() => testGateway.current());
    this.gateways = {
      stripe: arm(new StripeGateway(stripe, this.httpClient)),
      test: arm(new StripeGateway(test, this.httpClient)),
    };
    this.billings = { stripe: new StripeBilling(stripe), test: new StripeBilling(test) };
  }

  /** The gateway that holds this account's payments. */
  gatewayFor(account: Pick<GatewayAccount, 'provider'>): Gateway {
    return this.gateways[account.provider];
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

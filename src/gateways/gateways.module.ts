import { type DynamicModule, Module } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Failpoints } from '../platform/failpoints/failpoints.js';
import { ArmedGateway } from './armed-gateway.js';
import type { Gateway } from './gateway.js';
import { GatewayRegistry, TestGatewayAddress } from './registry.js';
import type { ConnectSettings } from './stripe/stripe-platform.js';

/** The ways to charge: one adapter per gateway behind one port, and the registry that picks between them. */
@Module({})
export class GatewaysModule {
  /** `stripeApiBase` is the setting STRIPE_API_BASE; null means Stripe's own address. Needs a `Clock` to inject. */
  static register(settings: { stripeApiBase: string | null; stripeConnect: ConnectSettings | null }): DynamicModule {
    return {
      module: GatewaysModule,
      providers: [
        TestGatewayAddress,
        {
          provide: GatewayRegistry,
          inject: [Clock, TestGatewayAddress, { token: Failpoints, optional: true }],
          useFactory: (clock: Clock, testGateway: TestGatewayAddress, failpoints?: Failpoints) => {
            const arm = (gateway: Gateway) => (failpoints ? new ArmedGateway(gateway, failpoints) : gateway);
            return new GatewayRegistry(clock, testGateway, settings.stripeApiBase, settings.stripeConnect, arm);
          },
        },
      ],
      exports: [GatewayRegistry, TestGatewayAddress],
    };
  }
}

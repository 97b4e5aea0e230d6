import { type DynamicModule, Module } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { GatewayRegistry, TestGatewayAddress } from './registry.js';

/** The ways to charge: one adapter per gateway behind one port, and the registry that picks between them. */
@Module({})
export class GatewaysModule {
  /** `stripeApiBase` is the setting STRIPE_API_BASE; null means Stripe's own address. Needs a `Clock` to inject. */
  static register(settings: { stripeApiBase: string | null }): DynamicModule {
    return {
      module: GatewaysModule,
      providers: [
        TestGatewayAddress,
        {
          provide: GatewayRegistry,
          inject: [Clock, TestGatewayAddress],
          useFactory: (clock: Clock, testGateway: TestGatewayAddress) =>
            new GatewayRegistry(clock, testGateway, settings.stripeApiBase),
        },
      ],
      exports: [GatewayRegistry, TestGatewayAddress],
    };
  }
}

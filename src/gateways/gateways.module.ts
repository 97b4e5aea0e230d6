import { type DynamicModule, Module } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { LiveProcesses } from '../platform/live-processes.js';
import { GatewayRegistry, TestGatewayAddress } from './registry.js';

/** The ways to charge: one adapter per gateway behind one port, and the registry that picks between them. */
@Module({})
export class GatewaysModule {
  /** The settings STRIPE_API_BASE (null means Stripe's own address) and REVTAIN_GATEWAY_CALLS_PER_SECOND. */
  static register(settings: { stripeApiBase: string | null; gatewayCallsPerSecond: number | null }): DynamicModule {
    return {
      module: GatewaysModule,
      providers: [
        TestGatewayAddress,
        LiveProcesses,
        {
          provide: GatewayRegistry,
          inject: [Clock, TestGatewayAddress, LiveProcesses],
          useFactory: (clock: Clock, testGateway: TestGatewayAddress, live: LiveProcesses) =>
            new GatewayRegistry(clock, testGateway, settings.stripeApiBase, {
              processes: () => live.count(),
              callsPerSecond: settings.gatewayCallsPerSecond,
            }),
        },
      ],
      exports: [GatewayRegistry, TestGatewayAddress],
    };
  }
}

import { type DynamicModule, Module } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { Failpoints } from '../platform/failpoints/failpoints.js';
import { ArmedGateway } from './armed-gateway.js';
import type { Gateway } from './gateway.js';
import { LiveProcesses } from '../platform/live-processes.js';
import { GatewayRegistry, TestGatewayAddress } from './registry.js';
import type { ConnectSettings } from './stripe/stripe-platform.js';

export interface GatewaySettings {
  /** STRIPE_API_BASE; null means Stripe's own address. */
  stripeApiBase: string | null;
  stripeConnect: ConnectSettings | null;
  /** REVTAIN_GATEWAY_CALLS_PER_SECOND */
  gatewayCallsPerSecond: number | null;
}

/** The ways to charge: one adapter per gateway behind one port, and the registry that picks between them. */
@Module({})
export class GatewaysModule {
  /** Needs a `Clock` to inject. */
  static register(settings: GatewaySettings): DynamicModule {
    return {
      module: GatewaysModule,
      providers: [
        TestGatewayAddress,
        LiveProcesses,
        {
          provide: GatewayRegistry,
          inject: [Clock, TestGatewayAddress, LiveProcesses, { token: Failpoints, optional: true }],
          useFactory: (clock: Clock, testGateway: TestGatewayAddress, live: LiveProcesses, failpoints?: Failpoints) => {
            const { stripeApiBase, stripeConnect: connect, gatewayCallsPerSecond: callsPerSecond } = settings;
            const limits = { processes: () => live.count(), callsPerSecond };
            const arm = (gateway: Gateway) => (failpoints ? new ArmedGateway(gateway, failpoints) : gateway);
            return new GatewayRegistry(clock, testGateway, { stripeApiBase, connect, limits, arm });
          },
        },
      ],
      exports: [GatewayRegistry, TestGatewayAddress],
    };
  }
}

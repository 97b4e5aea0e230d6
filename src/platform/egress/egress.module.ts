import { type DynamicModule, Module, type OnModuleDestroy } from '@nestjs/common';

import { Clock } from '../clock.js';
import { EgressClient } from './egress-client.js';
import type { EgressPolicy } from './url-rules.js';

/** Calls to addresses that users gave us. */
@Module({})
export class EgressModule implements OnModuleDestroy {
  constructor(private readonly client: EgressClient) {}

  static register(policy: EgressPolicy): DynamicModule {
    const client = {
      provide: EgressClient,
      useFactory: (clock: Clock) => new EgressClient(policy, clock),
      inject: [Clock],
    };
    return { module: EgressModule, providers: [client], exports: [client] };
  }

  async onModuleDestroy(): Promise<void> {
    await this.client.close();
  }
}

import { type DynamicModule, Module } from '@nestjs/common';

import { FirstEndpoint } from '../clients/ports.js';
import { Clock } from '../platform/clock.js';
import { EgressClient } from '../platform/egress/egress-client.js';
import { EgressModule } from '../platform/egress/egress.module.js';
import { Failpoints } from '../platform/failpoints/failpoints.js';
import { ArmedSender } from './armed-sender.js';
import { DeliveriesController } from './deliveries.controller.js';
import { DeliveriesService } from './deliveries.service.js';
import { DeliveryStore } from './delivery-store.js';
import { Dispatcher } from './dispatcher.js';
import { EndpointRepository } from './endpoint.repository.js';
import { EndpointVault } from './endpoint-secrets.js';
import { EndpointsController } from './endpoints.controller.js';
import { EndpointsService } from './endpoints.service.js';
import { Pings } from './pings.service.js';
import { Resender } from './resender.js';
import { Resends } from './resends.service.js';
import { Retention } from './retention.js';
import { Sender } from './sender.js';
import { WebhooksConfig } from './webhooks.config.js';

/** Events to merchants: their endpoints, the deliveries, and the loop that sends them. */
@Module({})
export class WebhooksModule {
  static register(settings: WebhooksConfig): DynamicModule {
    const egress = EgressModule.register({
      ports: settings.egressPorts,
      allowLoopback: settings.allowLoopback,
      proxy: settings.egressProxy,
    });
    return {
      module: WebhooksModule,
      imports: [egress],
      controllers: [EndpointsController, DeliveriesController],
      providers: [
        DeliveriesService,
        DeliveryStore,
        Dispatcher,
        EndpointRepository,
        EndpointVault,
        EndpointsService,
        Pings,
        Resender,
        Resends,
        Retention,
        {
          provide: Sender,
          inject: [EndpointVault, EgressClient, Clock, { token: Failpoints, optional: true }],
          useFactory: (vault: EndpointVault, client: EgressClient, clock: Clock, failpoints?: Failpoints) =>
            failpoints ? new ArmedSender(failpoints, vault, client, clock) : new Sender(vault, client, clock),
        },
        { provide: WebhooksConfig, useValue: settings },
        { provide: FirstEndpoint, useExisting: EndpointsService },
      ],
      exports: [Dispatcher, FirstEndpoint, egress],
    };
  }
}

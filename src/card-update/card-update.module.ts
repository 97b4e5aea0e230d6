import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { CardUpdateBell } from './card-update-bell.js';
import { CardUpdatePageController } from './card-update-page.controller.js';
import { CardUpdateWorker } from './card-update-worker.js';
import { CardUpdatedEvent } from './card-updated-event.js';
import { CardUpdatesController } from './card-updates.controller.js';
import { CardUpdates } from './card-updates.service.js';
import { Clicks } from './clicks.service.js';
import { FollowUp } from './follow-up.service.js';
import { HostedInvoices } from './hosted-invoices.service.js';
import { LinkAddress } from './link-address.js';
import { LinkStore } from './link-store.js';
import { CardUpdateLinks, ReturnUrlPolicy } from './links.service.js';
import { PageStore } from './page-store.js';

const PARTS = [
  CardUpdateBell,
  CardUpdateLinks,
  CardUpdateWorker,
  CardUpdatedEvent,
  CardUpdates,
  Clicks,
  FollowUp,
  HostedInvoices,
  LinkAddress,
  LinkStore,
  PageStore,
];

/** New cards from customers: links, their pages, and what follows a saved card. */
@Module({})
export class CardUpdateModule {
  static register(
    settings: { egressPorts: readonly number[]; allowLoopback: boolean },
    imports: NonNullable<ModuleMetadata['imports']>,
  ): DynamicModule {
    const returnUrls: ReturnUrlPolicy = { ports: settings.egressPorts, allowLoopback: settings.allowLoopback };
    return {
      module: CardUpdateModule,
      imports,
      controllers: [CardUpdatesController, CardUpdatePageController],
      providers: [...PARTS, { provide: ReturnUrlPolicy, useValue: returnUrls }],
      // Whoever takes the gateway's events tells it of completed pages.
      exports: [CardUpdates],
    };
  }
}

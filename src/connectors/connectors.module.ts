import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { BillingPlatforms } from './billing-platform.js';
import { ConnectedAccounts } from './connected-accounts.service.js';
import { GapFiller } from './gap-filler.js';
import { InboxController } from './inbox.controller.js';
import { Inbox } from './inbox.service.js';
import { InboxStore } from './inbox-store.js';
import { InboxWorker } from './inbox-worker.js';
import { InboxWriter } from './inbox-writer.js';
import { OperatorWord } from './operator-word.js';
import { CardUpdates } from '../card-update/card-updates.service.js';
import { SavedCards } from './saved-cards.js';
import { ConnectHealth } from './stripe-billing/connect-health.service.js';
import { ConnectStopper } from './stripe-billing/connect-stopper.js';
import { ConnectStore } from './stripe-billing/connect-store.js';
import { StripeConnectController } from './stripe-billing/connect.controller.js';
import { StripeConnections } from './stripe-billing/connect.service.js';
import { CardEvents } from './stripe-billing/card-events.js';
import { EndEvents } from './stripe-billing/end-events.js';
import { InvoiceEvents } from './stripe-billing/invoice-events.js';
import { PaymentEvents } from './stripe-billing/payment-events.js';
import { CardStopsAfterReversal } from './stripe-billing/reversals.js';
import { StripeBillingPlatform } from './stripe-billing/stripe-billing.platform.js';

/** Billing platforms: what they tell us, proven, kept and worked. */
@Module({})
export class ConnectorsModule {
  static register(imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: ConnectorsModule,
      imports,
      controllers: [InboxController, StripeConnectController],
      providers: [
        CardEvents,
        CardStopsAfterReversal,
        ConnectHealth,
        ConnectStopper,
        ConnectStore,
        ConnectedAccounts,
        EndEvents,
        GapFiller,
        Inbox,
        InboxStore,
        InboxWorker,
        InboxWriter,
        InvoiceEvents,
        OperatorWord,
        PaymentEvents,
        StripeBillingPlatform,
        StripeConnections,
        { provide: SavedCards, useExisting: CardUpdates },
        {
          provide: BillingPlatforms,
          inject: [StripeBillingPlatform],
          useFactory: (stripe: StripeBillingPlatform) => new BillingPlatforms([stripe]),
        },
      ],
      exports: [ConnectedAccounts, InboxStore],
    };
  }
}

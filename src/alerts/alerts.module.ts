import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { AlertAccounts, AlertServer } from '../clients/alert-accounts.service.js';
import { AlertsController } from './alerts.controller.js';
import { AlertsService } from './alerts.service.js';
import { AlertsWorker } from './alerts-worker.js';
import { AlertDeliveries } from './deliveries.service.js';
import { MessageStore } from './message-store.js';
import { MessageWriter } from './message-writer.js';
import { OptOuts } from './opt-outs.js';
import { EmailSender } from './senders/email-sender.js';
import { PagerDutySender } from './senders/pagerduty-sender.js';
import { Senders } from './senders/senders.js';
import { SlackSender } from './senders/slack-sender.js';
import { SmsSender } from './senders/sms-sender.js';
import { WebhookSender } from './senders/webhook-sender.js';
import { TurnStore } from './turn-store.js';
import { Turns } from './turns.service.js';
import { UnsubscribeController } from './unsubscribe.controller.js';
import { UnsubscribeTokens } from './unsubscribe-tokens.js';
import { Watch } from './watch.service.js';
import { WatchStore } from './watch-store.js';
import { WatchedClients } from './watched-clients.js';

/** What the merchant's own team is told, never the customer: found, grouped, routed, sent, and kept in a log. */
@Module({})
export class AlertsModule {
  /** @param imports what provides the `EgressClient`: the webhooks room. */
  static register(settings: AlertServer, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: AlertsModule,
      imports,
      controllers: [AlertsController, UnsubscribeController],
      providers: [
        AlertAccounts,
        AlertDeliveries,
        AlertsService,
        AlertsWorker,
        EmailSender,
        MessageStore,
        MessageWriter,
        OptOuts,
        PagerDutySender,
        Senders,
        SlackSender,
        SmsSender,
        TurnStore,
        Turns,
        UnsubscribeTokens,
        Watch,
        WatchStore,
        WatchedClients,
        WebhookSender,
        { provide: AlertServer, useValue: settings },
      ],
    };
  }
}

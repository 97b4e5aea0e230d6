import { Injectable } from '@nestjs/common';

import type { Channel } from '../alert.js';
import { EmailSender } from './email-sender.js';
import { PagerDutySender } from './pagerduty-sender.js';
import type { AlertSender } from './sender.js';
import { SlackSender } from './slack-sender.js';
import { SmsSender } from './sms-sender.js';
import { WebhookSender } from './webhook-sender.js';

/** Who sends on which channel. */
@Injectable()
export class Senders {
  private readonly byChannel: Readonly<Record<Channel, AlertSender>>;

  constructor(
    email: EmailSender,
    sms: SmsSender,
    webhook: WebhookSender,
    slack: SlackSender,
    pagerDuty: PagerDutySender,
  ) {
    this.byChannel = { EMAIL: email, SMS: sms, WEBHOOK: webhook, SLACK: slack, PAGERDUTY: pagerDuty };
  }

  of(channel: Channel): AlertSender {
    return this.byChannel[channel];
  }
}

import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts, AlertServer } from '../../clients/alert-accounts.service.js';
import { Clock } from '../../platform/clock.js';
import type { Links, OutgoingMessage } from '../message.js';
import { pagerDutyEvent } from '../pagerduty-event.js';
import type { SendResult } from '../retry.js';
import { post, resultOfStatus } from './http-post.js';
import { AlertSender } from './sender.js';

/** PagerDuty, by its Events API v2. */
@Injectable()
export class PagerDutySender extends AlertSender {
  constructor(
    private readonly accounts: AlertAccounts,
    private readonly server: AlertServer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async send(message: OutgoingMessage, account: AlertAccount, links: Links): Promise<SendResult> {
    const routingKey = this.accounts.open(account, 'alert_pagerduty_key_sealed');
    if (routingKey === null) return { kind: 'refused', error: 'alertPagerDutyKey is not set' };
    const answer = await post({
      url: `${this.server.pagerDutyApiBase}/v2/enqueue`,
      headers: { 'content-type': 'application/json' },
      data: JSON.stringify(pagerDutyEvent(message, routingKey, links.console)),
    });
    return resultOfStatus(answer, this.clock.now());
  }
}

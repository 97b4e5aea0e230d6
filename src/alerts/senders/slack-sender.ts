import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts } from '../../clients/alert-accounts.service.js';
import { Clock } from '../../platform/clock.js';
import { EgressClient } from '../../platform/egress/egress-client.js';
import type { Links, OutgoingMessage } from '../message.js';
import type { SendResult } from '../retry.js';
import { slackMessage } from '../slack-message.js';
import { guardedAdapter, post, resultOfStatus } from './http-post.js';
import { AlertSender } from './sender.js';

/** Slack, by an incoming webhook of the client's own. */
@Injectable()
export class SlackSender extends AlertSender {
  constructor(
    private readonly accounts: AlertAccounts,
    private readonly egress: EgressClient,
    private readonly clock: Clock,
  ) {
    super();
  }

  async send({ content }: OutgoingMessage, account: AlertAccount, links: Links): Promise<SendResult> {
    const url = this.accounts.open(account, 'alert_slack_url_sealed');
    if (url === null) return { kind: 'refused', error: 'alertSlackUrl is not set' };
    const answer = await post({
      url,
      adapter: guardedAdapter(this.egress),
      headers: { 'content-type': 'application/json' },
      data: JSON.stringify(slackMessage(content, links.console)),
    });
    return resultOfStatus(answer, this.clock.now());
  }
}

import { readFileSync } from 'node:fs';

import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts } from '../../clients/alert-accounts.service.js';
import { Clock } from '../../platform/clock.js';
import { COULD_NOT_CONNECT, EgressClient } from '../../platform/egress/egress-client.js';
import { readRetryAfter } from '../../webhooks/delivery-policy.js';
import { signatureHeaders } from '../../webhooks/signature.js';
import type { Links, OutgoingMessage } from '../message.js';
import type { SendResult } from '../retry.js';
import { webhookBody } from '../webhook-body.js';
import { AlertSender, SEND_DEADLINE_MS } from './sender.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const USER_AGENT = `Revtain-Alerts/${version}`;

/** The client's own receiver of alerts, signed as every webhook is, with a secret of its own. */
@Injectable()
export class WebhookSender extends AlertSender {
  constructor(
    private readonly accounts: AlertAccounts,
    private readonly egress: EgressClient,
    private readonly clock: Clock,
  ) {
    super();
  }

  async send(message: OutgoingMessage, account: AlertAccount, links: Links): Promise<SendResult> {
    const secret = this.accounts.open(account, 'alert_webhook_secret_sealed');
    if (account.webhookUrl === null || secret === null) return { kind: 'refused', error: 'alertWebhookUrl is not set' };
    const body = webhookBody(message, links.console);
    const signed = signatureHeaders(
      { id: message.id, sentAt: this.clock.now(), body },
      { current: secret, previous: null },
    );
    const answer = await this.egress.post({
      url: account.webhookUrl,
      body,
      deadlineMs: SEND_DEADLINE_MS,
      headers: { 'Content-Type': 'application/json', 'User-Agent': USER_AGENT, ...signed },
    });
    if (answer.kind === 'no_answer') return { kind: 'try_again', error: COULD_NOT_CONNECT, afterMs: null };
    const { status, retryAfter } = answer;
    if (status >= 200 && status < 300) return { kind: 'sent' };
    if (status === 410) return { kind: 'refused', error: 'HTTP 410' };
    // Any other status may be a deployment that is mended in a minute.
    return { kind: 'try_again', error: `HTTP ${status}`, afterMs: readRetryAfter(retryAfter, this.clock.now()) };
  }
}

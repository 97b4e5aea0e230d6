import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertServer } from '../../clients/alert-accounts.service.js';
import { Clock } from '../../platform/clock.js';
import type { OutgoingMessage } from '../message.js';
import type { SendResult } from '../retry.js';
import { smsText } from '../sms-text.js';
import { post, resultOfStatus } from './http-post.js';
import { AlertSender } from './sender.js';

/** The recipient has answered STOP. @see https://www.twilio.com/docs/api/errors/21610 */
const STOPPED = 21_610;

/** Text messages by Twilio's API. @see https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource */
@Injectable()
export class SmsSender extends AlertSender {
  constructor(
    private readonly server: AlertServer,
    private readonly clock: Clock,
  ) {
    super();
  }

  async send({ target, content }: OutgoingMessage, _account: AlertAccount): Promise<SendResult> {
    const { accountSid, authToken, from, apiBase } = this.server.twilio;
    if (accountSid === null || authToken === null || from === null || target === null) {
      return { kind: 'refused', error: 'TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN or TWILIO_FROM is not set' };
    }
    // A messaging service has an id in place of a number.
    const sender = from.startsWith('MG') ? { MessagingServiceSid: from } : { From: from };
    const answer = await post({
      url: `${apiBase}/2010-04-01/Accounts/${encodeURIComponent(accountSid)}/Messages.json`,
      auth: { username: accountSid, password: authToken },
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      data: new URLSearchParams({ To: target, ...sender, Body: smsText(content) }).toString(),
    });
    const code = answer === null ? null : codeOf(answer.body);
    if (code === STOPPED) return { kind: 'stopped', error: `Twilio ${STOPPED}` };
    const result = resultOfStatus(answer, this.clock.now());
    return result.kind !== 'sent' && code !== null ? { ...result, error: `${result.error}, Twilio ${code}` } : result;
  }
}

/** The error code of Twilio's body; null for a body without one. */
function codeOf(body: string): number | null {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'number' ? code : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null; // A proxy's page: the status says enough.
    throw error;
  }
}

import { createHash } from 'node:crypto';

import { Injectable } from '@nestjs/common';
import { createTransport } from 'nodemailer';

import { type AlertAccount, AlertServer } from '../../clients/alert-accounts.service.js';
import { emailHtml, emailSubject, emailText } from '../email-text.js';
import type { Links, OutgoingMessage } from '../message.js';
import type { SendResult } from '../retry.js';
import { AlertSender, SEND_DEADLINE_MS } from './sender.js';

// The library's own time-outs are minutes.
const CONNECTION_TIMEOUT_MS = 5_000;
const GREETING_TIMEOUT_MS = 5_000;
const SOCKET_TIMEOUT_MS = 8_000;

/** E-mail by SMTP_URL: one message per address, in a thread of its incident, with a way to hear no more of its kind. */
@Injectable()
export class EmailSender extends AlertSender {
  constructor(private readonly server: AlertServer) {
    super();
  }

  async send(message: OutgoingMessage, _account: AlertAccount, links: Links): Promise<SendResult> {
    const { smtpUrl, alertFrom } = this.server;
    if (smtpUrl === null || alertFrom === null || message.target === null) {
      return { kind: 'refused', error: 'SMTP_URL or ALERT_FROM is not set' };
    }
    const transport = createTransport({
      url: smtpUrl,
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      greetingTimeout: GREETING_TIMEOUT_MS,
      socketTimeout: SOCKET_TIMEOUT_MS,
      dnsTimeout: CONNECTION_TIMEOUT_MS,
      disableFileAccess: true,
      disableUrlAccess: true,
    });
    try {
      await withinDeadline(transport.sendMail(mailOf(message, message.target, alertFrom, links)));
      return { kind: 'sent' };
    } catch (error) {
      return resultOf(error);
    } finally {
      transport.close();
    }
  }
}

function mailOf(message: OutgoingMessage, to: string, from: string, links: Links) {
  const { content, notificationId, threadId } = message;
  const isFirst = threadId === notificationId;
  const domain = /@([^\s<>@]+?)>?$/.exec(from)?.[1] ?? 'localhost';
  // The same on every try, so that a mailbox which gets a message twice shows it once.
  const idOf = (id: string) => `<${id}.${placeOf(to)}@${domain}>`;
  return {
    from,
    // As an object, so that no address is read out of a longer text.
    to: { name: '', address: to },
    subject: emailSubject(content),
    text: emailText(content, links),
    html: emailHtml(content, links),
    messageId: idOf(notificationId),
    date: message.createdAt,
    ...(isFirst ? {} : { inReplyTo: idOf(threadId), references: [idOf(threadId)] }),
    ...(links.unsubscribe === null ? {} : { list: { unsubscribe: links.unsubscribe } }),
    headers: {
      // No mailbox answers an alert with its holiday.
      'Auto-Submitted': 'auto-generated',
      ...(links.unsubscribe === null ? {} : { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' }),
    },
  };
}

function placeOf(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 12);
}

/**
 * What became of it by the server's reply: 4xx is for now, 5xx for good; without a reply nothing is known.
 * @see https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
 */
function resultOf(error: unknown): SendResult {
  const { responseCode, code } = error as { responseCode?: unknown; code?: unknown };
  if (typeof responseCode === 'number') {
    const text = `SMTP ${responseCode}`;
    return responseCode >= 500 ? { kind: 'refused', error: text } : { kind: 'try_again', error: text, afterMs: null };
  }
  return { kind: 'try_again', error: `SMTP ${typeof code === 'string' ? code : 'failed'}`, afterMs: null };
}

class TooLate extends Error {
  readonly code = 'ETIMEDOUT';
}

/** A server that trickles its replies never meets the socket's time-out; this is the end of its patience. */
async function withinDeadline<T>(sending: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate('the deadline has passed')), SEND_DEADLINE_MS);
  });
  // Whoever comes second is heard by nobody, and must not end the process.
  sending.catch(() => undefined);
  try {
    return await Promise.race([sending, late]);
  } finally {
    clearTimeout(timer);
  }
}

import { Injectable } from '@nestjs/common';

import type { AlertAccount } from '../clients/alert-accounts.service.js';
import type { Transaction } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import type { Channel } from './alert.js';
import { DIGEST_KEY, type GroupState, type Notification, type NotificationPart } from './grouping.js';
import type { MessageContent, MessagePart } from './message.js';
import { MessageStore } from './message-store.js';
import { isOptedOut, type OptOut, OptOuts } from './opt-outs.js';
import { lackOf, routesOf } from './routing.js';

interface Circumstances {
  now: Date;
  hourlyCap: number;
  /** The channel's groups, as they were when the notifications were decided. */
  groups: readonly GroupState[];
}

/** Turns notifications into messages: one for each address, its content fixed, written into the queue. */
@Injectable()
export class MessageWriter {
  constructor(
    private readonly messages: MessageStore,
    private readonly optOuts: OptOuts,
    private readonly ids: Ids,
  ) {}

  sentInLastHour(tx: Transaction, clientId: string, channel: Channel, now: Date): Promise<Date[]> {
    return this.messages.sentInLastHour(tx, clientId, channel, now);
  }

  async write(
    tx: Transaction,
    account: AlertAccount,
    notifications: readonly Notification[],
    circumstances: Circumstances,
  ): Promise<void> {
    if (notifications.length === 0) return;
    const optOuts = await this.optOuts.read(tx, account);
    for (const notification of notifications) {
      const parts: MessagePart[] = [];
      for (const part of notification.parts) {
        const summary = await this.messages.summarise(tx, account.clientId, notification.channel, part);
        parts.push({ ...part, open: openOf(part, circumstances.groups), summary });
      }
      for (const target of targetsOf(account, notification.channel)) {
        await this.writeOne(tx, { account, notification, parts, target, optOuts }, circumstances);
      }
    }
  }

  private async writeOne(
    tx: Transaction,
    message: {
      account: AlertAccount;
      notification: Notification;
      parts: MessagePart[];
      target: string | null;
      optOuts: OptOut[];
    },
    { now, hourlyCap }: Circumstances,
  ): Promise<void> {
    const { account, notification, parts, target, optOuts } = message;
    const { channel, id: notificationId, threadId } = notification;
    const wanted = parts.filter((part) => !isOptedOut(optOuts, channel, target, unsubscribableKind(part)));
    const [first] = wanted.length === 0 ? parts : wanted;
    if (!first) throw new Error('a notification has parts');
    const content: MessageContent = {
      ...contentOf(account, now),
      purpose: first.purpose,
      severity: notification.severity,
      parts: wanted.length === 0 ? parts : wanted,
      hourlyCap: parts.length > 1 ? hourlyCap : null,
      inPlaceOf: inPlaceOf(account, channel, notification.parts),
    };
    await this.messages.insert(tx, {
      id: this.ids.ulid(),
      notificationId,
      clientId: account.clientId,
      channel,
      target,
      threadId,
      content,
      createdAt: now,
      status: wanted.length === 0 ? 'opted_out' : 'queued',
      leased: false,
    });
  }
}

/** What every message of an account says, whatever it is about. */
export function contentOf(account: AlertAccount, now: Date) {
  const { clientId, name: clientName, livemode, locale, timezone } = account;
  return { clientId, clientName, livemode, locale, zone: timezone ?? 'UTC', createdAt: now.toISOString() };
}

/** The places of a channel: an e-mail and a text message go to each address by itself, so that each can opt out. */
export function targetsOf(account: AlertAccount, channel: Channel): (string | null)[] {
  switch (channel) {
    case 'EMAIL':
      return account.emails;
    case 'SMS':
      return account.phones;
    case 'WEBHOOK':
    case 'SLACK':
    case 'PAGERDUTY':
      return [null];
  }
}

/** The name under which a part can be unsubscribed from. */
export function unsubscribableKind({ key, kind }: Pick<MessagePart, 'key' | 'kind'>): string {
  return key === DIGEST_KEY ? DIGEST_KEY : kind;
}

/** Why alerts of these parts come here: channels that would have told them lack settings, or could not deliver. */
function inPlaceOf(account: AlertAccount, channel: Channel, parts: readonly NotificationPart[]): string[] {
  const { settings, channels } = account;
  const reasons = parts.flatMap(({ kind, severity, subject, tookOver }) => {
    const route = routesOf({ kind, severity, facts: { channel: subject } }, settings, channels).find(
      (each) => each.channel === channel,
    );
    return [...(route?.standsInFor ?? []).map((absent) => lackOf(absent, channels)), ...tookOver];
  });
  return [...new Set(reasons)];
}

function openOf(part: NotificationPart, groups: readonly GroupState[]): number {
  return groups.find(({ key }) => key === part.key)?.open ?? 0;
}

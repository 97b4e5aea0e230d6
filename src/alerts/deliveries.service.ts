import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts } from '../clients/alert-accounts.service.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { tellOperator } from '../platform/db/operator-alert.js';
import { Ids } from '../platform/ids.js';
import { Log } from '../platform/logging/log.js';
import { PublicUrl } from '../platform/public-url.js';
import type { Channel } from './alert.js';
import type { Links } from './message.js';
import { type ClaimedMessage, MessageStore } from './message-store.js';
import { targetsOf, unsubscribableKind } from './message-writer.js';
import { EVERY_KIND, isOptedOut, OptOuts } from './opt-outs.js';
import { judgeSend, type SendResult } from './retry.js';
import { usableFrom } from './routing.js';
import { Senders } from './senders/senders.js';
import { TurnStore } from './turn-store.js';
import { Turns } from './turns.service.js';
import { UnsubscribeTokens } from './unsubscribe-tokens.js';

/** A link that leads nowhere is worse than none: it is left out of every message until this server serves a console. */
const CONSOLE_PATH = null as string | null;

/** Sends claimed messages and writes down what came of them. */
@Injectable()
export class AlertDeliveries {
  constructor(
    private readonly database: Database,
    private readonly messages: MessageStore,
    private readonly turnStore: TurnStore,
    private readonly turns: Turns,
    private readonly accounts: AlertAccounts,
    private readonly senders: Senders,
    private readonly optOuts: OptOuts,
    private readonly tokens: UnsubscribeTokens,
    private readonly publicUrl: PublicUrl,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly log: Log,
  ) {}

  /**
   * Makes one try. The message is sent with no transaction open; a process that dies between the send and its note sends
   * it again, with the same id, once its lease has run out.
   */
  async deliver(message: ClaimedMessage): Promise<SendResult> {
    const { clientId, channel, tries } = message;
    const startedMs = this.clock.monotonicMs();
    const { account, refusal } = await this.standing(message);
    const result = refusal ?? (await this.senders.of(channel).send(message, account, this.linksOf(message)));
    await this.settle(message, account, result);
    this.log.info('alert.tried', {
      clientId,
      deliveryId: message.id,
      kind: channel,
      tryNumber: tries,
      outcome: result.kind,
      text: result.kind === 'sent' ? null : result.error,
      durationMs: Math.round(this.clock.monotonicMs() - startedMs),
    });
    return result;
  }

  /** Whether the message may still go where it was meant to: an address may be gone, or have had enough. */
  private async standing(message: ClaimedMessage): Promise<{ account: AlertAccount; refusal: SendResult | null }> {
    const { clientId, channel, target, content } = message;
    return this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      const account = await this.accounts.read(tx, clientId);
      if (!account) throw new Error(`client ${clientId} has a message and no account`);
      if (!targetsOf(account, channel).includes(target)) {
        return { account, refusal: { kind: 'refused', error: 'the address was taken off' } };
      }
      const optOuts = await this.optOuts.read(tx, account);
      const kinds = content.purpose === 'test' ? [EVERY_KIND] : content.parts.map(unsubscribableKind);
      const isOut = kinds.every((kind) => isOptedOut(optOuts, channel, target, kind));
      return { account, refusal: isOut ? { kind: 'stopped', error: 'opted out' } : null };
    });
  }

  private linksOf({ clientId, channel, target, content }: ClaimedMessage): Links {
    const [part] = content.parts;
    const base = this.publicUrl.current();
    const token =
      channel === 'EMAIL' && target !== null && part !== undefined
        ? this.tokens.make({ clientId, channel, target, kind: unsubscribableKind(part) })
        : null;
    const console = CONSOLE_PATH === null ? null : base + CONSOLE_PATH;
    return { console, unsubscribe: token === null ? null : `${base}/alerts/unsubscribe/${token}` };
  }

  private async settle(message: ClaimedMessage, account: AlertAccount, result: SendResult): Promise<void> {
    const { clientId, tries, content } = message;
    const isTest = content.purpose === 'test';
    await this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      // Two addresses of one notification that fail at once must not both think the other is still on its way.
      await this.turnStore.lock(tx, clientId, true);
      const now = this.clock.now();
      if (result.kind === 'sent') {
        await this.messages.settleSent(tx, message, now);
        await this.endChannelAlert(tx, message, now);
        return;
      }
      if (result.kind === 'stopped') await this.noteStop(tx, message, now);
      await this.readdress(tx, account, message);
      const next = await this.nextChannel(tx, account, message);
      const isTold = await this.messages.hasLivingSibling(tx, message);
      // A mailbox that is refused while others of the notification are told is worth no second try.
      const hasNext = next !== null || (result.kind === 'refused' && isTold);
      const verdict = isTest ? { kind: 'failed' as const } : judgeSend(result, tries, hasNext, now);
      if (verdict.kind === 'retry') return this.messages.settleRetry(tx, message, verdict.nextTryAt, result.error);
      const isOurs = await this.messages.settleFailed(tx, message, result.error, result.kind === 'stopped');
      if (isOurs && !isTest && !isTold) await this.fallBack(tx, account, message, { result, next });
    });
  }

  /** What was meant for an address that is no longer there goes to those that came since. */
  private async readdress(tx: Transaction, account: AlertAccount, message: ClaimedMessage): Promise<void> {
    const { channel, target, content } = message;
    const targets = targetsOf(account, channel);
    if (content.purpose === 'test' || targets.includes(target)) return;
    const written = await this.messages.targetsWritten(tx, message);
    for (const each of targets.filter((address) => !written.includes(address))) {
      const id = this.ids.ulid();
      await this.messages.insert(tx, { ...message, id, target: each, status: 'queued', leased: false });
    }
  }

  /** The next channel that can be used and has not given up on the same; null where there is none. */
  private async nextChannel(
    tx: Transaction,
    { channels }: AlertAccount,
    message: ClaimedMessage,
  ): Promise<Channel | null> {
    const givenUp = await this.messages.channelsGivenUp(tx, message);
    const others = channels.filter(({ channel }) => !givenUp.includes(channel));
    return usableFrom(message.channel, others, false);
  }

  private async noteStop(tx: Transaction, { clientId, channel, target }: ClaimedMessage, now: Date): Promise<void> {
    if (target === null || channel !== 'SMS') return;
    await this.optOuts.add(tx, clientId, { channel, target, kind: EVERY_KIND }, now);
  }

  /** Nobody got this notification on its channel: the next one takes over, and the channel itself is worth an alert. */
  private async fallBack(
    tx: Transaction,
    account: AlertAccount,
    message: ClaimedMessage,
    { result, next: to }: { result: Exclude<SendResult, { kind: 'sent' }>; next: Channel | null },
  ): Promise<void> {
    const { channel: from, content, clientId } = message;
    if (to !== null) {
      await this.turns.fallBack(tx, account, { parts: content.parts, from, to, reason: `${from}: ${result.error}` });
      await this.messages.noteFallback(tx, message, to);
    }
    if (result.kind === 'stopped') return;
    const alert = tellOperator({
      clientId,
      id: this.ids.ulid(),
      kind: 'alert_channel_failing',
      severity: 'warning',
      facts: { channel: from, error: result.error.replaceAll(/[^\w.:-]+/g, '_') },
      dedupeKey: channelAlertKey(from),
      at: this.clock.now(),
    });
    await tx.query(alert);
  }

  private async endChannelAlert(tx: Transaction, { clientId, channel }: ClaimedMessage, now: Date): Promise<void> {
    await tx.query({
      text: 'UPDATE operator_alerts SET resolved_at = $3 WHERE client_id = $1 AND dedupe_key = $2 AND resolved_at IS NULL',
      values: [clientId, channelAlertKey(channel), now],
    });
  }
}

function channelAlertKey(channel: string): string {
  return `alert_channel_failing:${channel}`;
}

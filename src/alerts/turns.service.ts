import { Injectable } from '@nestjs/common';

import { type AlertAccount, AlertAccounts } from '../clients/alert-accounts.service.js';
import { Clock } from '../platform/clock.js';
import { Database, isConnectionError, type Transaction } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import { Log } from '../platform/logging/log.js';
import { type Channel, subjectOf, wordsOf } from './alert.js';
import {
  DIGEST_KEY,
  flush,
  type GroupState,
  hush,
  newGroup,
  type NotificationPart,
  raise,
  resolve,
} from './grouping.js';
import { MessageWriter } from './message-writer.js';
import { EVERY_KIND, isOptedOut, type OptOut, OptOuts } from './opt-outs.js';
import { groupKeyOf, isOff, lackOf, routesOf, rulesOf, usableFrom } from './routing.js';
import { takeOver } from './take-over.js';
import { type AlertRow, type TakenAlert, TurnStore } from './turn-store.js';

/** What no channel can tell yet is looked at again so often: somebody may set what is missing. */
const LOOK_FOR_SETTINGS_MS = 5 * 60_000;

/** One client's turn: what came is grouped, what is due is written into the queue. */
interface Turn {
  tx: Transaction;
  account: AlertAccount;
  now: Date;
  groups: Map<string, GroupState>;
}

/**
 * Decides what each client's team is told. A turn is one transaction under the client's own lock: alerts, groups and
 * messages change together or not at all, so that a process that dies loses nothing and tells nothing twice.
 */
@Injectable()
export class Turns {
  constructor(
    private readonly database: Database,
    private readonly store: TurnStore,
    private readonly accounts: AlertAccounts,
    private readonly writer: MessageWriter,
    private readonly optOuts: OptOuts,
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly log: Log,
  ) {}

  /** Takes the turn of every client that something is to be decided for. Answers how many. */
  async takeDue(): Promise<number> {
    const clientIds = await this.store.dueClients(this.clock.now());
    for (const clientId of clientIds) {
      try {
        await this.take(clientId);
      } catch (error) {
        if (isConnectionError(error)) throw error;
        // One client whose turn fails must not keep the others from theirs; it has another one in a moment.
        this.log.error('alert.turn_failed', { clientId }, error);
      }
    }
    return clientIds.length;
  }

  /** Takes one client's turn, unless another process has it. */
  async take(clientId: string): Promise<void> {
    await this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      const lock = await this.store.lock(tx, clientId);
      const asked = lock && (await this.accounts.read(tx, clientId));
      if (!lock || !asked) return;
      const account = withoutStopped(asked, await this.optOuts.read(tx, asked));
      const groups = new Map((await this.store.groups(tx, clientId)).map((group) => [placeOf(group), group]));
      const turn: Turn = { tx, account, now: this.clock.now(), groups };
      const lastNumber = await this.takeIn(turn, lock.lastNumber);
      await this.takeEnds(turn);
      hushWhatIsOff(turn);
      await this.leaveUnusable(turn);
      await this.store.endTurn(tx, clientId, lastNumber, await this.tell(turn));
    });
  }

  /** Moves what one channel could not deliver to another. */
  async fallBack(
    tx: Transaction,
    account: AlertAccount,
    { parts, from, to, reason }: { parts: readonly NotificationPart[]; from: Channel; to: Channel; reason: string },
  ): Promise<void> {
    const groups = new Map((await this.store.groups(tx, account.clientId)).map((group) => [placeOf(group), group]));
    const turn: Turn = { tx, account, now: this.clock.now(), groups };
    for (const part of parts) await this.moveOver(turn, part, { from, to, reason });
    await this.store.saveGroups(tx, account.clientId, [...groups.values()]);
    await this.store.wakeTurn(tx, account.clientId, turn.now);
  }

  private async takeIn({ tx, account, now, groups }: Turn, lastNumber: number): Promise<number> {
    const { clientId, settings, channels } = account;
    const alerts = await this.store.untaken(tx, clientId);
    let number = lastNumber;
    const taken = alerts.map((alert): TakenAlert => {
      number += 1;
      const groupKey = groupKeyOf(alert, settings);
      const { lifecycle } = wordsOf(alert.kind);
      const isOver = lifecycle === 'lasting' && alert.resolvedAt !== null;
      const routed = isOver ? [] : routesOf(alert, settings, channels).map(({ channel }) => channel);
      // Since it happened, and not since somebody looked: an alert of an outage has waited long enough.
      const since = alert.createdAt < now ? alert.createdAt : now;
      for (const channel of routed) {
        const group = groupFor(groups, channel, groupKey, alert, number - 1);
        // A digest is a report of the day: nothing in it goes on.
        const told = groupKey === DIGEST_KEY ? 'point' : lifecycle;
        groups.set(placeOf(group), raise(group, { number, severity: alert.severity, lifecycle: told }, since));
      }
      return { id: alert.id, number, groupKey, routed, isOver };
    });
    await this.store.markTaken(tx, clientId, taken, now);
    return number;
  }

  private async takeEnds({ tx, account, now, groups }: Turn): Promise<void> {
    const ended = await this.store.untakenEnds(tx, account.clientId);
    for (const alert of ended.filter(({ kind }) => wordsOf(kind).lifecycle === 'lasting')) {
      for (const channel of alert.routed ?? []) {
        const group = groups.get(`${channel} ${alert.groupKey ?? ''}`);
        if (group) groups.set(placeOf(group), resolve(group, alert.number, now));
      }
    }
    const ids = ended.map(({ id }) => id);
    await this.store.markEndsTaken(tx, account.clientId, ids, now);
  }

  /** What waits on a channel that can not be used any more goes to the next one. */
  private async leaveUnusable(turn: Turn): Promise<void> {
    const { account, groups, tx } = turn;
    const usable = new Set(
      account.channels.filter(({ missing }) => missing.length === 0).map(({ channel }) => channel),
    );
    const stranded = [...groups.values()].filter(({ channel }) => !usable.has(channel));
    for (const group of stranded) {
      const { channel: from } = group;
      const to = usableFrom(from, account.channels, false);
      if (to === null && account.channels.some(({ channel }) => channel === from)) continue; // It waits for its settings.
      groups.delete(placeOf(group));
      await this.store.dropGroups(tx, account.clientId, [group]);
      const reason = lackOf(from, account.channels);
      const part = partOf(group);
      if (to !== null && part !== null) await this.moveOver(turn, part, { from, to, reason });
    }
  }

  private async moveOver(
    { tx, account, now, groups }: Turn,
    untold: NotificationPart,
    { from, to, reason }: { from: Channel; to: Channel; reason: string },
  ): Promise<void> {
    const { clientId } = account;
    // A reminder is about all that is open, and to the channel that takes over every bit of it is new.
    const part = untold.purpose === 'repeat' ? { ...untold, afterNumber: 0 } : untold;
    const knew = await this.store.isToldOn(tx, clientId, part.key, to);
    const moved = await this.store.reroute(tx, clientId, part, { from, to });
    // A channel that tells the group itself has told this, or is about to.
    if (part.purpose === 'resolved' ? knew : moved.count === 0) return;
    const group = groups.get(`${to} ${part.key}`) ?? newGroup({ ...part, channel: to }, part.afterNumber);
    groups.set(placeOf(group), takeOver(group, { part, ...moved, reason }, now));
  }

  /** Writes what is due into the queue. Answers when to look again. */
  private async tell(turn: Turn): Promise<Date | null> {
    const { tx, account, now, groups } = turn;
    const dues: Date[] = [];
    for (const { channel, missing } of account.channels) {
      const own = [...groups.values()].filter((group) => group.channel === channel);
      if (own.length === 0) continue;
      if (missing.length > 0) {
        if (own.some(({ untold }) => untold > 0)) dues.push(new Date(now.getTime() + LOOK_FOR_SETTINGS_MS));
        continue;
      }
      const rules = rulesOf(channel, account.settings, account.timezone);
      const sentAt = await this.writer.sentInLastHour(tx, account.clientId, channel, now);
      const flushed = flush(own, sentAt, rules, now, () => this.ids.ulid());
      await this.writer.write(tx, account, flushed.notifications, { now, hourlyCap: rules.hourlyCap, groups: own });
      for (const group of flushed.groups) groups.set(placeOf(group), group);
      if (flushed.dueAt) dues.push(flushed.dueAt);
    }
    await this.store.saveGroups(tx, account.clientId, [...groups.values()]);
    return dues.length === 0 ? null : new Date(Math.min(...dues.map((due) => due.getTime())));
  }
}

/** Where every number has answered STOP, text messages reach nobody: the next channel stands in. */
function withoutStopped(account: AlertAccount, optOuts: readonly OptOut[]): AlertAccount {
  const isStopped = (phone: string) => isOptedOut(optOuts, 'SMS', phone, EVERY_KIND);
  if (account.phones.length === 0 || !account.phones.every(isStopped)) return account;
  const channels = account.channels.map((each) =>
    each.channel === 'SMS' ? { ...each, missing: [...each.missing, 'a number that has not answered STOP'] } : each,
  );
  return { ...account, channels };
}

function placeOf({ channel, key }: Pick<GroupState, 'channel' | 'key'>): string {
  return `${channel} ${key}`;
}

/** A kind that was turned off is silent from now on, also about what is open. A digest tells other kinds as well. */
function hushWhatIsOff({ account: { settings }, groups }: Turn): void {
  for (const [place, group] of groups) {
    if (group.key !== DIGEST_KEY && isOff(group.kind, settings)) groups.set(place, hush(group));
  }
}

function groupFor(
  groups: ReadonlyMap<string, GroupState>,
  channel: Channel,
  key: string,
  alert: AlertRow,
  afterNumber: number,
): GroupState {
  const { kind } = alert;
  return groups.get(`${channel} ${key}`) ?? newGroup({ channel, key, kind, subject: subjectOf(alert) }, afterNumber);
}

/** All that a group still owes, as one part; null when it owes nothing. */
function partOf(group: GroupState): NotificationPart | null {
  const { key, kind, subject, severity, untold, open, toldOpen, toldUpTo, newest, tookOver } = group;
  if (untold === 0 && !toldOpen) return null;
  const purpose = untold > 0 ? 'firing' : open > 0 ? 'repeat' : 'resolved';
  return { key, kind, subject, severity, purpose, afterNumber: toldUpTo, upToNumber: newest, tookOver };
}

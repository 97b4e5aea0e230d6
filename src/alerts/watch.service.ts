import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';

import type { AlertKind } from '../clients/alert-settings.js';
import { BackgroundWork, BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database, type Transaction } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import type { AlertDraft } from './alert.js';
import { alertsOf, type Fact, isParkedOver, isTelling, isUnknownOver, reconcile } from './rules.js';
import { TurnStore } from './turn-store.js';
import { type ChargeHours, WatchStore } from './watch-store.js';
import { TOLD_AGAIN, WatchedClients } from './watched-clients.js';

/** Sent messages are kept so long for the log. */
const LOG_DAYS = 90;

type Clients = (now: Date) => Promise<string[]>;
type Look = (tx: Transaction, clientId: string, now: Date) => Promise<void>;

/** Looks for what a person should hear of where nobody has said so yet. Runs in the worker roles only. */
@Injectable()
export class Watch extends BackgroundWork {
  override readonly name = 'alert-watch';
  private running = false;
  private readonly looking = new Map<string, Promise<void>>();

  constructor(
    private readonly database: Database,
    private readonly store: WatchStore,
    private readonly clients: WatchedClients,
    private readonly turns: TurnStore,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  override start(): void {
    this.running = true;
  }

  override async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.looking.values());
  }

  /** Recoveries that ended: soon, for a team may be waiting for them. */
  @Cron(CronExpression.EVERY_5_SECONDS)
  async lookAtRecoveries(): Promise<void> {
    const withNews = (now: Date) => this.clients.withNews(now);
    await this.guarded('alert.watch_recoveries', withNews, (tx, clientId, now) => this.tellEnded(tx, clientId, now));
  }

  /** Not at the full minute, when others look as well and may have the client's turn. */
  @Cron('12 * * * * *')
  async lookAtStanding(): Promise<void> {
    const standing = (now: Date) => this.clients.withStanding(now);
    await this.guarded('alert.watch_standing', standing, (tx, clientId, now) => this.tellStanding(tx, clientId, now));
  }

  @Cron(CronExpression.EVERY_HOUR)
  async forgetOldMessages(): Promise<void> {
    if (!this.running) return;
    try {
      await this.database.query(
        { role: 'worker' },
        {
          text: `DELETE FROM alert_messages WHERE status <> 'queued' AND created_at < $1::timestamptz - interval '${LOG_DAYS} days'`,
          values: [this.clock.now()],
        },
      );
    } catch (error) {
      this.log.error('alert.log_not_cut', {}, error);
    }
  }

  /** Looks at every client once, whoever asks. */
  async lookNow(): Promise<void> {
    const now = this.clock.now();
    for (const clientId of await this.clients.all(now)) {
      await this.inTurn(clientId, async (tx) => {
        await this.tellEnded(tx, clientId, now);
        await this.tellStanding(tx, clientId, now);
      });
    }
  }

  private async tellEnded(tx: Transaction, clientId: string, now: Date): Promise<void> {
    const state = await this.store.state(tx, clientId);
    const { facts, isWhole } = await this.store.endedRecoveries(tx, clientId, state);
    await this.store.raise(tx, clientId, draftsOf(facts, now), now);
    // A part of them leaves the mark where it is: the next look finds the rest.
    if (isWhole) await this.store.noteRead(tx, clientId, now);
  }

  private async tellStanding(tx: Transaction, clientId: string, now: Date): Promise<void> {
    const state = await this.store.state(tx, clientId);
    const endpoints = await this.store.endpoints(tx, clientId);
    const silent = new Set(endpoints.filter(({ raises }) => !raises).flatMap(({ fact }) => keysOf(fact, now)));
    const ofEndpoints = draftsOf(
      endpoints.map(({ fact }) => fact),
      now,
    );
    await this.align(tx, clientId, ['webhook_endpoint_failing', 'webhook_endpoint_disabled'], ofEndpoints, now, silent);
    const late = state.isTest ? [] : await this.store.lateWork(tx, clientId, now);
    await this.align(tx, clientId, ['queue_behind'], draftsOf(late, now), now);
    const hours = await this.store.countCharges(tx, clientId, state, now);
    if (hours) await this.tellDeclines(tx, clientId, hours, now);
    const unknown = await this.store.unknownCharges(tx, clientId);
    const known = unknown.filter((each) => isUnknownOver(each.state)).map(({ dedupeKey }) => dedupeKey);
    const parked = await this.store.parkedWork(tx, clientId);
    const unparked = parked.filter(({ failures }) => isParkedOver(failures)).map(({ dedupeKey }) => dedupeKey);
    await this.store.resolve(tx, clientId, [...known, ...unparked], now);
    await this.store.closeOld(tx, clientId, TOLD_AGAIN, now);
  }

  /** A quiet hour after a bad one, as at night, ends nothing; after a day of them the bad one is history. */
  private async tellDeclines(tx: Transaction, clientId: string, hours: ChargeHours, now: Date): Promise<void> {
    const kind = 'unusual_decline_rate';
    if (isTelling(hours.lastHour)) {
      await this.align(tx, clientId, [kind], alertsOf({ kind: 'charges', ...hours }, now), now);
    } else {
      await this.store.resolveAged(tx, clientId, kind, now);
    }
  }

  /** Makes the open alerts of these kinds those that were seen. */
  private async align(
    tx: Transaction,
    clientId: string,
    kinds: readonly AlertKind[],
    seen: readonly AlertDraft[],
    now: Date,
    silent: ReadonlySet<string> = new Set(),
  ): Promise<void> {
    const open: { dedupeKey: string }[] = [];
    for (const kind of kinds) open.push(...(await this.store.openKeys(tx, clientId, kind)));
    const { raise, resolve } = reconcile(open, seen);
    const told = raise.filter(({ dedupeKey }) => !silent.has(dedupeKey));
    await this.store.raise(tx, clientId, told, now);
    await this.store.resolve(tx, clientId, resolve, now);
  }

  private async guarded(event: string, clients: Clients, look: Look): Promise<void> {
    // A look that takes longer than its interval is not overtaken by the next one.
    if (!this.running || this.looking.has(event)) return;
    const work = this.lookAtAll(clients, look).catch((error: unknown) => this.log.error(event, {}, error));
    this.looking.set(event, work);
    await work;
    this.looking.delete(event);
  }

  private async lookAtAll(clients: Clients, look: Look): Promise<void> {
    const now = this.clock.now();
    for (const clientId of await clients(now)) {
      if (!this.running) return;
      await this.inTurn(clientId, (tx) => look(tx, clientId, now));
    }
  }

  private async inTurn(clientId: string, work: (tx: Transaction) => Promise<void>): Promise<void> {
    await this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      // Somebody else is at it: its look is as good as ours.
      if (await this.turns.lock(tx, clientId)) await work(tx);
    });
  }
}

function draftsOf(facts: readonly Fact[], now: Date): AlertDraft[] {
  return facts.flatMap((fact) => alertsOf(fact, now));
}

function keysOf(fact: Fact, now: Date): string[] {
  return alertsOf(fact, now).map(({ dedupeKey }) => dedupeKey);
}

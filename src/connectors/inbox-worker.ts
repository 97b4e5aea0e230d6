import { Injectable } from '@nestjs/common';
import { Cron, CronExpression } from '@nestjs/schedule';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { isConnectionError } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import { BillingPlatforms } from './billing-platform.js';
import type { ClaimedEvent, Worked } from './inbound-event.js';
import { afterTry } from './inbox-schedule.js';
import { InboxStore, type Settled } from './inbox-store.js';

const CLAIM_MAX = 64;
/** Subjects worked at once in one process: each takes a few calls to its platform. */
const IN_FLIGHT_MAX = 8;
const SLEEP_MIN_MS = 5;
const SLEEP_MAX_MS = 1_000;
/** After a failure of the database itself. */
const BACK_OFF_MS = 1_000;
/** A third of the lease: two renewals may fail before it is lost. */
const RENEW_EVERY_MS = 10_000;
/** Platforms list their events for 30 days: what is older is never told again, so that its id may be forgotten. */
const KEPT_DAYS = 35;

/** The loop that works received events: claims what is due, groups it by subject, and sleeps until there is more. */
@Injectable()
export class InboxWorker extends BackgroundLoop {
  override readonly name = 'inbox';
  private readonly inFlight = new Set<Promise<void>>();

  constructor(
    private readonly store: InboxStore,
    private readonly platforms: BillingPlatforms,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  /** Ends alerts whose cause is mended, and forgets what nobody will tell again. */
  @Cron(CronExpression.EVERY_MINUTE)
  async sweep(): Promise<void> {
    if (!this.turning) return;
    try {
      await this.store.tellMended();
      await this.store.forgetBefore(new Date(this.clock.now().getTime() - KEPT_DAYS * 86_400_000));
    } catch (error) {
      // The next minute tries again.
      this.log.error('inbox.sweep', {}, error);
    }
  }

  /** Works what is due and answers how long nothing is. */
  protected override async turn(): Promise<number> {
    if (this.inFlight.size >= IN_FLIGHT_MAX) {
      await Promise.race(this.inFlight);
      return 0;
    }
    const claimed = await this.store.claimDue(this.clock.now(), CLAIM_MAX);
    for (const group of bySubject(claimed)) {
      while (this.inFlight.size >= IN_FLIGHT_MAX) await Promise.race(this.inFlight);
      this.begin(group);
    }
    if (claimed.length === CLAIM_MAX) return 0;
    const next = await this.store.nextDueAt();
    const untilMs = next === null ? SLEEP_MAX_MS : next.getTime() - this.clock.now().getTime();
    return Math.min(Math.max(untilMs, SLEEP_MIN_MS), SLEEP_MAX_MS);
  }

  private begin(group: readonly ClaimedEvent[]): void {
    const work = this.work(group).finally(() => this.inFlight.delete(work));
    this.inFlight.add(work);
  }

  private async work(group: readonly ClaimedEvent[]): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    const [first] = group;
    if (!first) return;
    const facts = { clientId: first.clientId, platform: first.platform, subject: first.subject, count: group.length };
    const renewal = setInterval(() => void this.renew(group), RENEW_EVERY_MS).unref();
    try {
      const worked = await this.workedBy(first.platform, group);
      await this.settle(group, worked);
      const outcome = worked.kind === 'done' ? worked.outcome : `again: ${worked.reason}`;
      this.log.info('inbox.worked', { ...facts, outcome, durationMs: this.clock.monotonicMs() - startedMs });
    } catch (error) {
      // The database is away: the lease runs out by itself, and whoever claims it then works it.
      if (isConnectionError(error)) this.log.warn('inbox.database_unavailable', facts);
      else this.log.error('inbox.not_settled', facts, error);
    } finally {
      clearInterval(renewal);
    }
  }

  /** One that fails for a reason of its own is put off, and holds up no other. */
  private async workedBy(platform: string, group: readonly ClaimedEvent[]): Promise<Worked> {
    try {
      const found = this.platforms.find(platform);
      if (!found) return { kind: 'again', reason: 'a platform that this process does not know' };
      return await found.work(group);
    } catch (error) {
      if (isConnectionError(error)) throw error;
      const [first] = group;
      const { clientId, subject, type } = first ?? { clientId: '', subject: '', type: '' };
      this.log.error('inbox.interrupted', { clientId, platform, subject, eventType: type }, error);
      return { kind: 'again', reason: error instanceof Error ? error.name : 'an unknown failure' };
    }
  }

  private async settle(group: readonly ClaimedEvent[], worked: Worked): Promise<void> {
    const now = this.clock.now();
    await this.store.settle(settledOf(group, worked, now), now);
    if (worked.kind !== 'again') return;
    const failing = group.find(({ tries }) => afterTry(tries, now, undefined).parkedAt !== null);
    if (failing) await this.store.tellFailing(failing, worked.reason);
  }

  private async renew(group: readonly ClaimedEvent[]): Promise<void> {
    // A renewal that fails is repeated; what it would have told is told by the fenced settling.
    await this.store.renew(group).catch(() => undefined);
  }

  protected override interrupted(error: unknown): number {
    if (isConnectionError(error)) this.log.warn('inbox.database_unavailable');
    else this.log.error('inbox.claim_failed', {}, error);
    return BACK_OFF_MS;
  }

  protected override async finish(): Promise<void> {
    await Promise.all(this.inFlight);
  }
}

/** Events about one thing, together: one reading answers all of them. */
export function bySubject(events: readonly ClaimedEvent[]): ClaimedEvent[][] {
  const groups = new Map<string, ClaimedEvent[]>();
  for (const event of events) {
    const key = `${event.clientId} ${event.platform} ${event.subject}`;
    const group = groups.get(key);
    if (group) group.push(event);
    else groups.set(key, [event]);
  }
  return [...groups.values()];
}

/** What each event of a group is settled as; one that says what an earlier one has said is told apart. Pure. */
export function settledOf(group: readonly ClaimedEvent[], worked: Worked, now: Date): Settled[] {
  const said = new Set<string>();
  return group.map((event) => {
    if (worked.kind === 'again') {
      const { dueAt, parkedAt } = afterTry(event.tries, now, worked.afterMs);
      return { event, status: 'pending' as const, outcome: null, dueAt, parkedAt };
    }
    const isRepeated = said.has(event.said);
    said.add(event.said);
    const ended = { dueAt: null, parkedAt: null };
    return isRepeated
      ? { event, status: 'ignored' as const, outcome: 'duplicate', ...ended }
      : { event, status: 'done' as const, outcome: worked.outcome, ...ended };
  });
}

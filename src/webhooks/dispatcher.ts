import { Injectable } from '@nestjs/common';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import type { EgressAnswer } from '../platform/egress/egress-client.js';
import { Log, type LogFacts } from '../platform/logging/log.js';
import { Random } from '../platform/random.js';
import { judgeTry, readThrottle, TRY_DEADLINE_MS, type Throttle, type Verdict } from './delivery-policy.js';
import { LEASE_MS } from './delivery-sql.js';
import { DeliveryStore, type ClaimedDelivery, type TryResult } from './delivery-store.js';
import { excerptOf } from './response-excerpt.js';
import { Sender } from './sender.js';
import { SendingWindow } from './sending-window.js';
import { TryResults } from './try-results.js';

/** Work of other processes is found so soon at the latest; our own wakes us. */
const POLL_MS = 250;
// A due row that could not be claimed (its endpoint is full, or another worker has it) is not looked for in a spin.
const SLEEP_MIN_MS = 20;
const PAUSE_AFTER_ERROR_MS = 500;
// What has stood in line for longer is handed back: its try could outlive its lease.
const IN_LINE_MAX_MS = LEASE_MS - TRY_DEADLINE_MS - 1_000;

interface InLine {
  delivery: ClaimedDelivery;
  endpoint: { id: string };
  isFailing: boolean;
  claimedMs: number;
}

/**
 * Delivers what the outbox holds: claims due deliveries of all clients, signs and posts them, and writes down what came
 * of it. Any number of processes may run one. A process that dies loses nothing: its leases run out, and what it had on
 * the wire is sent again.
 */
@Injectable()
export class Dispatcher extends BackgroundLoop {
  override readonly name = 'dispatcher';
  private readonly window = new SendingWindow<InLine>();
  private readonly results: TryResults;
  private readonly onTheWire = new Set<Promise<void>>();
  private roundWaiters: (() => void)[] = [];
  private heldLookAtMs = 0;

  constructor(
    private readonly store: DeliveryStore,
    private readonly sender: Sender,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    this.results = new TryResults(store, clock, log, () => this.wake());
    works.register(this);
  }

  /** Sets free what one client holds back until an instant of its own clock. Answers how many deliveries. */
  async releaseHeldOf(clientId: string, at: Date): Promise<number> {
    const count = await this.store.releaseHeldOf(this.clock.now(), clientId, at);
    if (count > 0) this.wake();
    return count;
  }

  /**
   * Resolves when the loop of this process has taken up what is due by now; at once where none runs, for then the rows
   * themselves are what other processes are handed.
   */
  async handOver(_clientId: string): Promise<void> {
    if (!this.turning) return;
    await new Promise<void>((resolve) => {
      this.roundWaiters.push(resolve);
      this.wake();
    });
  }

  protected override async turn(): Promise<number> {
    // Those who ask during the round wait for the next one: this one may have looked already.
    const asked = this.roundWaiters.length;
    const hasPutOff = await this.round();
    for (const resolve of this.roundWaiters.splice(0, asked)) resolve();
    return hasPutOff ? 0 : this.sleepMs();
  }

  protected override interrupted(error: unknown): number {
    this.log.error('dispatch.interrupted', {}, error);
    return PAUSE_AFTER_ERROR_MS;
  }

  protected override async finish(): Promise<void> {
    for (const resolve of this.roundWaiters.splice(0)) resolve();
    await this.handBack(this.window.drain());
    await Promise.all(this.onTheWire);
    await this.results.written();
  }

  /** One look at what is due. Answers whether some of it was put off or withdrawn, so that others may have its place. */
  private async round(): Promise<boolean> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs >= this.heldLookAtMs) {
      await this.store.releaseHeld(this.clock.now());
      this.heldLookAtMs = nowMs + POLL_MS;
    }
    const limits = this.window.limits();
    if (limits.inAll <= 0) return false;
    const { claimed, seen } = await this.store.claimDue(this.clock.now(), limits);
    const claimedMs = this.clock.monotonicMs();
    this.window.add(
      claimed.map((delivery) => {
        const { endpoint, isFailing } = delivery;
        return { delivery, endpoint, isFailing, claimedMs };
      }),
      limits,
    );
    this.pump();
    this.window.tidy();
    return seen > claimed.length;
  }

  private async sleepMs(): Promise<number> {
    // While an endpoint has got all that it had room for, the end of its tries wakes us; others are looked for meanwhile.
    const { inAll, failing } = this.window.limits();
    if (inAll <= 0 || this.window.isFull()) return SLEEP_MIN_MS;
    const nextDueAt = await this.store.nextDueAt(failing > 0);
    const untilDueMs = nextDueAt === null ? POLL_MS : nextDueAt.getTime() - this.clock.now().getTime();
    return Math.min(Math.max(untilDueMs, SLEEP_MIN_MS), POLL_MS);
  }

  /** Puts on the wire what may be. */
  private pump(): void {
    for (let next = this.window.next(); next; next = this.window.next()) {
      const work = this.take(next).finally(() => this.onTheWire.delete(work));
      this.onTheWire.add(work);
    }
  }

  private async take(inLine: InLine): Promise<void> {
    const { delivery, claimedMs } = inLine;
    const startedMs = this.clock.monotonicMs();
    let well = false;
    try {
      if (startedMs - claimedMs > IN_LINE_MAX_MS) await this.handBack([inLine]);
      else well = await this.deliver(delivery);
    } catch (error) {
      // Its lease runs out, and the next claim tries again.
      this.log.error('webhook.interrupted', idsOf(delivery), error);
    }
    if (this.window.done(delivery.endpoint.id, this.clock.monotonicMs() - startedMs, well)) this.wake();
    if (!well) await this.shed(delivery.endpoint.id);
    if (!this.stopping) this.pump();
  }

  /** Makes one try. Answers whether the endpoint has received it. */
  private async deliver(delivery: ClaimedDelivery): Promise<boolean> {
    const startedAt = this.clock.now();
    const answer = await this.sender.send(delivery.endpoint, delivery);
    const endedAt = this.clock.now();
    const answered = answer.kind === 'answered';
    const throttle = answered ? readThrottle(answer.status, answer.retryAfter, endedAt) : null;
    const verdict = judgeTry({
      failedBefore: delivery.failedBefore,
      status: answered ? answer.status : null,
      retryAfter: answered ? answer.retryAfter : null,
      startedAt,
      endedAt,
      jitter: () => this.random.fraction(),
    });
    this.results.add(resultOf(delivery, startedAt, answer, { verdict, throttle }));
    this.log.info('webhook.tried', triedFacts(delivery, answer, verdict));
    return verdict.kind === 'delivered';
  }

  /** What was claimed ahead for an endpoint that now fails goes back, to wait for its breaker with the rest. */
  private async shed(endpointId: string): Promise<void> {
    try {
      await this.handBack(this.window.shed(endpointId));
    } catch (error) {
      // Their leases run out, and the next claim takes them up.
      this.log.error('dispatch.interrupted', { endpointId }, error);
    }
  }

  private async handBack(items: InLine[]): Promise<void> {
    const deliveries = items.map(({ delivery }) => delivery);
    if (deliveries.length > 0) await this.store.handBack(this.clock.now(), deliveries);
  }
}

// Written out: to spread one object into another costs as much as the rest of the line, and there is one for each try.
function triedFacts(delivery: ClaimedDelivery, answer: EgressAnswer, verdict: Verdict): LogFacts {
  const answered = answer.kind === 'answered';
  return {
    clientId: delivery.clientId,
    deliveryId: delivery.id,
    eventId: delivery.eventId,
    eventType: delivery.eventType,
    transactionId: delivery.recoveryId,
    endpointId: delivery.endpoint.id,
    tryNumber: delivery.tryNumber,
    status: answered ? answer.status : null,
    text: answered ? null : answer.cause,
    durationMs: answer.durationMs,
    outcome: verdict.kind,
  };
}

function idsOf({ clientId, id, eventId, eventType, recoveryId, endpoint }: ClaimedDelivery) {
  return { clientId, deliveryId: id, eventId, eventType, transactionId: recoveryId, endpointId: endpoint.id };
}

function resultOf(
  delivery: ClaimedDelivery,
  at: Date,
  answer: EgressAnswer,
  { verdict, throttle }: { verdict: Verdict; throttle: Throttle | null },
): TryResult {
  const answered = answer.kind === 'answered';
  return {
    clientId: delivery.clientId,
    deliveryId: delivery.id,
    endpointId: delivery.endpoint.id,
    leaseToken: delivery.leaseToken,
    number: delivery.tryNumber,
    at,
    durationMs: answer.durationMs,
    status: answered ? answer.status : null,
    error: answered ? null : answer.text,
    // What a receiver says to a success is of no use to anybody.
    responseExcerpt: answered && verdict.kind !== 'delivered' ? excerptOf(answer.excerpt) : null,
    verdict: verdict.kind,
    nextTryAt: verdict.kind === 'retry' ? verdict.nextTryAt : null,
    throttle,
    isProbe: delivery.isProbe,
  };
}

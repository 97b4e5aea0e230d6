import { Injectable } from '@nestjs/common';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Database, type Scope, type Transaction } from '../platform/db/database.js';
import { Ids } from '../platform/ids.js';
import { Log } from '../platform/logging/log.js';
import { Dispatcher } from './dispatcher.js';
import { QUEUE_KNOWN, QUEUE_NEW, STEP, TAKE_RUNNING, takeFitting, takeMissed, WITHDRAW } from './resend-sql.js';
import type { ResendRow } from './resend-view.js';

const WORKER: Scope = { role: 'worker' };
/** Orders of other processes are found so soon at the latest. */
const POLL_MS = 1_000;
/** An order takes a step so often at most. */
const STEP_EVERY_MS = 200;
/** So many of one order wait to be sent at once: its receiver sets the pace, and new events pass by the rest. */
const WAITING_MAX = 100;

interface Taken extends ResendRow {
  is_endpoint_enabled: boolean;
  waiting: number;
}

interface Candidate extends Record<string, unknown> {
  cursor_id: string;
  event_id: string;
  delivery_id: string | null;
  /** Its debt was settled meanwhile. */
  is_untrue: boolean;
}

/**
 * Works orders to send many deliveries again, a step at a time: each step queues some and remembers how far it came in
 * one transaction, so a process that dies loses and repeats nothing, and any other one goes on.
 */
@Injectable()
export class Resender extends BackgroundLoop {
  override readonly name = 'resender';
  private worked = false;

  constructor(
    private readonly database: Database,
    private readonly dispatcher: Dispatcher,
    private readonly ids: Ids,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  /** Takes steps of orders as long as one is due; an order that has just had one is due again soon. */
  protected override async turn(): Promise<number> {
    const hasWorked = this.worked;
    this.worked = await this.step();
    if (this.worked) return 0;
    return hasWorked ? STEP_EVERY_MS : POLL_MS;
  }

  protected override interrupted(error: unknown): number {
    this.log.error('resend.interrupted', {}, error);
    return POLL_MS;
  }

  /** Takes the next step of one order. False when none is due for a step. */
  private async step(): Promise<boolean> {
    const now = this.clock.now();
    const queued = await this.database.transaction(WORKER, async (tx) => {
      const before = new Date(now.getTime() - STEP_EVERY_MS);
      const { rows } = await tx.query<Taken>({ name: 'take_resend', text: TAKE_RUNNING, values: [before] });
      return rows[0] ? this.workOn(tx, rows[0], now) : null;
    });
    if (queued !== null && queued > 0) this.dispatcher.wake();
    return queued !== null;
  }

  /** Answers how many deliveries it has queued. */
  private async workOn(tx: Transaction, order: Taken, now: Date): Promise<number> {
    const room = WAITING_MAX - order.waiting;
    if (!order.is_endpoint_enabled) return this.write(tx, order, { status: 'stopped', candidates: [], now });
    if (room <= 0) return this.write(tx, order, { status: 'running', candidates: [], now });
    const candidates = (await tx.query<Candidate>(takingOf(order, room))).rows;
    await this.queue(tx, order, candidates, now);
    return this.write(tx, order, { status: candidates.length < room ? 'done' : 'running', candidates, now });
  }

  private async queue(tx: Transaction, order: Taken, candidates: Candidate[], now: Date): Promise<void> {
    const untrue = candidates.filter((each) => !isWanted(each));
    if (untrue.length > 0) {
      const events = untrue.map(({ event_id: id }) => id);
      await tx.query({ text: WITHDRAW, values: [order.client_id, knownOf(untrue), events, now] });
    }
    const wanted = candidates.filter(isWanted);
    const known = knownOf(wanted);
    const fresh = wanted.filter(({ delivery_id: id }) => id === null).map(({ event_id: id }) => id);
    if (known.length > 0) await tx.query({ text: QUEUE_KNOWN, values: [order.client_id, known, now, order.id] });
    if (fresh.length === 0) return;
    const deliveryIds = fresh.map(() => this.ids.prefixed('dlv'));
    await tx.query({
      text: QUEUE_NEW,
      values: [order.client_id, order.endpoint_id, fresh, deliveryIds, now, order.id],
    });
  }

  private async write(
    tx: Transaction,
    order: Taken,
    { status, candidates, now }: { status: ResendRow['status']; candidates: Candidate[]; now: Date },
  ): Promise<number> {
    const cursorId = candidates.at(-1)?.cursor_id ?? order.cursor_id;
    const queued = candidates.filter(isWanted).length;
    await tx.query({ text: STEP, values: [order.client_id, order.id, status, cursorId, queued, now] });
    return queued;
  }
}

function isWanted({ is_untrue: isUntrue }: Candidate): boolean {
  return !isUntrue;
}

function knownOf(candidates: readonly Candidate[]): string[] {
  return candidates.flatMap(({ delivery_id: id }) => (id === null ? [] : [id]));
}

function takingOf(order: Taken, limit: number) {
  const span = { clientId: order.client_id, afterId: order.cursor_id, endId: order.end_id };
  if (order.kind === 'missed') return takeMissed(span, order.endpoint_id ?? '', limit);
  return takeFitting(span, order.asked, limit);
}

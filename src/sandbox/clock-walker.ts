import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow, type ClientSettings } from '../clients/client-settings.js';
import type { Recovery } from '../engine/recovery.js';
import { LeaseLost, RecoveryStore } from '../engine/recovery-store.js';
import { Worker } from '../engine/worker.js';
import { WorkContexts } from '../engine/work-contexts.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { badField, conflict } from '../platform/http/domain-error.js';
import { Log } from '../platform/logging/log.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { FrozenClock } from './frozen-clock.js';
import { SandboxGateway } from './sandbox-gateway.js';

/** Longer than any recovery is open; a slip of the finger must not carry a client past every date that can be stored. */
const STEP_MAX_MS = 10 * 365 * 86_400_000;
const CLOCK_MAX_MS = Date.UTC(2200, 0, 1);
const IN_FLIGHT_MAX = 16;
/** Work held by somebody else (a charge on the wire) is waited for this long at most. */
const WAIT_MAX_MS = 60_000;
const WAIT_STEP_MS = 20;

/** Moves a test client's clock forward through everything that falls due on the way (docs/behaviour.md 7). */
@Injectable()
export class ClockWalker {
  constructor(
    private readonly database: Database,
    private readonly directory: ClientDirectory,
    private readonly store: RecoveryStore,
    private readonly worker: Worker,
    private readonly contexts: WorkContexts,
    private readonly dispatcher: Dispatcher,
    private readonly gateway: SandboxGateway,
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** @throws {DomainError} 400 `clock_backwards`, 409 `not_a_test_client` or `clock_moving`. */
  async walk(client: ClientSettings, advanceTo: Date): Promise<{ now: string; worked: number }> {
    if (!client.isTest) throw conflict('not_a_test_client', 'the clock of a live client is real time');
    const startAt = clientNow(client, this.clock.now());
    if (advanceTo < startAt) {
      throw badField(
        'advanceTo',
        'clock_backwards',
        'lies in the past of this client',
        `an instant after ${startAt.toISOString()}`,
      );
    }
    if (advanceTo.getTime() - startAt.getTime() > STEP_MAX_MS) {
      throw badField(
        'advanceTo',
        'invalid_field',
        'is too far ahead',
        'an instant at most ten years ahead of this client',
      );
    }
    if (advanceTo.getTime() > CLOCK_MAX_MS) {
      throw badField('advanceTo', 'invalid_field', 'is too far ahead', 'an instant before the year 2200');
    }
    const { database, gateway, clock } = this;
    const frozen = await FrozenClock.take({ database, gateway, clock }, client, startAt);
    const worked = await this.walkThrough(client, frozen, startAt, advanceTo).catch(async (error: unknown) => {
      // Also after a failure: a clock must not stand still.
      await frozen.release();
      throw error;
    });
    await frozen.release(advanceTo);
    await this.dispatcher.handOver(client.id);
    return { now: advanceTo.toISOString(), worked };
  }

  private async walkThrough(
    client: ClientSettings,
    frozen: FrozenClock,
    startAt: Date,
    advanceTo: Date,
  ): Promise<number> {
    let worked = 0;
    for (let at = startAt; ;) {
      const next = await this.nextAt(client.id, at);
      if (next > advanceTo) return worked;
      if (next > at) await frozen.standAt(next);
      at = next;
      worked += await this.workAt(client, at);
      worked += await this.dispatcher.releaseHeldOf(client.id, at);
    }
  }

  /** The next instant at which something of this client falls due; never before where the clock stands. */
  private async nextAt(clientId: string, at: Date): Promise<Date> {
    const { rows } = await this.database.query<{ next_at: Date | null }>(
      { role: 'tenant', clientId },
      {
        name: 'walk_next',
        text: `SELECT least(
                 (SELECT min(due_at) FROM recoveries WHERE client_id = $1 AND due_at IS NOT NULL),
                 (SELECT min(held_until) FROM webhook_deliveries WHERE client_id = $1 AND status = 'held')) AS next_at`,
        values: [clientId],
      },
    );
    const next = rows[0]?.next_at;
    if (!next) return new Date(8.64e15); // Nothing at all is waiting.
    return next > at ? next : at;
  }

  /** Works all that is due at this instant, follow-ups at the same instant included. */
  private async workAt(client: ClientSettings, at: Date): Promise<number> {
    const standing: ClientSettings = { ...client, clockFrozenAt: at, clockFrozenUntil: new Date(8.64e15) };
    let worked = 0;
    for (let waitedMs = 0; waitedMs < WAIT_MAX_MS;) {
      const due = await this.store.claimDueOfClient(client.id, at, IN_FLIGHT_MAX);
      await Promise.all(due.map((recovery) => this.workOne(recovery, standing)));
      worked += due.length;
      if (due.length > 0) continue;
      if (!(await this.isStillDue(client.id, at))) return worked;
      await sleep(WAIT_STEP_MS);
      waitedMs += WAIT_STEP_MS;
    }
    throw conflict('clock_moving', 'work that is due at this instant has been on the wire for a minute; try again');
  }

  private async workOne(recovery: Recovery, standing: ClientSettings): Promise<void> {
    // The pause of charging is read afresh: a probe of this very walk may have ended it.
    const fresh = await this.directory.settings(standing.id);
    const { chargingPausedSince, chargingProbeAt } = fresh;
    const context = await this.contexts.of({ ...standing, chargingPausedSince, chargingProbeAt }, { actor: 'engine' });
    try {
      await this.worker.work(recovery, context);
    } catch (error) {
      // As in the engine: the lease runs out, and the next claim at this instant reads before it charges.
      const ids = { clientId: recovery.clientId, transactionId: recovery.id };
      if (error instanceof LeaseLost) this.log.warn('recovery.taken_over', ids);
      else this.log.error('walk.interrupted', ids, error);
    }
  }

  private async isStillDue(clientId: string, at: Date): Promise<boolean> {
    const { rows } = await this.database.query<{ due: boolean }>(
      { role: 'tenant', clientId },
      {
        name: 'walk_still_due',
        text: `SELECT EXISTS (SELECT FROM recoveries WHERE client_id = $1 AND due_at <= $2) AS due`,
        values: [clientId, at],
      },
    );
    return rows[0]?.due === true;
  }
}

import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import type { Change, StoredAnswer } from '../engine/change.js';
import { isDebtTaken } from '../engine/debt-taken.js';
import { LeaseKeeper } from '../engine/lease-keeper.js';
import type { Recovery } from '../engine/recovery.js';
import { LeaseLost, RecoveryStore } from '../engine/recovery-store.js';
import type { WorkContext } from '../engine/work-context.js';
import { WorkContexts } from '../engine/work-contexts.js';
import { debtTaken } from '../execute/guards.js';
import { notFound } from '../platform/http/domain-error.js';
import { outcomeUnknown } from './obstacles.js';

/** A charge on the wire decides first: a command waits for it about as long as an execute may take. */
const WAIT_MS = 22_000;
const WAIT_STEP_MS = 50;
const REQUEST_MS = 22_000;

/** Who gives a command: a key of the merchant's, or a part of this service that is named on the timeline. */
export type Commander = Pick<Caller, 'clientId' | 'settings'> & ({ keyId: string } | { actor: string });

export type AnswerFor = (recovery: Recovery) => StoredAnswer | null;

/** Every command works under the recovery's lease, as a worker does. */
@Injectable()
export class RecoveryHold {
  constructor(
    private readonly store: RecoveryStore,
    private readonly contexts: WorkContexts,
    private readonly leases: LeaseKeeper,
  ) {}

  /**
   * Does `work` under the lease, after whoever works on the recovery now.
   * @throws {DomainError} 404, 409 `outcome_unknown` when that takes too long, or when another worker takes it over.
   */
  async during<T>(
    caller: Commander,
    id: string,
    work: (recovery: Recovery, context: WorkContext) => Promise<T>,
    answer: AnswerFor = () => null,
  ): Promise<T> {
    const actor = 'actor' in caller ? caller.actor : `api_key:${caller.keyId}`;
    const context = await this.contexts.of(caller.settings, { actor, timeMs: REQUEST_MS, answer });
    const recovery = await this.take(caller, id, context);
    return this.holding(recovery, () => work(recovery, context));
  }

  /** @throws {DomainError} 409 when a newer recovery holds the debt. */
  async holdingDebt(change: Change, write: () => Promise<Recovery>): Promise<Recovery> {
    try {
      return await write();
    } catch (error) {
      if (!isDebtTaken(error)) throw error;
      throw debtTaken((await this.store.holderOfDebt(change.recovery)) ?? { id: null, state: 'queued' });
    }
  }

  private async take(caller: Commander, id: string, context: WorkContext): Promise<Recovery> {
    for (let waitedMs = 0; ; waitedMs += WAIT_STEP_MS) {
      const claimed = await this.store.claimOne(caller.clientId, id);
      if (claimed) return claimed;
      if (!(await this.store.find(caller.clientId, id))) throw notFound('no recovery has this transactionId');
      if (waitedMs >= WAIT_MS) throw outcomeUnknown();
      await context.sleep(WAIT_STEP_MS);
    }
  }

  /** A command that changes nothing hands the lease back itself. */
  private async holding<T>(recovery: Recovery, work: () => Promise<T>): Promise<T> {
    try {
      return await this.leases.during(recovery, work);
    } catch (error) {
      // Another worker took it over meanwhile: nothing of this command stands, and what that one does decides first.
      if (error instanceof LeaseLost) throw outcomeUnknown();
      // Where this fails too, the lease runs out by itself; what went wrong first is what the caller must hear.
      await this.store.release(recovery).catch(() => undefined);
      throw error;
    }
  }
}

import { Injectable } from '@nestjs/common';

import { quietly, unchanged, type Change } from '../engine/change.js';
import type { AcceptedUnder } from '../engine/change-statement.js';
import { isDebtTaken } from '../engine/debt-taken.js';
import type { Recovery } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { decided, RecoveryWriter } from '../engine/recovery-writer.js';
import type { WorkContext } from '../engine/work-context.js';
import type { Transaction } from '../platform/db/database.js';
import { stopped } from './first-ends.js';
import { debtTaken, Guards } from './guards.js';
import { KeyTaken } from './idempotency.js';
import { boundKey, storedAnswer } from './stored-answer.js';

export interface PlannedAcceptance {
  change: Change;
  chargeNow: boolean;
}

/** The idempotency key of a call, and the digest of its body. */
export interface CallKey {
  key: string;
  fingerprint: Buffer;
}

export interface HowAccepted {
  key: CallKey | null;
  chargeInRequest: boolean;
}

interface Inserted {
  written: number;
  obstructed: boolean;
}

function under({ key }: HowAccepted, context: WorkContext): AcceptedUnder | null {
  return key === null ? null : { fingerprint: key.fingerprint, at: context.now() };
}

/** @throws {KeyTaken} when another call under its key has accepted a recovery meanwhile. */
function insertedOf(row: Inserted | undefined, recovery: Recovery): Recovery {
  if (row?.written !== 1) throw new KeyTaken(recovery);
  return recovery;
}

/** Lets a planned recovery in, past guards 4 to 6. */
@Injectable()
export class Intake {
  constructor(
    private readonly guards: Guards,
    private readonly store: RecoveryStore,
    private readonly writer: RecoveryWriter,
  ) {}

  /**
   * Guards and the new row in one transaction: whatever the guards saw still holds when it commits.
   * @throws {DomainError} 409 for a debt that is open or paid, or a charge asked for a moment ago. @throws {KeyTaken}
   */
  async accept(planned: PlannedAcceptance, how: HowAccepted, context: WorkContext): Promise<Recovery> {
    const { recovery } = planned.change;
    // Counted before: inside the transaction a second connection could be waited for by every one that holds a first.
    const openOthers = await this.store.otherOpenOfCustomer(recovery);
    const counted: WorkContext = { ...context, openOthers };
    try {
      return (await this.acceptUnseen(planned, how, counted)) ?? (await this.acceptSeen(planned, how, counted));
    } catch (error) {
      throw await this.clash(error, recovery);
    }
  }

  /** Most debts are new, and no guard speaks: looked up and written in one flight. Null when one does. */
  private async acceptUnseen(
    planned: PlannedAcceptance,
    how: HowAccepted,
    context: WorkContext,
  ): Promise<Recovery | null> {
    const complete = await this.complete(planned.change, planned.chargeNow, how, context);
    const { recovery } = complete;
    const obstacles = this.guards.obstacles(recovery, context.now());
    const insert = this.store.insertStatement(complete, under(how, context), obstacles);
    const [, written] = await this.store.flight(recovery.clientId, [this.guards.lock(recovery), insert]);
    const [row] = (written?.rows ?? []) as Inserted[];
    if (row?.obstructed === true) return null;
    return insertedOf(row, recovery);
  }

  private acceptSeen({ change, chargeNow }: PlannedAcceptance, how: HowAccepted, context: WorkContext) {
    const { clientId } = change.recovery;
    return this.store.transaction(clientId, async (tx) => {
      const verdict = await this.guards.check(tx, change.recovery, context.now());
      if (verdict.supersedes !== null) await this.supersede(tx, clientId, verdict.supersedes, context);
      const first = stopped(change, verdict, context);
      const complete = await this.complete(first, chargeNow && verdict.cardStop === null, how, context);
      const insert = this.store.insertStatement(complete, under(how, context));
      // Where another recovery ends with it, both wait for the word that this one was written.
      const { rows } = await (verdict.supersedes === null ? tx.end(insert) : tx.query(insert));
      return insertedOf(rows[0] as Inserted | undefined, complete.recovery);
    });
  }

  /** The row as it is inserted: leased where it is charged at once, else with the answer to its call. */
  private complete(
    change: Change,
    chargeNow: boolean,
    { key, chargeInRequest }: HowAccepted,
    context: WorkContext,
  ): Promise<Change> {
    const working = chargeNow && chargeInRequest;
    const owned = quietly(change, { leaseOwner: working ? this.store.owner : null });
    const answer = key === null ? null : working ? boundKey(key.key) : storedAnswer(key.key, owned.recovery);
    return this.writer.complete(owned, context, answer);
  }

  /** The customer has a new card: the recovery that waited for an authentication ends, without a charge. */
  private async supersede(tx: Transaction, clientId: string, id: string, context: WorkContext): Promise<void> {
    const waiting = await this.store.claimWaiting(tx, clientId, id);
    if (!waiting) return;
    const rule = { name: 'superseded', source: 'docs/lifecycle.md: a newer recovery of the debt took over' };
    const ended = decided(unchanged(waiting), { kind: 'cancelled', endReason: 'superseded', rule }, 'initial', context);
    // The newer recovery goes on with the same payment: it must stay open.
    const released = quietly(ended, { leaseOwner: null, dueAt: null, dueKind: null });
    await tx.query(this.store.saveStatement(await this.writer.complete(released, context, null)));
  }

  /** Two calls for one debt at the same moment: the index let one in, and the other is told which. */
  private async clash(error: unknown, recovery: Recovery): Promise<unknown> {
    if (!isDebtTaken(error)) return error;
    return debtTaken((await this.store.holderOfDebt(recovery)) ?? { id: null, state: 'queued' });
  }
}

import { Injectable } from '@nestjs/common';

import { Vault } from '../platform/crypto/vault.js';
import { isClosed } from '../recovery/lifecycle.js';
import { Acceptance } from './acceptance.js';
import { Charging } from './charging.js';
import { quietly, unchanged, type Change } from './change.js';
import { Closing } from './closing.js';
import { isDebtTaken } from './debt-taken.js';
import { LeaseKeeper } from './lease-keeper.js';
import { boundToMode } from './platforms-turn.js';
import { Reconciliation } from './reconciliation.js';
import { isPoison, parked } from './parking.js';
import { needsFirstReading, type Recovery } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import { Simulation } from './simulation.js';
import { tokenIdentity } from './token-identity.js';
import type { WorkContext } from './work-context.js';

/** Works one claimed recovery to the end of what can be done now. */
@Injectable()
export class Worker {
  constructor(
    private readonly acceptance: Acceptance,
    private readonly charging: Charging,
    private readonly reconciliation: Reconciliation,
    private readonly closing: Closing,
    private readonly simulation: Simulation,
    private readonly writer: RecoveryWriter,
    private readonly store: RecoveryStore,
    private readonly leases: LeaseKeeper,
    private readonly vault: Vault,
  ) {}

  /** The caller holds the lease; it is handed back with the last write. @throws {LeaseLost} */
  work(recovery: Recovery, given: WorkContext): Promise<Recovery> {
    const context = boundToMode(recovery, given);
    return this.leases.during(recovery, async () => {
      if (isPoison(recovery)) return this.writer.finish(parked(recovery, context), context);
      try {
        return await this.turn(recovery, context);
      } catch (error) {
        if (!isDebtTaken(error)) throw error;
        return this.superseded(recovery, context);
      }
    });
  }

  /**
   * What is owed was resolved only now, and another recovery holds that debt: this one ends before it charges. The index
   * refuses the write that comes before every charge, so nothing was sent.
   */
  private async superseded(claimed: Recovery, context: WorkContext): Promise<Recovery> {
    // As it is stored: this unit of work may have written before.
    const recovery = (await this.store.find(claimed.clientId, claimed.id))?.recovery ?? claimed;
    if (isClosed(recovery.state)) return this.writer.finish(moneyUnbooked(recovery), context);
    const rule = { name: 'debt_held_by_another', source: 'docs/decisions.md: one open recovery per debt' };
    const decision = { kind: 'cancelled' as const, endReason: 'superseded' as const, rule };
    const ended = decided(unchanged(recovery), decision, recovery.nextTrigger, context);
    return this.writer.finish(quietly(ended, { dueAt: null, dueKind: null }), context);
  }

  /** An operator's word on an unknown charge, under the lease that the caller holds. */
  resolve(...args: Parameters<Reconciliation['resolve']>): Promise<Recovery> {
    return this.reconciliation.resolve(...args);
  }

  /** What a look has found may ask for another charge at once, of a fallback token; then the lease is still ours. */
  private chargingOn(recovery: Recovery, context: WorkContext): Recovery | Promise<Recovery> {
    const chargesOn = recovery.leaseOwner !== null && recovery.dueKind === 'charge';
    return chargesOn ? this.charging.charge(recovery, context) : recovery;
  }

  private async turn(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    switch (recovery.dueKind) {
      case 'charge':
        return needsFirstReading(recovery) ? this.accept(recovery, context) : this.charging.charge(recovery, context);
      case 'accept':
        return this.accept(recovery, context);
      case 'settle':
        return this.chargingOn(await this.reconciliation.settleDue(recovery, context), context);
      case 'authentication':
        return this.reconciliation.lookForAuthentication(recovery, context);
      case 'simulated':
        return this.simulation.finish(recovery, context);
      case 'cancel_payment':
        return this.closing.cancelPayment(recovery, context);
      case null:
        throw new Error(`recovery ${recovery.id} was claimed with nothing due`);
    }
  }

  /** Makes up the readings that failed at acceptance, then takes the first step. */
  private async accept(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const expired = this.charging.afterDeadline(recovery, context);
    if (expired) return this.writer.finish(expired, context);
    const token = this.vault.open(recovery.tokenSealed, tokenIdentity(recovery));
    const plan = await this.acceptance.plan(recovery, token, context, 'first_reading');
    if (plan.kind === 'refused') throw new Error(`recovery ${recovery.id} was refused after its acceptance`);
    const { nextTrigger } = recovery;
    const { state, dueKind } = plan.change.recovery;
    // The merchant asked for a charge now, by a command: it does not wait for a slot.
    const asked = nextTrigger !== 'initial' && state === 'queued' && dueKind === 'charge';
    if (!plan.chargeNow && !asked) return this.writer.finish(plan.change, context);
    const due = quietly(plan.change, { dueAt: context.now(), nextTrigger });
    return this.charging.charge(await this.writer.proceed(due, context), context);
  }
}

/** Money came for an ended recovery while a newer one holds the debt, which alone may book a success: a person is told. */
function moneyUnbooked(recovery: Recovery): Change {
  const facts = { transactionId: recovery.id, amount: recovery.amountMinor, currency: recovery.currency };
  const alert = { kind: 'late_success' as const, severity: 'critical' as const, facts };
  const ended = quietly(unchanged(recovery), { dueAt: null, dueKind: null });
  return { ...ended, alerts: [{ ...alert, dedupeKey: `late_success:${recovery.id}` }] };
}

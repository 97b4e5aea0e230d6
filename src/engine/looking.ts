import { Injectable } from '@nestjs/common';

import type { InvoiceFacts, OriginalFacts, PaymentFacts, Reading } from '../gateways/gateway.js';
import { Random } from '../platform/random.js';
import { decideAfterOutcome } from '../recovery/decide.js';
import type { DeclineSignals } from '../recovery/facts.js';
import { decideInvoice, decideOriginal, type OriginalDecision } from '../recovery/original.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { step, unchanged, withSubscriptionOf, type Change } from './change.js';
import { lateSuccess } from './closing.js';
import { debtFacts } from './debt-facts.js';
import { callOptions } from './debt-reader.js';
import { DebtHistory } from './debt-history.js';
import { isDebtTaken } from './debt-taken.js';
import { platformRule } from './endings.js';
import { LeaseKeeper } from './lease-keeper.js';
import { newestChargeOf, readPaymentObject } from './payment-object.js';
import { readingEnds } from './reading-ends.js';
import { roundFactsOf, type Recovery } from './recovery.js';
import { RecoveryFinder } from './recovery-finder.js';
import { RecoveryStore } from './recovery-store.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import { hintsOf } from './transition.js';
import { Worker } from './worker.js';
import type { WorkContext } from './work-context.js';

/** What a look has led to. `unread`: the gateway is silent; `busy`: somebody else works on the recovery now. */
export type Looked =
  | { kind: 'looked'; recovery: Recovery }
  /** Money was taken back. `fingerprint` is that of the card that had paid, `isNew` whether the timeline says it since now. */
  | {
      kind: 'reversed';
      recovery: Recovery;
      how: 'refunded' | 'disputed';
      fingerprint: string | null;
      isNew: boolean;
    }
  | { kind: 'unread' }
  | { kind: 'busy' };

/**
 * Looks at a recovery's debt because somebody said that something happened to it. It never charges: what is still owed
 * keeps its schedule, what was paid, voided or taken back is booked by the same writes as everywhere.
 */
@Injectable()
export class Looking {
  constructor(
    private readonly store: RecoveryStore,
    private readonly finder: RecoveryFinder,
    private readonly worker: Worker,
    private readonly writer: RecoveryWriter,
    private readonly history: DebtHistory,
    private readonly leases: LeaseKeeper,
    private readonly random: Random,
  ) {}

  async look({ clientId, id }: Pick<Recovery, 'clientId' | 'id'>, context: WorkContext): Promise<Looked> {
    const recovery = await this.store.claimOne(clientId, id);
    if (!recovery) return { kind: 'busy' };
    try {
      return await this.leases.during(recovery, () => this.lookAt(recovery, context));
    } catch (error) {
      await this.store.release(recovery);
      throw error;
    }
  }

  private async lookAt(recovery: Recovery, context: WorkContext): Promise<Looked> {
    switch (recovery.state) {
      case 'in_progress':
      case 'reconciling':
      case 'action_required':
        return { kind: 'looked', recovery: await this.worker.work(recovery, context) };
      case 'queued':
        return recovery.simulateOutcome === null ? this.lookAtOwed(recovery, context) : this.unchanged(recovery);
      case 'succeeded':
        return this.lookAtCollected(recovery, context);
      default:
        return this.lookAtClosed(recovery, context);
    }
  }

  private async lookAtOwed(recovery: Recovery, context: WorkContext): Promise<Looked> {
    const reading = await this.read(recovery, context);
    if (reading === null) return this.unchanged(recovery);
    if (reading.kind !== 'found') return this.unread(recovery);
    const decision = await this.decide(recovery, reading.value);
    if (decision !== null) {
      return this.finish(
        readingEnds(withSubscriptionOf(unchanged(recovery), reading.value).recovery, decision, context, 'later'),
        context,
      );
    }
    const declined = newFailure(recovery, reading.value);
    return declined === null
      ? this.unchanged(recovery)
      : this.finish(this.afterForeignDecline(recovery, declined, context), context);
  }

  /** Money after the end corrects it once; anything else leaves it as it is. */
  private async lookAtClosed(recovery: Recovery, context: WorkContext): Promise<Looked> {
    if (recovery.endReason === 'superseded' || recovery.simulateOutcome !== null) return this.unchanged(recovery);
    const isWatched = recovery.dueKind === 'settle';
    if (isWatched) return { kind: 'looked', recovery: await this.worker.work(recovery, context) };
    const reading = await this.read(recovery, context);
    if (reading === null) return this.unchanged(recovery);
    if (reading.kind !== 'found') return this.unread(recovery);
    if (!isPaidAfter(recovery, reading.value)) return this.unchanged(recovery);
    try {
      // Every charge of ours is settled by now: somebody else collected this.
      return await this.finish(
        lateSuccess(
          { ...withSubscriptionOf(unchanged(recovery), reading.value).recovery, strategy: 'external' },
          context,
        ),
        context,
      );
    } catch (error) {
      // A newer recovery holds the debt: it books the money.
      if (!isDebtTaken(error)) throw error;
      return this.unchanged(recovery);
    }
  }

  /** Money taken back changes no state: timeline, alert, and this card is not charged for the debt any more. */
  private async lookAtCollected(recovery: Recovery, context: WorkContext): Promise<Looked> {
    if (recovery.simulateOutcome !== null) return this.unchanged(recovery);
    const reading = await this.read(recovery, context);
    if (reading === null) return this.unchanged(recovery);
    if (reading.kind !== 'found') return this.unread(recovery);
    const how = reversalOf(reading.value);
    if (how === null) return this.unchanged(recovery);
    const fingerprint = paidBy(reading.value) ?? recovery.cardFingerprint;
    if (await this.finder.hasStep(recovery, how)) {
      await this.store.release(recovery);
      return { kind: 'reversed', recovery, how, fingerprint, isNew: false };
    }
    const noted = await this.writer.finish(reversed(recovery, how, fingerprint, context), context);
    return { kind: 'reversed', recovery: noted, how, fingerprint, isNew: true };
  }

  /** What the debt is collected by, as it reads now; null where nothing was ever made or named for it. */
  private async read(recovery: Recovery, context: WorkContext): Promise<Reading<OriginalFacts> | null> {
    if (recovery.paymentObjectId !== null) return readPaymentObject(recovery, context, callOptions(context));
    const id = recovery.invoiceId ?? recovery.originalResolved ?? recovery.originalGatewayTransactionId;
    if (id === null) return null;
    const reading = await context.gateway.readOriginal(context.account, id, callOptions(context));
    return reading.kind === 'found' ? { kind: 'found', value: reading.value.original } : reading;
  }

  /** What the reading ends; null where the debt is still owed, or only the next charge may touch it. */
  private async decide(recovery: Recovery, read: OriginalFacts): Promise<OriginalDecision | null> {
    const facts = debtFacts(recovery);
    const decision =
      read.kind === 'invoice'
        ? decideInvoice(read, { ...facts, amountMinor: recovery.amountRequestedMinor }, 'later')
        : decideOriginal(read, { ...facts, canceledByUs: await this.isCanceledByUs(recovery, read) }, 'later');
    // Another amount is told when a charge is due: it may change again until then.
    const isEnd =
      decision.kind === 'already_paid' ||
      decision.kind === 'action_required' ||
      (decision.kind === 'end' && decision.endReason !== 'amount_changed');
    return isEnd ? decision : null;
  }

  private async isCanceledByUs(recovery: Recovery, read: OriginalFacts): Promise<boolean> {
    return read.kind === 'payment' && (await this.history.isCanceledByUs(recovery, read));
  }

  /** The platform or the merchant has tried too: the newest decline alone decides, and the gap runs from it. */
  private afterForeignDecline(
    recovery: Recovery,
    { at, signals }: { at: Date; signals: DeclineSignals },
    context: WorkContext,
  ): Change {
    const noted = step(
      unchanged(recovery),
      { lastSignals: signals, lastAttemptAt: at, anchorAt: recovery.anchorAt ?? at },
      {
        type: 'declined_elsewhere',
        rule: platformRule('attempt_of_the_platform'),
        at: context.now(),
        actor: 'gateway',
        inputs: { ...signals, failedAt: at.toISOString() },
      },
    );
    const decision = decideAfterOutcome({
      outcome: { kind: 'declined', signals },
      policy: recovery.policy,
      round: roundFactsOf(noted.recovery),
      now: context.now(),
      jitter: this.random.fraction(),
      fallbackLeft: false,
      tokenReusable: recovery.tokenReusable,
      ...hintsOf(recovery),
    });
    return decided(noted, decision, recovery.nextTrigger, context);
  }

  private async finish(change: Change, context: WorkContext): Promise<Looked> {
    return { kind: 'looked', recovery: await this.writer.finish(change, context) };
  }

  private async unchanged(recovery: Recovery): Promise<Looked> {
    await this.store.release(recovery);
    return { kind: 'looked', recovery };
  }

  private async unread(recovery: Recovery): Promise<Looked> {
    await this.store.release(recovery);
    return { kind: 'unread' };
  }
}

function paymentOf(read: OriginalFacts): PaymentFacts | null {
  return read.kind === 'charge' ? null : read.kind === 'invoice' ? read.payment : read;
}

/** A failure that came after every attempt known: none of ours, which are known with their answer. */
function newFailure(recovery: Recovery, read: OriginalFacts): { at: Date; signals: DeclineSignals } | null {
  const charge = paymentOf(read)?.latestCharge;
  if (charge?.status !== 'failed') return null;
  const knownAt = recovery.lastAttemptAt ?? recovery.createdAt;
  // Stripe tells whole seconds.
  if (charge.createdAt.getTime() <= knownAt.getTime()) return null;
  return { at: charge.createdAt, signals: charge.signals ?? paymentOf(read)?.lastError?.signals ?? NO_SIGNALS };
}

/** True where money came. After `paid_elsewhere` only a charge that is newer than the merchant's word is a second one. */
function isPaidAfter(recovery: Recovery, read: OriginalFacts): boolean {
  const charge = newestChargeOf(read);
  if (recovery.endReason === 'paid_elsewhere') {
    return charge?.status === 'succeeded' && charge.createdAt > recovery.updatedAt;
  }
  if (isReversed(read)) return false;
  return read.kind === 'charge' ? read.charge.status === 'succeeded' : isPaid(read);
}

function isPaid(read: InvoiceFacts | PaymentFacts): boolean {
  return read.kind === 'invoice' ? read.status === 'paid' : read.status === 'succeeded';
}

function isReversed(read: OriginalFacts): boolean {
  return reversalOf(read) !== null;
}

function reversalOf(read: OriginalFacts): 'refunded' | 'disputed' | null {
  const charge = newestChargeOf(read);
  if (charge?.disputed === true) return 'disputed';
  return charge?.refunded === true ? 'refunded' : null;
}

/** The card that the newest charge was made on: with an external payment, another one than we would have charged. */
function paidBy(read: OriginalFacts): string | null {
  return newestChargeOf(read)?.card?.fingerprint ?? null;
}

function reversed(
  recovery: Recovery,
  how: 'refunded' | 'disputed',
  cardFingerprint: string | null,
  context: WorkContext,
): Change {
  const rule = platformRule(`payment_${how}`);
  const noted = step(unchanged(recovery), {}, { type: how, rule, at: context.now(), actor: 'gateway' });
  const { debtName, tokenHash, amountMinor: amount, currency } = recovery;
  const facts = { transactionId: recovery.id, amount, currency, how };
  const severity = how === 'disputed' ? ('critical' as const) : ('info' as const);
  const alert = { kind: 'payment_reversed' as const, severity, facts, dedupeKey: `payment_${how}:${recovery.id}` };
  const stop = { debtName, cardFingerprint, tokenHash, kind: 'stopped' as const, signals: NO_SIGNALS };
  return { ...noted, alerts: [alert], cardStops: [stop] };
}

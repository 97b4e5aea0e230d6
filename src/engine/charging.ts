import { Injectable } from '@nestjs/common';

import type { ChargeResult, ChargeTarget, InvoiceFacts, PaymentFacts, Unavailable } from '../gateways/gateway.js';
import type { Decision } from '../recovery/facts.js';
import type { LimitHold } from '../recovery/network-limits.js';
import { rule } from '../recovery/rules.js';
import { attemptsRemaining } from '../recovery/schedule.js';
import { Vault } from '../platform/crypto/vault.js';
import { Ids } from '../platform/ids.js';
import { Random } from '../platform/random.js';
import { quietly, step, unchanged, type Change } from './change.js';
import { CardLedger } from './card-ledger.js';
import { ChargingPause } from './charging-pause.js';
import { DebtReader, type ChargeClearance } from './debt-reader.js';
import { FallbackTokens } from './fallback-tokens.js';
import { refuseByLimit } from './limit-refusal.js';
import { platformsTurn } from './platforms-turn.js';
import { roundFactsOf, type Attempt, type Recovery } from './recovery.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import { Settlement } from './settlement.js';
import { tokenIdentity } from './token-identity.js';
import { move, routeOf } from './transition.js';
import { CHARGE_TIME_MIN_MS, rereadAt, type WorkContext } from './work-context.js';

const BACK_OFF_SENDS_MAX = 3;
const BACK_OFF_WAIT_MAX_MS = 5_000;

/** Charges one due recovery: reads first, stores the attempt with its key, calls, settles. */
@Injectable()
export class Charging {
  constructor(
    private readonly reader: DebtReader,
    private readonly pause: ChargingPause,
    private readonly settlement: Settlement,
    private readonly writer: RecoveryWriter,
    private readonly ledger: CardLedger,
    private readonly fallbacks: FallbackTokens,
    private readonly random: Random,
    private readonly vault: Vault,
    private readonly ids: Ids,
  ) {}

  /** Never throws for what the gateway does. @throws {LeaseLost} when another worker took over meanwhile. */
  async charge(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const standing = await this.standStill(recovery, context);
    if (standing) return this.writer.finish(standing, context);

    const clearance = await this.reader.clearForCharge(recovery, context);
    switch (clearance.kind) {
      case 'stop':
        return this.stop(clearance.change, context);
      case 'unread':
        return this.readAgainLater(recovery, clearance.unavailable, context);
      case 'cleared': {
        const platformFirst = platformsTurn(clearance, this.random.fraction(), context);
        if (platformFirst) return this.writer.finish(platformFirst, context);
        // The readings had the same time: a charge that could not be answered in what is left of it is not begun.
        return context.timeLeftMs() < CHARGE_TIME_MIN_MS
          ? this.writer.finish(quietly(unchanged(clearance.recovery), { dueAt: context.now() }), context)
          : this.send(clearance, context);
      }
    }
  }

  /** Sends a stored attempt again under its own key, after a reading found that it was not executed. */
  async resend(recovery: Recovery, attempt: Attempt, context: WorkContext): Promise<Recovery> {
    const sent: Attempt = { ...attempt, sentAt: context.now(), outcome: null };
    const result = await this.call(recovery, sent, targetOf(recovery), context);
    // Whatever it answers now, reconciliation brought it about; the attempt's own row keeps why it was first made.
    const settling: Attempt = { ...sent, trigger: 'reconciliation' };
    return this.settlement.settle(unchanged(recovery), settling, result, context);
  }

  /** The end of a recovery whose deadline has passed; null before. */
  afterDeadline(recovery: Recovery, context: WorkContext): Change | null {
    if (context.now() < recovery.deadlineAt) return null;
    const decision: Decision = { kind: 'failed', endReason: 'deadline', detail: null, rule: rule('deadline_passed') };
    return decided(unchanged(recovery), decision, recovery.nextTrigger, context);
  }

  /** Why nothing is charged right now although it is due; null when nothing stands in the way. */
  private async standStill(recovery: Recovery, context: WorkContext): Promise<Change | null> {
    const now = context.now();
    const expired = this.afterDeadline(recovery, context);
    if (expired) return expired;
    const heldUntil = await this.pause.heldUntil(context.client, now);
    if (heldUntil) return quietly(unchanged(recovery), { dueAt: heldUntil });
    if (context.timeLeftMs() < CHARGE_TIME_MIN_MS) return quietly(unchanged(recovery), { dueAt: now });
    return null;
  }

  private async stop(change: Change, context: WorkContext): Promise<Recovery> {
    // A payment that must be replaced is: at once, in this same unit of work.
    const again = change.recovery.state === 'queued' && change.recovery.dueAt && change.recovery.dueAt <= context.now();
    if (!again) return this.writer.finish(change, context);
    return this.charge(await this.writer.proceed(change, context), context);
  }

  private async readAgainLater(recovery: Recovery, cause: Unavailable, context: WorkContext): Promise<Recovery> {
    const now = context.now();
    const readAt = rereadAt(now, recovery.readingsFailed);
    const dueAt = readAt < recovery.deadlineAt ? readAt : recovery.deadlineAt;
    const noted = step(
      unchanged(recovery),
      { dueAt, readingsFailed: recovery.readingsFailed + 1, engineApplied: true },
      {
        type: 'reading_failed',
        rule: { name: 'gateway_silent', source: 'docs/decisions.md: an unread debt is not charged' },
        at: now,
        actor: 'engine',
        inputs: { cause: cause.cause, message: cause.message },
      },
    );
    return this.writer.finish(noted, context);
  }

  private async send(clearance: ChargeClearance, context: WorkContext): Promise<Recovery> {
    const { change, attempt } = this.open(clearance, context);
    // Stored with its key before the call: after a crash this charge is read, and never made a second time.
    const card = this.ledger.neverCharged(change.recovery);
    const opening = await this.writer.proceedUnless(change, context, card, (tx) =>
      this.ledger.held(tx, change.recovery, context.now()),
    );
    if (opening.kind === 'obstacle') return this.heldBack(clearance.recovery, opening.found, context);
    const opened = opening.recovery;
    const result = await this.call(opened, attempt, targetOf(opened), context);
    const settled = await this.settlement.settle(unchanged(opened), attempt, result, context);
    const chargesOn = settled.leaseOwner !== null;
    return chargesOn ? this.charge(settled, context) : settled;
  }

  /** A network's limit refuses the charge: it waits, ends, or goes to another card that the customer consented to. */
  private async heldBack(recovery: Recovery, hold: LimitHold, context: WorkContext): Promise<Recovery> {
    const { change, toFallback } = refuseByLimit(recovery, hold, this.random.fraction(), context);
    if (!toFallback) return this.writer.finish(change, context);
    const { kind, change: taken } = await this.fallbacks.take(change, context);
    // None of the others can be charged: decided once more, without them.
    if (kind === 'none') return this.heldBack(taken.recovery, hold, context);
    return this.charge(await this.writer.proceed(taken, context), context);
  }

  private open({ recovery, payment, amountMinor }: ChargeClearance, context: WorkContext) {
    const now = context.now();
    const scheduled = recovery.nextTrigger === 'scheduled_retry';
    const id = this.ids.prefixed('att');
    const attempt: Attempt = {
      clientId: recovery.clientId,
      id,
      recoveryId: recovery.id,
      number: recovery.attemptsOpened + 1,
      round: recovery.round,
      trigger: recovery.nextTrigger,
      strategy: recovery.strategy,
      amountMinor,
      currency: recovery.currency,
      tokenHash: recovery.tokenHash,
      cardFingerprint: recovery.cardFingerprint,
      cardBrand: recovery.card?.brand ?? null,
      paymentObjectId: recovery.paymentObjectId ?? '',
      gatewayKey: `${recovery.id}:${id}`,
      witness: witnessOf(payment),
      outcome: null,
      loss: null,
      openedAt: now,
      sentAt: now,
      lostAt: null,
      endedAt: null,
      signals: null,
      declineCode: null,
      networkDeclineCode: null,
      adviceCode: null,
      gatewayTransactionToken: null,
      scheduled,
    };
    const taken = {
      chargesMade: recovery.chargesMade + 1,
      scheduledTaken: recovery.scheduledTaken + (scheduled ? 1 : 0),
    };
    const opened = move(
      unchanged(recovery),
      {
        state: 'in_progress',
        // Due at once to whoever finds the lease expired: the charge is then read, not repeated.
        dueAt: now,
        dueKind: 'settle',
        patch: {
          amountMinor,
          attemptsOpened: attempt.number,
          attemptCount: recovery.attemptCount + 1,
          ...taken,
          attemptsRemaining: remainingOf({ ...recovery, ...taken }),
          gatewaysAttempted: 1,
          engineApplied: true,
          readingsFailed: 0,
          waitingSince: null,
        },
        type: 'charge_opened',
        rule: { name: `trigger:${attempt.trigger}`, source: 'docs/decisions.md' },
      },
      {
        at: now,
        actor: context.actor,
        inputs: { attemptId: id, number: attempt.number, strategy: attempt.strategy, amount: amountMinor },
      },
    );
    return { attempt, change: { ...opened, attemptsOpened: [attempt] } };
  }

  /** One charging call. A limiter that spoke before execution is asked again, under the same key. */
  private async call(
    recovery: Recovery,
    attempt: Attempt,
    target: ChargeTarget,
    context: WorkContext,
  ): Promise<ChargeResult> {
    const paymentMethodToken = this.vault.open(recovery.tokenSealed, tokenIdentity(recovery));
    const returnUrl = context.returnUrl;
    const request = {
      target:
        target.kind === 'payment' ? { ...target, returnUrl: recovery.paymentReturnUrl ? returnUrl : null } : target,
      paymentMethodToken,
      idempotencyKey: attempt.gatewayKey,
    };
    for (let sends = 1; ; sends++) {
      const timeoutMs = Math.max(1, Math.min(context.callTimeoutMs, context.timeLeftMs()));
      const result = await context.gateway.charge(context.account, request, { timeoutMs });
      if (result.kind !== 'back_off' || result.keyInUse || sends === BACK_OFF_SENDS_MAX) return result;
      const waitMs = Math.min(result.retryAfterMs, BACK_OFF_WAIT_MAX_MS);
      if (result.retryAfterMs > BACK_OFF_WAIT_MAX_MS || waitMs > context.timeLeftMs()) return result;
      await context.sleep(waitMs);
    }
  }
}

/** What the schedule leaves after this charge, should it be declined like the one before. */
function remainingOf(recovery: Recovery): number {
  return attemptsRemaining(recovery.policy, routeOf(recovery)?.group ?? 'ambiguous', roundFactsOf(recovery));
}

function targetOf(recovery: Recovery): ChargeTarget {
  const id = recovery.paymentObjectId;
  if (id === null) throw new Error(`recovery ${recovery.id} is charged without a payment object`);
  return recovery.paymentObjectKind === 'invoice'
    ? { kind: 'invoice', invoiceId: id }
    : { kind: 'payment', paymentId: id, returnUrl: null };
}

/** What the payment reads just before a charge, so that a lost answer can be told from a change. */
export function witnessOf(payment: PaymentFacts | InvoiceFacts['payment']): Attempt['witness'] {
  return {
    paymentId: payment?.id ?? null,
    latestChargeId: payment?.latestCharge?.id ?? null,
    lastErrorLogUrl: payment?.lastError?.requestLogUrl ?? null,
  };
}

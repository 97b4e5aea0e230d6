import { Injectable } from '@nestjs/common';

import type { InvoiceFacts, PaymentFacts } from '../gateways/gateway.js';
import { decideAfterAuthenticationLook } from '../recovery/decide.js';
import type { Outcome } from '../recovery/facts.js';
import {
  LOST_FOR_TOO_LONG_MS,
  nextBankPollAt,
  PENDING_FOR_TOO_LONG_MS,
  whatNotExecutedAllows,
} from '../recovery/looks.js';
import { readSettlement, type Settlement as Reading } from '../recovery/payment-looks.js';
import { rule } from '../recovery/rules.js';
import { isClosed } from '../recovery/lifecycle.js';
import { quietly, step, unchanged, withSubscriptionOf, type AlertDraft, type Change } from './change.js';
import { Charging } from './charging.js';
import { callOptions } from './debt-reader.js';
import { DebtHistory } from './debt-history.js';
import { EndedCharges } from './ended-charges.js';
import { lookedInVain } from './looked-in-vain.js';
import { readPaymentObject } from './payment-object.js';
import { roundFactsOf, type Attempt, type Recovery } from './recovery.js';
import { decided, endAttempt, RecoveryWriter } from './recovery-writer.js';
import { LeaseLost, RecoveryStore } from './recovery-store.js';
import { Settlement } from './settlement.js';
import { hintsOf } from './transition.js';
import { rereadAt, type WorkContext } from './work-context.js';

/** Settles what is not known by reading the gateway: never by guessing, never by charging first. */
@Injectable()
export class Reconciliation {
  constructor(
    private readonly store: RecoveryStore,
    private readonly writer: RecoveryWriter,
    private readonly history: DebtHistory,
    private readonly settlement: Settlement,
    private readonly charging: Charging,
    private readonly ended: EndedCharges,
  ) {}

  /** One look at a charge that is unknown, or still at the bank. */
  async settleDue(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const attempt = await this.store.openAttempt(recovery);
    if (attempt && isClosed(recovery.state)) return this.ended.look(recovery, attempt, context);
    if (!attempt) throw await this.withoutAttempt(recovery);
    const [held, open] = await this.asLost(recovery, attempt, context);
    const reading = await readPaymentObject(held, context, callOptions(context));
    if (reading.kind !== 'found') return this.lookAgain(held, open, context, { reading: reading.kind });
    const byUs = await this.history.isCanceledByUs(held, reading.value);
    const settled = readSettlement(open.witness, reading.value, byUs);
    const tokened = quietly(unchanged(held), {
      gatewayTransactionToken: tokenOf(reading.value) ?? held.gatewayTransactionToken,
    });
    const told = withSubscriptionOf(tokened, reading.value);
    return this.conclude(told, open, settled, isOwedAnother(open, reading.value), context);
  }

  /** A worker that stood still for longer than its lease finds the charge settled by another one: no bug of ours. */
  private async withoutAttempt(recovery: Recovery): Promise<Error> {
    const stored = await this.store.find(recovery.clientId, recovery.id);
    if (stored?.recovery.leaseToken !== recovery.leaseToken) return new LeaseLost(recovery);
    return new Error(`recovery ${recovery.id} is ${recovery.state} without an open attempt`);
  }

  /** Books what an operator knows of an unknown charge, once a reading has agreed with it. */
  async resolve(
    recovery: Recovery,
    attempt: Attempt,
    outcome: 'succeeded' | 'not_executed',
    evidence: { gatewayId?: string; note: string },
    context: WorkContext,
  ): Promise<Recovery> {
    const noted = step(
      unchanged(recovery),
      {},
      {
        type: 'resolved_by_hand',
        rule: { name: 'evidence', source: 'POST /api/recovery/{transactionId}/resolve' },
        at: context.now(),
        actor: context.actor,
        inputs: { attemptId: attempt.id, outcome, ...evidence },
      },
    );
    if (outcome === 'not_executed') return this.replaceAttempt(noted.recovery, attempt, context, noted);
    const token = evidence.gatewayId ?? recovery.gatewayTransactionToken;
    const tokened = quietly(noted, { gatewayTransactionToken: token });
    return this.settlement.book(tokened, attempt, { kind: 'succeeded' }, 'reconciliation', context);
  }

  /** One look at a payment that the customer must authenticate. */
  async lookForAuthentication(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const now = context.now();
    if (recovery.paymentObjectId === null) {
      return this.writer.finish(this.afterAuthenticationLook(recovery, { kind: 'requires_action' }, context), context);
    }
    const reading = await readPaymentObject(recovery, context, callOptions(context));
    if (reading.kind !== 'found') {
      if (now >= recovery.deadlineAt) {
        const outcome: Outcome = { kind: 'requires_action' };
        return this.writer.finish(this.afterAuthenticationLook(recovery, outcome, context), context);
      }
      const readAt = rereadAt(now, recovery.readingsFailed);
      const dueAt = readAt < recovery.deadlineAt ? readAt : recovery.deadlineAt;
      const patch = { dueAt, readingsFailed: recovery.readingsFailed + 1 };
      return this.writer.finish(quietly(unchanged(recovery), patch), context);
    }
    const settled = readSettlement({ paymentId: null, latestChargeId: null, lastErrorLogUrl: null }, reading.value);
    const known = settled.kind === 'not_executed' || settled.kind === 'unclear' ? REQUIRES_ACTION : settled;
    const seen = withSubscriptionOf(unchanged(recovery), reading.value).recovery;
    return this.writer.finish(this.afterAuthenticationLook(seen, known, context), context);
  }

  private afterAuthenticationLook(recovery: Recovery, outcome: Outcome, context: WorkContext): Change {
    const now = context.now();
    const decision = decideAfterAuthenticationLook({
      outcome,
      policy: recovery.policy,
      round: roundFactsOf(recovery),
      now,
      jitter: 0,
      fallbackLeft: false,
      tokenReusable: recovery.tokenReusable,
      ...hintsOf(recovery),
      waitingSince: recovery.waitingSince ?? now,
      paymentReplaced: true,
    });
    if (decision.kind === 'action_required')
      return quietly(unchanged(recovery), { dueAt: decision.dueAt, readingsFailed: 0 });
    if (decision.kind === 'await_bank') return quietly(unchanged(recovery), { dueAt: nextBankPollAt(now, now) });
    // Paid by the customer, on-session: nothing of ours collected it.
    const trigger = decision.kind === 'succeeded' ? 'external' : recovery.nextTrigger;
    return decided(unchanged(recovery), decision, trigger, context, { outcome: outcome.kind });
  }

  /** A lease that ran out with a charge on the wire: the reply is lost, counted from the attempt's opening. */
  private async asLost(recovery: Recovery, attempt: Attempt, context: WorkContext): Promise<[Recovery, Attempt]> {
    if (attempt.outcome !== null) return [recovery, attempt];
    const lostAt = attempt.sentAt;
    const lost: Attempt = { ...attempt, outcome: 'unknown', loss: 'lost_reply', lostAt };
    const now = context.now();
    const decision = { kind: 'reconcile' as const, dueAt: now, rule: rule('outcome_unknown') };
    const waiting = quietly(unchanged(recovery), { waitingSince: lostAt });
    const change = decided(waiting, decision, attempt.trigger, context, { attemptId: attempt.id, takenOver: true });
    const written = await this.writer.proceed({ ...change, attemptsEnded: [lost] }, context);
    return [written, lost];
  }

  private conclude(
    change: Change,
    attempt: Attempt,
    settled: Reading,
    owedAnother: boolean,
    context: WorkContext,
  ): Promise<Recovery> {
    switch (settled.kind) {
      case 'not_executed':
        return this.notExecuted(change.recovery, attempt, owedAnother, context);
      case 'unclear':
        return this.lookAgain(change.recovery, attempt, context, { reading: 'unmapped status' });
      case 'pending':
        return attempt.outcome === 'pending'
          ? this.lookAgain(change.recovery, attempt, context, { reading: 'processing' })
          : this.settlement.book(quietly(change, { waitingSince: null }), attempt, settled, 'reconciliation', context);
      default:
        return this.settlement.book(change, attempt, settled, 'reconciliation', context);
    }
  }

  private async notExecuted(
    recovery: Recovery,
    attempt: Attempt,
    owedAnother: boolean,
    context: WorkContext,
  ): Promise<Recovery> {
    const now = context.now();
    const lostAt = attempt.lostAt ?? attempt.openedAt;
    const loss = attempt.loss ?? 'lost_reply';
    switch (whatNotExecutedAllows({ loss, lostAt, firstSentAt: attempt.openedAt, now })) {
      case 'look_again':
        return this.lookAgain(recovery, attempt, context, { reading: 'not executed so far' });
      case 'resend_same_key':
        // After the deadline nothing is charged any more, under whatever key: the new attempt ends the round. And one
        // whose invoice asks for another amount by now is weighed anew.
        return now < recovery.deadlineAt && !owedAnother
          ? this.resend(recovery, attempt, context)
          : this.replaceAttempt(recovery, attempt, context);
      case 'new_attempt':
        return this.replaceAttempt(recovery, attempt, context);
    }
  }

  private async resend(recovery: Recovery, attempt: Attempt, context: WorkContext): Promise<Recovery> {
    const now = context.now();
    const sent: Attempt = { ...attempt, sentAt: now, outcome: null };
    const noted = step(
      unchanged(recovery),
      { state: 'in_progress', dueAt: now, dueKind: 'settle', waitingSince: null },
      {
        type: 'charge_resent',
        rule: { name: 'not_executed_same_key', source: 'docs/decisions.md#after-an-attempt' },
        at: now,
        actor: 'engine',
        inputs: { attemptId: attempt.id },
      },
    );
    const written = await this.writer.proceed(
      { ...noted, attemptsEnded: [{ ...sent, lostAt: null, loss: null }] },
      context,
    );
    return this.charging.resend(written, { ...sent, lostAt: null, loss: null }, context);
  }

  /** The gateway would replay its 5xx under the old key for ever: a new attempt goes to the same payment object. */
  private async replaceAttempt(
    recovery: Recovery,
    attempt: Attempt,
    context: WorkContext,
    start: Change = unchanged(recovery),
  ): Promise<Recovery> {
    const now = context.now();
    // It keeps the slot of the schedule that it took: the new attempt is no further scheduled one.
    const ended = endAttempt(start, { ...attempt, scheduled: false }, 'not_executed', {}, context);
    const { attemptsRemaining } = ended.recovery;
    const decision = {
      kind: 'retry' as const,
      dueAt: now,
      attemptsRemaining,
      rule: { name: 'not_executed_new_key', source: 'docs/decisions.md#after-an-attempt' },
    };
    const queued = decided(ended, decision, attempt.trigger, context, { attemptId: attempt.id });
    const written = await this.writer.proceed(quietly(queued, { nextTrigger: 'reconciliation' }), context);
    return this.charging.charge(written, context);
  }

  /** Nothing new: the next look is set, and after a long time a person is asked to settle it. */
  private lookAgain(
    recovery: Recovery,
    attempt: Attempt,
    context: WorkContext,
    inputs: Record<string, string>,
  ): Promise<Recovery> {
    const now = context.now();
    const { change: noted, since, atBank, dueAt } = lookedInVain(recovery, attempt, inputs, now);
    // A debit at the bank takes the days it takes: the round's deadline waits for it.
    const suspended =
      atBank && dueAt >= recovery.deadlineAt
        ? quietly(noted, { deadlineAt: new Date(dueAt.getTime() + 3_600_000) })
        : noted;
    return this.writer.finish({ ...suspended, alerts: overdue(recovery, since, now, atBank) }, context);
  }
}

const REQUIRES_ACTION: Outcome = { kind: 'requires_action' };

/** An invoice is paid with whatever is left of it: what was asked for must still be that. */
function isOwedAnother({ amountMinor, currency }: Attempt, reading: PaymentFacts | InvoiceFacts): boolean {
  if (reading.kind !== 'invoice') return false;
  return reading.amountRemainingMinor !== amountMinor || reading.currency !== currency;
}

function overdue(recovery: Recovery, since: Date, now: Date, atBank: boolean): AlertDraft[] {
  const ageMs = now.getTime() - since.getTime();
  const limitMs = atBank ? PENDING_FOR_TOO_LONG_MS : LOST_FOR_TOO_LONG_MS;
  if (ageMs < limitMs) return [];
  const facts = { transactionId: recovery.id, since: since.toISOString(), atBank };
  return [
    {
      kind: 'charge_unknown_for_long',
      severity: 'critical',
      facts,
      dedupeKey: `charge_unknown_for_long:${recovery.id}`,
    },
  ];
}

function tokenOf(reading: PaymentFacts | InvoiceFacts): string | null {
  return reading.kind === 'invoice' ? (reading.payment?.id ?? reading.id) : reading.id;
}

import { Injectable } from '@nestjs/common';

import type { PaymentFacts, Reading, Unavailable } from '../gateways/gateway.js';
import type { Decision } from '../recovery/facts.js';
import { decideInvoice, decideOriginal, type OriginalDecision } from '../recovery/original.js';
import { quietly, unchanged, withSubscriptionOf, type Change } from './change.js';
import { ChargingPause } from './charging-pause.js';
import { debtFacts, openBeside } from './debt-facts.js';
import { DebtHistory } from './debt-history.js';
import type { Recovery } from './recovery.js';
import { readingEnds, refusedByGateway } from './reading-ends.js';
import { decided } from './recovery-writer.js';
import type { WorkContext } from './work-context.js';

export interface ChargeClearance {
  kind: 'cleared';
  recovery: Recovery;
  /** As it reads just before the charge; null for an invoice that has no payment yet. */
  payment: PaymentFacts | null;
  amountMinor: number;
  /** When the billing platform itself tries to collect the invoice next. */
  nextAttemptAt?: Date | null;
}

/** `stop` carries what the reading led to; `unread` means that nothing is known now and nothing may be charged. */
export type Clearance =
  ChargeClearance | { kind: 'stop'; change: Change } | { kind: 'unread'; unavailable: Unavailable };

/** Reads a debt before each charge: is it still owed, and is there one payment object to charge? */
@Injectable()
export class DebtReader {
  constructor(
    private readonly pause: ChargingPause,
    private readonly history: DebtHistory,
  ) {}

  async clearForCharge(recovery: Recovery, context: WorkContext): Promise<Clearance> {
    const original = await this.readOriginal(recovery, context);
    if (original) return original;
    if (standsBeside(recovery)) {
      const cancelled = await this.cancelEarlier(recovery, recovery.paymentToCancel, context);
      if (cancelled) return cancelled;
    }
    if (recovery.paymentObjectKind === 'invoice') return this.readInvoice(recovery, context);
    return recovery.paymentObjectId === null
      ? this.makePayment(recovery, context)
      : this.readPayment(recovery, recovery.paymentObjectId, context);
  }

  /** The original charge, where it is not itself what we charge. Null: it does not stand in the way. */
  private async readOriginal(recovery: Recovery, context: WorkContext): Promise<Clearance | null> {
    const id = recovery.originalResolved ?? recovery.originalGatewayTransactionId;
    if (id === null || id === recovery.paymentObjectId) return null;
    const reading = await context.gateway.readOriginal(context.account, id, callOptions(context));
    if (reading.kind !== 'found') return this.unanswered(recovery, reading, context);
    // Canceled, or a failed bare charge, it made room for a payment of ours: it must only not have been paid since.
    const facts = { ...debtFacts(recovery), madeByUs: false, checkoutOwned: reading.value.checkoutOwned };
    const decision = decideOriginal(reading.value.original, facts, 'first_reading');
    if (decision.kind === 'create_new') return null;
    const stands = decision.kind === 'adopt' || decision.kind === 'charge_invoice';
    // Something else is charged for this debt: an original that can be paid as well must not stand beside it.
    const refusal = stands ? openBeside(id, recovery.paymentObjectId ?? 'a new payment') : decision;
    return this.carryOut(recovery, refusal, null, context);
  }

  private async readInvoice(recovery: Recovery, context: WorkContext): Promise<Clearance> {
    const id = recovery.paymentObjectId ?? '';
    const reading = await context.gateway.readInvoice(context.account, id, callOptions(context));
    if (reading.kind !== 'found') return this.unanswered(recovery, reading, context);
    // What was asked for is the bound, whatever was left of it in between.
    const facts = { ...debtFacts(recovery), amountMinor: recovery.amountRequestedMinor };
    const decision = decideInvoice(reading.value, facts, 'later');
    const { nextAttemptAt, payment } = reading.value;
    const known = withSubscriptionOf(unchanged(recovery), reading.value).recovery;
    const clearance = await this.carryOut(known, decision, payment, context);
    return clearance.kind === 'cleared' ? { ...clearance, nextAttemptAt } : clearance;
  }

  private async readPayment(recovery: Recovery, id: string, context: WorkContext): Promise<Clearance> {
    const reading = await context.gateway.readPayment(context.account, id, callOptions(context));
    if (reading.kind !== 'found') return this.unanswered(recovery, reading, context);
    const canceledByUs = await this.history.isCanceledByUs(recovery, reading.value);
    const decision = decideOriginal(reading.value, { ...debtFacts(recovery), canceledByUs }, 'later');
    return this.carryOut(recovery, decision, reading.value, context);
  }

  private async carryOut(
    recovery: Recovery,
    decision: OriginalDecision,
    payment: PaymentFacts | null,
    context: WorkContext,
  ): Promise<Clearance> {
    switch (decision.kind) {
      case 'adopt': {
        const paymentReturnUrl = payment?.allowsRedirects ?? recovery.paymentReturnUrl;
        return {
          kind: 'cleared',
          recovery: { ...recovery, paymentReturnUrl },
          payment,
          amountMinor: recovery.amountMinor,
        };
      }
      case 'charge_invoice':
        return { kind: 'cleared', recovery, payment, amountMinor: decision.amountMinor };
      case 'create_new':
        return this.makePayment(replaced(recovery), context);
      case 'cancel_then_create': {
        // Stored before it is cancelled: else the cancel, read after a crash, would be taken for the merchant's word.
        const leaving = { ...replaced(recovery), paymentToCancel: decision.paymentId };
        return { kind: 'stop', change: quietly(unchanged(leaving), { dueAt: context.now(), dueKind: 'charge' }) };
      }
      case 'read_invoice':
        return this.moveToInvoice(recovery, decision.invoiceId, context);
      default:
        return { kind: 'stop', change: readingEnds(recovery, decision, context, 'later') };
    }
  }

  /** The payment turned out to belong to an invoice: that invoice is paid, never a payment beside it. */
  private moveToInvoice(recovery: Recovery, invoiceId: string, context: WorkContext): Promise<Clearance> {
    const moved: Recovery = {
      ...recovery,
      invoiceId,
      paymentObjectId: invoiceId,
      paymentObjectKind: 'invoice',
      paymentIsOurs: false,
    };
    return this.readInvoice(moved, context);
  }

  /** The payment that a customer can authenticate on-session: the invoice's, the debt's, or a new one, unconfirmed. */
  async payableByCustomer(recovery: Recovery, context: WorkContext): Promise<Clearance> {
    const cleared = await this.clearForCharge(recovery, context);
    if (cleared.kind === 'stop' && isReplacing(recovery, cleared.change.recovery)) {
      return this.payableByCustomer(cleared.change.recovery, context);
    }
    if (cleared.kind !== 'cleared') return cleared;
    const token = cleared.payment?.id ?? cleared.recovery.paymentObjectId;
    return { ...cleared, recovery: { ...cleared.recovery, gatewayTransactionToken: token } };
  }

  /** Makes the debt's one payment, unconfirmed. An earlier one that no longer fits is read as canceled first. */
  private async makePayment(recovery: Recovery, context: WorkContext): Promise<Clearance> {
    if (recovery.paymentToCancel !== null) {
      const cancelled = await this.cancelEarlier(recovery, recovery.paymentToCancel, context);
      if (cancelled) return cancelled;
    }
    const created = await context.gateway.createPayment(
      context.account,
      {
        amountMinor: recovery.amountMinor,
        currency: recovery.currency,
        customerId: recovery.gatewayCustomerId,
        metadata: {
          revtainTransactionId: recovery.id,
          ...(recovery.reference === null ? {} : { reference: recovery.reference }),
        },
        // All else is fixed with the recovery; a new card may be another customer's.
        idempotencyKey: `${recovery.id}:payment:${recovery.paymentReplacements}:${recovery.gatewayCustomerId ?? 'none'}`,
      },
      callOptions(context),
    );
    if (created.kind !== 'found') return this.unanswered(recovery, created, context);
    const made: Recovery = {
      ...recovery,
      paymentObjectId: created.value.id,
      paymentObjectKind: 'payment',
      paymentIsOurs: true,
      paymentReturnUrl: created.value.allowsRedirects,
      gatewayTransactionToken: created.value.id,
    };
    return { kind: 'cleared', recovery: made, payment: created.value, amountMinor: recovery.amountMinor };
  }

  /** Null when the earlier payment reads as canceled, so that a new one may be made. */
  private async cancelEarlier(recovery: Recovery, id: string, context: WorkContext): Promise<Clearance | null> {
    const key = `${recovery.id}:cancel:${id}`;
    const cancelled = await context.gateway.cancelPayment(context.account, id, key, callOptions(context));
    const reading = cancelled.kind === 'rejected' ? await this.reread(id, context) : cancelled;
    if (reading.kind !== 'found') return this.unanswered(recovery, reading, context);
    if (reading.value.status === 'canceled') return null;
    const decision = decideOriginal(reading.value, debtFacts(recovery), 'later');
    const stillOpen = decision.kind === 'adopt' || decision.kind === 'cancel_then_create';
    const change = readingEnds(recovery, stillOpen ? { kind: 'wait' } : decision, context, 'later');
    return { kind: 'stop', change };
  }

  private reread(id: string, context: WorkContext): Promise<Reading<PaymentFacts>> {
    return context.gateway.readPayment(context.account, id, callOptions(context));
  }

  private async unanswered(
    recovery: Recovery,
    reading: Exclude<Reading<unknown>, { kind: 'found' }>,
    context: WorkContext,
  ): Promise<Clearance> {
    switch (reading.kind) {
      case 'unavailable':
        return { kind: 'unread', unavailable: reading };
      case 'account_refused':
        return { kind: 'stop', change: await this.pauseClient(recovery, reading, context) };
      case 'not_found':
      case 'rejected': {
        const detail = reading.kind === 'not_found' ? 'original_transaction_not_found' : refusedField(reading.code);
        const change = refusedByGateway(recovery, detail, reading, context);
        return { kind: 'stop', change };
      }
    }
  }

  /** The gateway refuses the merchant's credentials: nothing of this client is charged for now (docs/behaviour.md 4). */
  async pauseClient(
    recovery: Recovery,
    refusal: { status: number; code: string | null; message: string; requestId: string | null },
    context: WorkContext,
  ): Promise<Change> {
    const dueAt = await this.pause.begin(recovery.clientId, context.now());
    const { status, code, requestId } = refusal;
    const decision: Decision = { kind: 'retry', dueAt, attemptsRemaining: recovery.attemptsRemaining, rule: ACCOUNT };
    const queued = decided(unchanged(recovery), decision, recovery.nextTrigger, context, { status, code, requestId });
    const alert = {
      kind: 'credentials_refused' as const,
      severity: 'critical' as const,
      facts: { status, code, requestId },
      dedupeKey: 'credentials_refused',
    };
    return quietly({ ...queued, alerts: [...queued.alerts, alert] }, { nextTrigger: recovery.nextTrigger });
  }
}

const ACCOUNT: Decision['rule'] = { name: 'account_refused', source: 'docs/decisions.md: the account, not the debt' };

/** The gateway has its own least and greatest amounts for a currency. */
function refusedField(code: string | null): 'invalid_amount' | 'invalid_field' {
  return code === 'amount_too_small' || code === 'amount_too_large' ? 'invalid_amount' : 'invalid_field';
}

/** A gone payment makes room for the next of the same recovery, under a key of its own. */
function replaced(recovery: Recovery): Recovery {
  if (recovery.paymentObjectId === null) return recovery;
  return { ...recovery, paymentObjectId: null, paymentReplacements: recovery.paymentReplacements + 1 };
}

/** An earlier payment of ours that is still to be cancelled, while another object is charged for the first time. */
function standsBeside(recovery: Recovery): recovery is Recovery & { paymentToCancel: string } {
  const { paymentToCancel, paymentObjectId, attemptsOpened } = recovery;
  return paymentToCancel !== null && paymentObjectId !== null && attemptsOpened === 0;
}

function isReplacing(before: Recovery, after: Recovery): boolean {
  return before.paymentObjectId !== null && after.paymentObjectId === null && after.paymentToCancel !== null;
}

export function callOptions(context: WorkContext): { timeoutMs: number } {
  return { timeoutMs: Math.max(1, Math.min(context.callTimeoutMs, context.timeLeftMs())) };
}

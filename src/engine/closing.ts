import { Injectable } from '@nestjs/common';

import type { PaymentFacts } from '../gateways/gateway.js';
import { Database } from '../platform/db/database.js';
import { quietly, unchanged, type Change } from './change.js';
import { callOptions } from './debt-reader.js';
import type { Recovery } from './recovery.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import { rereadAt, type WorkContext } from './work-context.js';

const RULE = { name: 'paid_after_the_end', source: 'docs/lifecycle.md: a late success corrects a closed recovery' };

/** The chore that a cancelled recovery leaves: its open payment must not stay payable at the gateway, if we made it. */
@Injectable()
export class Closing {
  constructor(
    private readonly writer: RecoveryWriter,
    private readonly database: Database,
  ) {}

  async cancelPayment(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const id = recovery.paymentObjectId ?? recovery.paymentToCancel;
    if (id === null) return this.done(unchanged(recovery), context);
    // Stored before the call: whoever reads the payment as canceled can tell that it was us, and makes another.
    const left =
      recovery.paymentObjectId === null ? recovery : await this.writer.proceed(leaving(recovery, id), context);
    return (await this.isTakenOn(left, id)) ? this.done(keptBy(left, id), context) : this.cancel(left, id, context);
  }

  private async cancel(recovery: Recovery, id: string, context: WorkContext): Promise<Recovery> {
    const key = `${recovery.id}:cancel:${id}`;
    const answer = await context.gateway.cancelPayment(context.account, id, key, callOptions(context));
    const reading =
      answer.kind === 'rejected'
        ? await context.gateway.readPayment(context.account, id, callOptions(context))
        : answer;
    switch (reading.kind) {
      case 'found':
        return this.afterReading(recovery, reading.value, context);
      case 'not_found':
      case 'rejected':
        return this.done(unchanged(recovery), context);
      case 'unavailable':
      case 'account_refused':
        return this.later(recovery, context);
    }
  }

  private afterReading(recovery: Recovery, payment: PaymentFacts, context: WorkContext): Promise<Recovery> {
    switch (payment.status) {
      case 'succeeded':
        return this.writer.finish(lateSuccess(keptBy(recovery, payment.id).recovery, context), context);
      case 'processing': // The customer's own debit is at the bank: only its end tells.
      case 'unmapped':
        return this.later(recovery, context);
      default:
        return this.done(unchanged(recovery), context);
    }
  }

  private later(recovery: Recovery, context: WorkContext): Promise<Recovery> {
    const dueAt = rereadAt(context.now(), recovery.readingsFailed);
    const patch = { dueAt, readingsFailed: recovery.readingsFailed + 1 };
    return this.writer.finish(quietly(unchanged(recovery), patch), context);
  }

  private done(change: Change, context: WorkContext): Promise<Recovery> {
    return this.writer.finish(quietly(change, { dueAt: null, dueKind: null }), context);
  }

  /** A newer recovery of the debt goes on with the same payment, or cancels it itself: then it is not ours any more. */
  private async isTakenOn(recovery: Recovery, id: string): Promise<boolean> {
    const { rows } = await this.database.query<{ taken: boolean }>(
      { role: 'tenant', clientId: recovery.clientId },
      {
        name: 'payment_taken_on',
        text: `SELECT EXISTS (SELECT FROM recoveries
                 WHERE client_id = $1 AND payment_object_id = $2 AND id > $3)
               OR EXISTS (SELECT FROM recoveries
                 WHERE client_id = $1 AND debt_name = $4 AND payment_to_cancel = $2 AND id > $3) AS taken`,
        values: [recovery.clientId, id, recovery.id, recovery.debtName],
      },
    );
    return rows[0]?.taken === true;
  }
}

/** The payment stays this recovery's own, as it was before it was to be cancelled. */
function keptBy(recovery: Recovery, id: string): Change {
  return quietly(unchanged(recovery), {
    paymentObjectId: id,
    paymentObjectKind: 'payment',
    paymentToCancel: null,
  });
}

/** Where the recovery opens again, its next payment is another one, under a key of its own. */
function leaving(recovery: Recovery, id: string): Change {
  return quietly(unchanged(recovery), {
    paymentObjectId: null,
    paymentObjectKind: null,
    paymentToCancel: id,
    paymentReplacements: recovery.paymentReplacements + 1,
  });
}

/** Money that came after the end: corrects the closed recovery once, and a person is told. */
export function lateSuccess(recovery: Recovery, context: WorkContext): Change {
  const paidTwice = recovery.endReason === 'paid_elsewhere';
  const change = decided(unchanged(recovery), { kind: 'succeeded', rule: RULE }, 'late_success', context);
  const facts = { transactionId: recovery.id, amount: recovery.amountMinor, currency: recovery.currency };
  return {
    ...change,
    alerts: [
      paidTwice
        ? { kind: 'paid_twice', severity: 'critical', facts, dedupeKey: `paid_twice:${recovery.id}` }
        : { kind: 'late_success', severity: 'warning', facts, dedupeKey: `late_success:${recovery.id}` },
    ],
  };
}

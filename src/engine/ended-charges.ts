import { Injectable } from '@nestjs/common';

import { whatNotExecutedAllows } from '../recovery/looks.js';
import { readSettlement, type Settlement } from '../recovery/payment-looks.js';
import { quietly, unchanged, type Change } from './change.js';
import { lateSuccess } from './closing.js';
import { callOptions } from './debt-reader.js';
import { DebtHistory } from './debt-history.js';
import { lookedInVain } from './looked-in-vain.js';
import { readPaymentObject } from './payment-object.js';
import type { Attempt, Recovery } from './recovery.js';
import { endAttempt, noteDecline, RecoveryWriter } from './recovery-writer.js';
import { closing } from './transition.js';
import type { WorkContext } from './work-context.js';

/** A recovery was cancelled while a charge of it was unknown or at the bank: watched to its end, and never sent again. */
@Injectable()
export class EndedCharges {
  constructor(
    private readonly history: DebtHistory,
    private readonly writer: RecoveryWriter,
  ) {}

  /** One look. Money that came corrects the end once; else the payment is closed at the gateway, if we made it. */
  async look(recovery: Recovery, attempt: Attempt, context: WorkContext): Promise<Recovery> {
    const reading = await readPaymentObject(recovery, context, callOptions(context));
    if (reading.kind !== 'found') return this.again(recovery, attempt, reading.kind, context);
    // A newer recovery of the debt charges the same payment: what it reads from now on is that one's.
    if (await this.history.isTakenOn(recovery)) {
      return this.over(endAttempt(unchanged(recovery), attempt, 'not_executed', {}, context), false, context);
    }
    const byUs = await this.history.isCanceledByUs(recovery, reading.value);
    return this.conclude(recovery, attempt, readSettlement(attempt.witness, reading.value, byUs), context);
  }

  private conclude(recovery: Recovery, attempt: Attempt, settled: Settlement, context: WorkContext): Promise<Recovery> {
    const started = unchanged(recovery);
    switch (settled.kind) {
      case 'succeeded': {
        const ended = endAttempt(started, attempt, 'succeeded', {}, context);
        const booked = lateSuccess(ended.recovery, context);
        return this.over({ ...booked, attemptsEnded: ended.attemptsEnded }, false, context);
      }
      case 'declined':
        return this.over(
          noteDecline(
            endAttempt(started, attempt, 'declined', { signals: settled.signals }, context),
            settled,
            context,
          ),
          true,
          context,
        );
      case 'requires_action':
        return this.over(endAttempt(started, attempt, 'declined', {}, context), true, context);
      case 'canceled':
        return this.over(endAttempt(started, attempt, 'not_executed', {}, context), false, context);
      case 'not_executed':
        return this.isOver(attempt, context)
          ? this.over(endAttempt(started, attempt, 'not_executed', {}, context), true, context)
          : this.again(recovery, attempt, 'not executed so far', context);
      default:
        return this.again(recovery, attempt, settled.kind, context);
    }
  }

  /** From a minute on, a charge that can not be seen was not executed. */
  private isOver({ lostAt, openedAt, loss }: Attempt, context: WorkContext): boolean {
    const facts = { loss: loss ?? ('lost_reply' as const), lostAt: lostAt ?? openedAt, firstSentAt: openedAt };
    return whatNotExecutedAllows({ ...facts, now: context.now() }) !== 'look_again';
  }

  /** Nothing is to be watched any more; a payment of ours that is still open must not stay payable. */
  private over(change: Change, mayBeOpen: boolean, context: WorkContext): Promise<Recovery> {
    const rested = quietly(change, { waitingSince: null, dueAt: null, dueKind: null });
    return this.writer.finish(mayBeOpen ? closing(rested) : rested, context);
  }

  private again(recovery: Recovery, attempt: Attempt, reading: string, context: WorkContext): Promise<Recovery> {
    return this.writer.finish(lookedInVain(recovery, attempt, { reading }, context.now()).change, context);
  }
}

/** The end of a recovery whose charge is still unknown: due at once for its first look. Pure. */
export function watched(ended: Change, attempt: Attempt, before: Recovery, now: Date): Change {
  const waitingSince = before.waitingSince ?? attempt.lostAt ?? attempt.sentAt;
  const known = quietly(ended, { waitingSince, dueAt: now, dueKind: 'settle' });
  if (attempt.outcome !== null) return known;
  // Its worker died with the charge on the wire.
  const lost: Attempt = { ...attempt, outcome: 'unknown', loss: 'lost_reply', lostAt: attempt.sentAt };
  return { ...known, attemptsEnded: [...known.attemptsEnded, lost] };
}

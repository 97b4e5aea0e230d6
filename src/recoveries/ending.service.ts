import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { callOptions } from '../engine/debt-reader.js';
import { Endings } from '../engine/endings.js';
import { Engine } from '../engine/engine.js';
import { readPaymentObject } from '../engine/payment-object.js';
import { type Attempt, hasOpenCharge, type Recovery } from '../engine/recovery.js';
import { RecoveryStore } from '../engine/recovery-store.js';
import { RecoveryWriter } from '../engine/recovery-writer.js';
import type { WorkContext } from '../engine/work-context.js';
import { Worker } from '../engine/worker.js';
import type { InvoiceFacts, PaymentFacts } from '../gateways/gateway.js';
import { badField, conflict } from '../platform/http/domain-error.js';
import type { Rule } from '../recovery/facts.js';
import { isClosed } from '../recovery/lifecycle.js';
import { whatNotExecutedAllows } from '../recovery/looks.js';
import { readSettlement } from '../recovery/payment-looks.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { lossStillRunning } from './obstacles.js';
import { RecoveryHold } from './recovery-hold.js';
import { RecoveryReader } from './recovery-reader.js';
import type { CancelReason } from './steering.dto.js';

const BY_HAND: Rule = { name: 'by_command', source: 'the API: a command of the merchant' };

export interface Evidence {
  /** The gateway's id of the payment, its charge or its invoice. */
  gatewayId?: string;
  note: string;
}

/** What a merchant may end by hand: a recovery, or the doubt about a charge. Each takes the lease first. */
@Injectable()
export class EndingService {
  constructor(
    private readonly hold: RecoveryHold,
    private readonly store: RecoveryStore,
    private readonly endings: Endings,
    private readonly writer: RecoveryWriter,
    private readonly worker: Worker,
    private readonly reader: RecoveryReader,
    private readonly engine: Engine,
    private readonly dispatcher: Dispatcher,
  ) {}

  /**
   * No charge is made after this commits. One on the wire decides first; one whose answer is lost, or that is at the
   * bank, is watched to its end, and should it bring money after all, that is told.
   * @throws {DomainError} 404, 409 `not_cancellable`, or `outcome_unknown` for a charge that stays on the wire.
   */
  cancel(caller: Caller, id: string, reason: CancelReason): Promise<object> {
    return this.hold.during(caller, id, async (recovery, context) => {
      if (recovery.state === 'cancelled' && recovery.endReason === reason) {
        await this.store.release(recovery);
        return this.statusOf(recovery);
      }
      if (recovery.state === 'succeeded' || isClosed(recovery.state)) {
        throw conflict('not_cancellable', `the recovery has ended: ${recovery.endReason ?? recovery.state}`);
      }
      const decision = { kind: 'cancelled' as const, endReason: reason, rule: BY_HAND };
      const change = await this.endings.endOf(recovery, decision, { reason }, context);
      const cancelled = await this.hold.holdingDebt(change, () => this.writer.finish(change, context));
      return this.told(await this.statusOf(cancelled));
    });
  }

  /**
   * An operator settles a charge that is unknown, after one more reading.
   * @throws {DomainError} 404, 409 `not_unknown`, `gateway_disagrees`, `gateway_unreadable`, or `outcome_unknown` for a
   * loss so young that the request may still run; 400 without evidence.
   */
  async resolve(
    caller: Caller,
    id: string,
    outcome: 'succeeded' | 'not_executed',
    evidence: Evidence,
  ): Promise<object> {
    if (outcome === 'succeeded' && evidence.gatewayId === undefined) {
      throw badField(
        'evidence.gatewayId',
        'missing_field',
        'is required for succeeded',
        "the gateway's id of the payment",
      );
    }
    return this.hold.during(caller, id, async (recovery, context) => {
      const attempt = hasOpenCharge(recovery) ? await this.store.openAttempt(recovery) : null;
      if (!attempt) throw conflict('not_unknown', 'no charge of this recovery is unknown');
      await this.assertGatewayAgrees(recovery, attempt, outcome, evidence, context);
      const worked = await this.worker.resolve(recovery, attempt, outcome, evidence, context);
      return this.told(await this.statusOf(worked));
    });
  }

  private async assertGatewayAgrees(
    recovery: Recovery,
    attempt: Attempt,
    outcome: 'succeeded' | 'not_executed',
    { gatewayId }: Evidence,
    context: WorkContext,
  ): Promise<void> {
    const reading = await readPaymentObject(recovery, context, callOptions(context));
    if (reading.kind !== 'found') throw conflict('gateway_unreadable', 'the gateway can not be read now; try again');
    const settled = readSettlement(attempt.witness, reading.value);
    if (outcome !== settled.kind)
      throw conflict('gateway_disagrees', `the gateway reads ${settled.kind}`, { gatewayReads: settled.kind });
    if (outcome === 'not_executed') return assertOver(attempt, context.now());
    const known = idsOf(reading.value);
    if (gatewayId !== undefined && !known.includes(gatewayId)) {
      const detail = `the gateway reads another payment than ${gatewayId}`;
      throw conflict('gateway_disagrees', detail, { gatewayReads: settled.kind, gatewayIds: known });
    }
  }

  /** The status call's own answer, attempts and all. */
  private statusOf({ clientId, id }: Recovery): Promise<object> {
    return this.reader.status(clientId, id);
  }

  private told<T>(answer: T): T {
    this.engine.wake();
    this.dispatcher.wake();
    return answer;
  }
}

/** A reading finds nothing as long as the request is still on its way: by then nobody can know that it was not carried out. */
function assertOver(attempt: Attempt, now: Date): void {
  const lostAt = attempt.lostAt ?? attempt.openedAt;
  const loss = attempt.loss ?? 'lost_reply';
  const allowed = whatNotExecutedAllows({ loss, lostAt, firstSentAt: attempt.openedAt, now });
  if (allowed === 'look_again') throw lossStillRunning(lostAt);
}

function idsOf(read: PaymentFacts | InvoiceFacts): string[] {
  const payment = read.kind === 'invoice' ? read.payment : read;
  const ids = [read.id, payment?.id, payment?.latestCharge?.id];
  return [...new Set(ids.filter((id) => id !== undefined))];
}

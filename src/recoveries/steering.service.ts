import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { CardLedger } from '../engine/card-ledger.js';
import { CardStops } from '../engine/card-stops.js';
import { unchanged, type Change, type StoredAnswer } from '../engine/change.js';
import { Engine } from '../engine/engine.js';
import { hashToken, sameCard } from '../engine/fallback-tokens.js';
import { executeBody } from '../engine/presenter.js';
import { isDebtTaken } from '../engine/debt-taken.js';
import { unsettled } from '../execute/first-ends.js';
import { inFlight } from '../execute/idempotency.js';
import { debtTaken } from '../execute/guards.js';
import { isConnectionError } from '../platform/db/database.js';
import { hasOpenCharge, type Recovery } from '../engine/recovery.js';
import { LeaseKeeper } from '../engine/lease-keeper.js';
import { LeaseLost, RecoveryStore } from '../engine/recovery-store.js';
import { decided, RecoveryWriter } from '../engine/recovery-writer.js';
import { tokenIdentity } from '../engine/token-identity.js';
import { move } from '../engine/transition.js';
import type { WorkContext } from '../engine/work-context.js';
import { WorkContexts } from '../engine/work-contexts.js';
import { Worker } from '../engine/worker.js';
import { callOptions } from '../engine/debt-reader.js';
import { watched } from '../engine/ended-charges.js';
import { readPaymentObject } from '../engine/payment-object.js';
import type { PaymentMethodFacts } from '../gateways/gateway.js';
import { Vault } from '../platform/crypto/vault.js';
import { badField, conflict, notFound } from '../platform/http/domain-error.js';
import { answerStatus, isClosed, reopenObstacle, statusWord } from '../recovery/lifecycle.js';
import { readSettlement } from '../recovery/payment-looks.js';
import { defaultDeadline } from '../recovery/schedule.js';
import type { Rule, Trigger } from '../recovery/facts.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { encodeAnswer, type Answer } from '../execute/answer.js';
import { dueKindOf, isReturnedForGood, notRetryable, outcomeUnknown, unlessTakenOver } from './obstacles.js';
import { RecoveryReader } from './recovery-reader.js';
import type { CancelReason } from './steering.dto.js';

/** A charge on the wire decides first: a command waits for it about as long as an execute may take. */
const WAIT_MS = 22_000;
const WAIT_STEP_MS = 50;
const REQUEST_MS = 22_000;

const BY_HAND: Rule = { name: 'by_command', source: 'the API: a command of the merchant' };

/** What a merchant may do to a recovery by hand: cancel, retry, give another card. Each takes the lease first. */
@Injectable()
export class SteeringService {
  constructor(
    private readonly store: RecoveryStore,
    private readonly writer: RecoveryWriter,
    private readonly worker: Worker,
    private readonly contexts: WorkContexts,
    private readonly cardStops: CardStops,
    private readonly ledger: CardLedger,
    private readonly reader: RecoveryReader,
    private readonly leases: LeaseKeeper,
    private readonly engine: Engine,
    private readonly dispatcher: Dispatcher,
    private readonly vault: Vault,
  ) {}

  /**
   * No charge is made after this commits. One on the wire decides first; one whose answer is lost, or that is at the
   * bank, is watched to its end, and should it bring money after all, that is told.
   * @throws {DomainError} 404, 409 `not_cancellable`, or `outcome_unknown` for a charge that stays on the wire.
   */
  async cancel(caller: Caller, id: string, reason: CancelReason): Promise<object> {
    const context = await this.context(caller);
    const recovery = await this.take(caller, id, context);
    return this.holding(recovery, async () => {
      if (recovery.state === 'cancelled' && recovery.endReason === reason) return this.unchangedStatus(recovery);
      if (recovery.state === 'succeeded' || isClosed(recovery.state)) {
        throw conflict('not_cancellable', `the recovery has ended: ${recovery.endReason ?? recovery.state}`);
      }
      const decision = { kind: 'cancelled' as const, endReason: reason, rule: BY_HAND };
      const ended = decided(unchanged(recovery), decision, recovery.nextTrigger, context, { reason });
      const open = hasOpenCharge(recovery) ? await this.store.openAttempt(recovery) : null;
      const change = open ? watched(ended, open, recovery, context.now()) : ended;
      const cancelled = await this.holdingDebt(change, () => this.writer.finish(change, context));
      return this.told(await this.statusOf(cancelled));
    }).catch(unlessTakenOver);
  }

  /** Charges now. @throws {DomainError} 404, 409 `not_retryable` or `outcome_unknown`. */
  async retry(caller: Caller, id: string, answer: AnswerFor): Promise<Answer> {
    const context = await this.context(caller, answer);
    const recovery = await this.take(caller, id, context);
    return this.holding(recovery, async () => {
      if (hasOpenCharge(recovery)) throw outcomeUnknown();
      if (recovery.state === 'action_required') throw notRetryable('authentication_required');
      await this.assertRetryable(recovery, recovery, true);
      await this.assertAllowedByNetwork(recovery, context);
      return this.chargeNow(this.reopened(recovery, 'manual_retry', context), context);
    });
  }

  /** Charges another card, at once, on the same debt. @throws {DomainError} 400, 404, 409. */
  async payWith(caller: Commander, id: string, token: string, answer: AnswerFor): Promise<Answer> {
    const context = await this.context(caller, answer);
    const recovery = await this.take(caller, id, context);
    return this.holding(recovery, async () => {
      if (hasOpenCharge(recovery)) throw outcomeUnknown();
      // What the merchant has called off, no customer's card opens again by itself.
      if ('actor' in caller && recovery.state === 'cancelled') throw notRetryable('cancelled');
      const method = recovery.simulateOutcome === null ? await this.readMethod(token, context) : null;
      const fitted: Recovery = {
        ...recovery,
        tokenSealed: this.vault.seal(token, tokenIdentity(recovery)),
        tokenHash: hashToken(recovery.clientId, token),
        card: method?.card ?? null,
        cardFingerprint: method?.card?.fingerprint ?? null,
        gatewayCustomerId: method?.customerId ?? recovery.gatewayCustomerId,
        tokenReusable: (method?.customerId ?? recovery.gatewayCustomerId) !== null,
        strategy: 'updated_card',
      };
      const isSameCard = sameCard(recovery, fitted);
      if (recovery.state === 'blocked' && isSameCard) return this.unchangedAnswer(recovery, context);
      const isEnded = recovery.state === 'failed' || recovery.state === 'blocked';
      if (isEnded && (await this.cardStops.find(fitted)) !== null) return this.unchangedAnswer(recovery, context);
      await this.assertRetryable(recovery, fitted, isSameCard);
      return this.chargeNow(this.reopened(fitted, 'card_updated', context), context);
    });
  }

  /**
   * An operator settles a charge that is unknown, after one more reading.
   * @throws {DomainError} 404, 409 `not_unknown`, `gateway_disagrees` or `gateway_unreadable`, 400 without evidence.
   */
  async resolve(
    caller: Caller,
    id: string,
    outcome: 'succeeded' | 'not_executed',
    evidence: { gatewayId?: string; note: string },
  ): Promise<object> {
    if (outcome === 'succeeded' && evidence.gatewayId === undefined) {
      throw badField(
        'evidence.gatewayId',
        'missing_field',
        'is required for succeeded',
        "the gateway's id of the payment",
      );
    }
    const context = await this.context(caller);
    const recovery = await this.take(caller, id, context);
    return this.holding(recovery, async () => {
      const attempt = hasOpenCharge(recovery) ? await this.store.openAttempt(recovery) : null;
      if (!attempt) throw conflict('not_unknown', 'no charge of this recovery is unknown');
      const reading = await readPaymentObject(recovery, context, callOptions(context));
      if (reading.kind !== 'found') throw conflict('gateway_unreadable', 'the gateway can not be read now; try again');
      const settled = readSettlement(attempt.witness, reading.value);
      if (outcome !== settled.kind)
        throw conflict('gateway_disagrees', `the gateway reads ${settled.kind}`, { gatewayReads: settled.kind });
      const worked = await this.worker.resolve(recovery, attempt, outcome, evidence, context);
      return this.told(await this.statusOf(worked));
    }).catch(unlessTakenOver);
  }

  private context(caller: Commander, answer: AnswerFor = () => null): Promise<WorkContext> {
    const actor = 'actor' in caller ? caller.actor : `api_key:${caller.keyId}`;
    return this.contexts.of(caller.settings, { actor, timeMs: REQUEST_MS, answer });
  }

  /** Takes the lease, waiting for whoever works on the recovery now. @throws {DomainError} 404, 409 when it takes too long. */
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

  private async unchangedStatus(recovery: Recovery): Promise<object> {
    await this.store.release(recovery);
    return this.statusOf(recovery);
  }

  /** A card that was stopped on this debt: 403 or 200 again, and nothing is charged (docs/behaviour.md 1, guard 5). */
  private async unchangedAnswer(recovery: Recovery, context: WorkContext): Promise<Answer> {
    const kept = await this.writer.finish(unchanged(recovery), context);
    return encodeAnswer(answerStatus(kept.state), executeBody(kept));
  }

  /**
   * A card is never charged unread: it may be one that this debt was stopped on, under another token.
   * @throws {DomainError} 400 for an unknown one, 409 `gateway_unreadable`.
   */
  private async readMethod(token: string, context: WorkContext): Promise<PaymentMethodFacts> {
    const read = await context.gateway.readPaymentMethod(context.account, token, callOptions(context));
    if (read.kind === 'found') return read.value;
    if (read.kind === 'not_found' || read.kind === 'rejected') {
      const message = 'the gateway knows no such payment method';
      throw badField('paymentMethodToken', 'invalid_field', message, "the gateway's own token of this account");
    }
    throw conflict('gateway_unreadable', 'the gateway can not be read now; try again');
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

  private async assertRetryable(recovery: Recovery, charged: Recovery, isSameCard: boolean): Promise<void> {
    const stop = await this.cardStops.find(charged);
    const obstacle = reopenObstacle({
      state: recovery.state,
      endReason: recovery.endReason,
      sameCard: isSameCard,
      cardStopped: stop !== null,
    });
    const rule = obstacle ?? (stop ? (stop === 'blocked' ? 'blocked_card' : 'stopped_card') : null);
    if (rule) throw notRetryable(rule);
    if (recovery.state === 'holdout') throw notRetryable('holdout');
  }

  /** @throws {DomainError} 409 `not_retryable`, with the limit and when it frees. */
  private async assertAllowedByNetwork(recovery: Recovery, context: WorkContext): Promise<void> {
    if (recovery.simulateOutcome !== null) return;
    if (isReturnedForGood(recovery)) throw notRetryable('network_limit:debit_return_code', { freeAt: null });
    const hold = await this.ledger.hold(recovery, context.now());
    if (hold) throw notRetryable(hold.rule.name, { freeAt: hold.freeAt?.toISOString() ?? null });
  }

  /** The next round for a closed recovery or a new card; an open one of the same card goes on in its own. */
  private reopened(recovery: Recovery, trigger: Trigger, context: WorkContext): Change {
    const now = context.now();
    const newRound = isClosed(recovery.state) || recovery.state === 'action_required' || trigger === 'card_updated';
    const round: Partial<Recovery> = newRound
      ? {
          round: recovery.round + 1,
          roundOpenedAt: now,
          deadlineAt: defaultDeadline(now),
          anchorAt: null,
          scheduledTaken: 0,
          chargesMade: 0,
          attemptsRemaining: recovery.policy.attemptsMax,
          trigger: null,
          // What ended the round before stands: only a late success corrects an event.
          finalEventId: null,
        }
      : {};
    const type = newRound ? 'round_opened' : 'retry_asked';
    const patch = { ...round, nextTrigger: trigger, waitingSince: null };
    const dueKind = dueKindOf(recovery, trigger);
    const moved = { state: 'queued' as const, dueAt: now, dueKind, patch, type, rule: BY_HAND };
    return move(unchanged(recovery), moved, { at: now, actor: context.actor, inputs: { trigger } });
  }

  /** The key is bound with the first write: from then on the recovery itself tells what a repeat is answered. */
  private reopen(change: Change, context: WorkContext): Promise<Recovery> {
    const answer = context.answer(change.recovery);
    const bound = answer && { ...answer, statusCode: null, body: null };
    return this.holdingDebt(change, () => this.writer.proceed(change, context, bound));
  }

  /** @throws {DomainError} 409 when a newer recovery holds the debt. */
  private async holdingDebt(change: Change, write: () => Promise<Recovery>): Promise<Recovery> {
    try {
      return await write();
    } catch (error) {
      if (!isDebtTaken(error)) throw error;
      throw debtTaken((await this.store.holderOfDebt(change.recovery)) ?? { id: null, state: 'queued' });
    }
  }

  private async chargeNow(change: Change, context: WorkContext): Promise<Answer> {
    const opened = await this.reopen(change, context);
    const worked = await this.worker
      .work(opened, context)
      .catch((error: unknown) => this.afterTakeover(error, opened, context));
    return this.told(encodeAnswer(answerStatus(worked.state), executeBody(worked)));
  }

  /** Without a key that tells it later, the answer is how it stands when another worker has taken it over meanwhile. */
  private async afterTakeover(error: unknown, opened: Recovery, context: WorkContext): Promise<Recovery> {
    const { clientId, id } = opened;
    const isKeyed = context.answer(opened) !== null;
    // The command stands, and its charge may be on its way; under a key a repeat must be answered the same.
    if (isConnectionError(error) && isKeyed) throw inFlight(id, statusWord(opened.state));
    if (isConnectionError(error)) return unsettled(opened);
    const found = error instanceof LeaseLost ? await this.store.find(clientId, id) : null;
    if (!found || isKeyed) throw error;
    return found.recovery;
  }
}

/** Who gives a command: a key of the merchant's, or a part of this service that is named on the timeline. */
export type Commander = Pick<Caller, 'clientId' | 'settings'> & ({ keyId: string } | { actor: string });

export type AnswerFor = (recovery: Recovery) => StoredAnswer | null;

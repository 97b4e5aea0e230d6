import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { CardLedger } from '../engine/card-ledger.js';
import { CardStops } from '../engine/card-stops.js';
import { unchanged, type Change } from '../engine/change.js';
import { Engine } from '../engine/engine.js';
import { hashToken, sameCard } from '../engine/fallback-tokens.js';
import { executeBody } from '../engine/presenter.js';
import { unsettled } from '../execute/first-ends.js';
import { inFlight } from '../execute/idempotency.js';
import { isConnectionError } from '../platform/db/database.js';
import { hasOpenCharge, type Recovery } from '../engine/recovery.js';
import { LeaseLost, RecoveryStore } from '../engine/recovery-store.js';
import { RecoveryWriter } from '../engine/recovery-writer.js';
import { tokenIdentity } from '../engine/token-identity.js';
import { move } from '../engine/transition.js';
import { isRenewed } from '../engine/understanding.js';
import type { WorkContext } from '../engine/work-context.js';
import { Worker } from '../engine/worker.js';
import { callOptions } from '../engine/debt-reader.js';
import type { PaymentMethodFacts } from '../gateways/gateway.js';
import { Vault } from '../platform/crypto/vault.js';
import { badField, conflict } from '../platform/http/domain-error.js';
import { answerStatus, isClosed, reopenObstacle, statusWord } from '../recovery/lifecycle.js';
import { defaultDeadline } from '../recovery/schedule.js';
import type { Rule, Trigger } from '../recovery/facts.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { encodeAnswer, type Answer } from '../execute/answer.js';
import { dueKindOf, isReturnedForGood, notRetryable, outcomeUnknown } from './obstacles.js';
import { type AnswerFor, type Commander, RecoveryHold } from './recovery-hold.js';

const BY_HAND: Rule = { name: 'by_command', source: 'the API: a command of the merchant' };

/** How a merchant has a recovery charged by hand: again, or with another card. Each takes the lease first. */
@Injectable()
export class SteeringService {
  constructor(
    private readonly hold: RecoveryHold,
    private readonly store: RecoveryStore,
    private readonly writer: RecoveryWriter,
    private readonly worker: Worker,
    private readonly cardStops: CardStops,
    private readonly ledger: CardLedger,
    private readonly engine: Engine,
    private readonly dispatcher: Dispatcher,
    private readonly vault: Vault,
  ) {}

  /** Charges now. @throws {DomainError} 404, 409 `not_retryable` or `outcome_unknown`. */
  retry(caller: Caller, id: string, answer: AnswerFor): Promise<Answer> {
    const work = async (recovery: Recovery, context: WorkContext) => {
      if (hasOpenCharge(recovery)) throw outcomeUnknown();
      if (recovery.state === 'action_required') throw notRetryable('authentication_required');
      await this.assertRetryable(recovery, recovery, true);
      await this.assertAllowedByNetwork(recovery, context);
      return this.chargeNow(this.reopened(recovery, 'manual_retry', context), context);
    };
    return this.hold.during(caller, id, work, answer);
  }

  /** Charges another card, at once, on the same debt. @throws {DomainError} 400, 404, 409. */
  payWith(caller: Commander, id: string, token: string, answer: AnswerFor): Promise<Answer> {
    const work = async (recovery: Recovery, context: WorkContext) => {
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
      // Several parts of this service hear of one new card: whoever comes second finds it charged already.
      const isSameMethod = recovery.tokenHash.equals(fitted.tokenHash) && !isRenewed(fitted.card, recovery.card);
      if ('actor' in caller && isSameMethod) return this.unchangedAnswer(recovery, context);
      const isSameCard = sameCard(recovery, fitted);
      if (recovery.state === 'blocked' && isSameCard) return this.unchangedAnswer(recovery, context);
      const isEnded = recovery.state === 'failed' || recovery.state === 'blocked';
      if (isEnded && (await this.cardStops.find(fitted)) !== null) return this.unchangedAnswer(recovery, context);
      await this.assertRetryable(recovery, fitted, isSameCard);
      return this.chargeNow(this.reopened(fitted, 'card_updated', context), context);
    };
    return this.hold.during(caller, id, work, answer);
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
    return this.hold.holdingDebt(change, () => this.writer.proceed(change, context, bound));
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

import { Injectable } from '@nestjs/common';

import type { ChargeResult, SubscriptionFacts } from '../gateways/gateway.js';
import { decideAfterOutcome, type OutcomeFacts } from '../recovery/decide.js';
import { declineCodeOf, routeDecline } from '../recovery/decline.js';
import type { Decision, DeclineSignals, Outcome, Trigger } from '../recovery/facts.js';
import { NO_SIGNALS, readSettlement } from '../recovery/payment-looks.js';
import { Random } from '../platform/random.js';
import { quietly, withSubscription, type Change } from './change.js';
import { CardLedger } from './card-ledger.js';
import { ChargingPause } from './charging-pause.js';
import { callOptions, DebtReader } from './debt-reader.js';
import { DebtHistory } from './debt-history.js';
import { FallbackTokens } from './fallback-tokens.js';
import { readPaymentObject } from './payment-object.js';
import { refusedByGateway } from './reading-ends.js';
import { roundFactsOf, type Attempt, type AttemptOutcome, type Recovery } from './recovery.js';
import { decided, endAttempt, noteDecline, RecoveryWriter } from './recovery-writer.js';
import { hintsOf } from './transition.js';
import { afterMs, type WorkContext } from './work-context.js';

/** A limiter that keeps refusing is asked again this much later. */
const LIMITED_MS = 10_000;

/** Every way an outcome becomes known meets here: the answer of the call, a reading, later the gateway's own events. */
@Injectable()
export class Settlement {
  constructor(
    private readonly writer: RecoveryWriter,
    private readonly reader: DebtReader,
    private readonly history: DebtHistory,
    private readonly fallbacks: FallbackTokens,
    private readonly ledger: CardLedger,
    private readonly pause: ChargingPause,
    private readonly random: Random,
  ) {}

  /** Settles one charging call. The lease stays with the caller only where another charge follows at once. */
  async settle(change: Change, attempt: Attempt, result: ChargeResult, context: WorkContext): Promise<Recovery> {
    if (result.kind !== 'account_refused') await this.pause.end(context.client, context.now());
    switch (result.kind) {
      case 'succeeded':
      case 'declined':
      case 'pending':
      case 'requires_action':
      case 'requires_capture':
        return this.book(told(change, result), attempt, outcomeOf(result), attempt.trigger, context);
      case 'canceled':
        return this.book(change, attempt, { kind: 'canceled', by: 'other' }, attempt.trigger, context);
      case 'unknown': {
        const told = result.unmapped === undefined ? change : unmappedTold(change, result.unmapped);
        return this.book(told, attempt, { kind: 'unknown', loss: result.loss }, attempt.trigger, context);
      }
      case 'back_off':
        return result.keyInUse // Our own earlier send is still running: read later.
          ? this.book(change, attempt, { kind: 'unknown', loss: 'lost_reply' }, attempt.trigger, context)
          : this.limited(change, attempt, result.retryAfterMs, context);
      case 'account_refused':
        return this.refusedAccount(change, attempt, result, context);
      case 'read_first':
        return this.readFirst(change, attempt, result, context);
    }
  }

  /** Books an outcome: attempt, state, next due time, timeline, events, in one write. */
  async book(
    change: Change,
    attempt: Attempt,
    outcome: Outcome,
    trigger: Trigger,
    context: WorkContext,
  ): Promise<Recovery> {
    const ended = this.endWith(change, attempt, outcome, context);
    const noted = outcome.kind === 'declined' ? noteDecline(ended, outcome, context) : ended;
    const [ready, decision] = await this.decide(noted, outcome, context);
    const next = decided(ready, decision, trigger, context, { attemptId: attempt.id, outcome: outcome.kind });
    switch (decision.kind) {
      case 'fallback':
        return this.writer.proceed(next, context);
      case 'replace_payment': {
        const { paymentReplacements } = next.recovery;
        const patch = { paymentObjectId: null, paymentReplacements: paymentReplacements + 1 };
        return this.writer.proceed(quietly(next, patch), context);
      }
      default:
        return this.writer.finish(next, context);
    }
  }

  /** Where the decision is for a fallback token and none of those left can be charged, it is made again without. */
  private async decide(change: Change, outcome: Outcome, context: WorkContext): Promise<[Change, Decision]> {
    const facts = this.factsOf(change.recovery, outcome, context);
    const free = decideAfterOutcome(facts);
    // Only another charge of this card asks its network's limits.
    const hold =
      free.kind === 'retry' ? await this.ledger.hold(change.recovery, facts.now, change.attemptsEnded[0]) : null;
    const decision = hold === null ? free : decideAfterOutcome({ ...facts, limitsFreeAt: hold });
    if (decision.kind !== 'fallback') return [change, decision];
    const { kind, change: taken } = await this.fallbacks.take(change, context);
    if (kind === 'taken') return [taken, decision];
    const last = { ...this.factsOf(taken.recovery, outcome, context), limitsFreeAt: hold };
    return [taken, decideAfterOutcome(last)];
  }

  private endWith(change: Change, attempt: Attempt, outcome: Outcome, context: WorkContext): Change {
    const now = context.now();
    const waiting = outcome.kind === 'unknown' || outcome.kind === 'pending' || outcome.kind === 'requires_action';
    const since = change.recovery.waitingSince ?? now;
    const waited = quietly(change, { waitingSince: waiting ? since : null });
    const [ends, known] = attemptEnd(waited.recovery, attempt, outcome, since);
    return endAttempt(waited, attempt, ends, known, context);
  }

  private factsOf(recovery: Recovery, outcome: Outcome, context: WorkContext): OutcomeFacts {
    return {
      outcome,
      policy: recovery.policy,
      round: roundFactsOf(recovery),
      now: context.now(),
      jitter: this.random.fraction(),
      fallbackLeft: recovery.fallbackLeft > 0,
      tokenReusable: recovery.tokenReusable,
      ...hintsOf(recovery),
      lostAt: recovery.waitingSince,
      waitingSince: recovery.waitingSince,
      paymentReplaced: recovery.paymentReplacements > 0,
    };
  }

  /** The limiter spoke before execution: nothing was attempted, and the same charge comes again in a moment. */
  private limited(change: Change, attempt: Attempt, retryAfterMs: number, context: WorkContext): Promise<Recovery> {
    const now = context.now();
    const { nextTrigger } = change.recovery;
    const ended = endAttempt(change, attempt, 'not_executed', {}, context);
    const dueAt = afterMs(now, Math.max(retryAfterMs, LIMITED_MS));
    const rule = { name: 'rate_limited', source: 'docs/decisions.md: a limiter is no decline' };
    const { attemptsRemaining } = ended.recovery;
    const queued = decided(ended, { kind: 'retry', dueAt, attemptsRemaining, rule }, nextTrigger, context);
    return this.writer.finish(quietly(queued, { nextTrigger }), context);
  }

  private async refusedAccount(
    change: Change,
    attempt: Attempt,
    refusal: ChargeResult & { kind: 'account_refused' },
    context: WorkContext,
  ): Promise<Recovery> {
    const ended = endAttempt(change, attempt, 'not_executed', {}, context);
    const paused = await this.reader.pauseClient(ended.recovery, refusal, context);
    return this.writer.finish({ ...paused, attemptsEnded: ended.attemptsEnded }, context);
  }

  /** HTTP 400, 404 and 409 say nothing about the money by themselves: the payment is read, and speaks first. */
  private async readFirst(
    change: Change,
    attempt: Attempt,
    refusal: ChargeResult & { kind: 'read_first' },
    context: WorkContext,
  ): Promise<Recovery> {
    const reading = await readPaymentObject(change.recovery, context, callOptions(context));
    if (reading.kind === 'unavailable' || reading.kind === 'account_refused') {
      return this.book(change, attempt, { kind: 'unknown', loss: 'lost_reply' }, attempt.trigger, context);
    }
    const byUs = reading.kind === 'found' && (await this.history.isCanceledByUs(change.recovery, reading.value));
    const settled = reading.kind === 'found' ? readSettlement(attempt.witness, reading.value, byUs) : null;
    if (settled && settled.kind !== 'not_executed' && settled.kind !== 'unclear') {
      return this.book(change, attempt, settled, attempt.trigger, context);
    }
    if (settled?.kind === 'unclear') {
      return this.book(change, attempt, { kind: 'unknown', loss: 'lost_reply' }, attempt.trigger, context);
    }
    return this.refusedRequest(change, attempt, refusal, context);
  }

  /** Nothing ran: now the code's own row counts, and a code without one is for a person to look at. */
  private refusedRequest(
    change: Change,
    attempt: Attempt,
    refusal: ChargeResult & { kind: 'read_first' },
    context: WorkContext,
  ): Promise<Recovery> {
    const signals: DeclineSignals = { ...NO_SIGNALS, errorCode: refusal.code };
    const row = refusal.known ? routeDecline(signals, hintsOf(change.recovery)) : null;
    if (row && row.listed && row.bucket !== 'configuration') {
      return this.book(change, attempt, { kind: 'declined', signals }, attempt.trigger, context);
    }
    const ended = endAttempt(change, attempt, 'not_executed', {}, context);
    const failed = refusedByGateway({ ...ended.recovery, lastSignals: signals }, 'invalid_field', refusal, context);
    return this.writer.finish({ ...failed, attemptsEnded: ended.attemptsEnded }, context);
  }
}

/** An answer newer than our tables is unknown to us: never a crash, and somebody is told. */
function unmappedTold(change: Change, answer: string): Change {
  const facts = { transactionId: change.recovery.id, answer };
  const alert = { kind: 'unmapped_gateway_answer' as const, severity: 'warning' as const, facts };
  return { ...change, alerts: [...change.alerts, { ...alert, dedupeKey: `unmapped_gateway_answer:${answer}` }] };
}

/** With the payment's id, and what became of the subscription. */
function told(change: Change, result: Parameters<typeof withToken>[1] & { subscription?: SubscriptionFacts | null }) {
  return withSubscription(withToken(change, result), result.subscription);
}

function withToken(change: Change, result: { paymentId?: string | null; chargeId?: string | null }): Change {
  const token = result.paymentId ?? result.chargeId ?? null;
  return token === null ? change : quietly(change, { gatewayTransactionToken: token });
}

function outcomeOf(
  result: ChargeResult & { kind: 'succeeded' | 'declined' | 'pending' | 'requires_action' | 'requires_capture' },
): Outcome {
  return result.kind === 'declined' ? { kind: 'declined', signals: result.signals } : { kind: result.kind };
}

/** How an attempt ends with an outcome. Held money and a cancel are no success and no issuer's word. */
function attemptEnd(
  recovery: Recovery,
  attempt: Attempt,
  outcome: Outcome,
  since: Date,
): [AttemptOutcome, Partial<Attempt>] {
  const gatewayTransactionToken = recovery.gatewayTransactionToken;
  switch (outcome.kind) {
    case 'succeeded':
      return ['succeeded', { gatewayTransactionToken }];
    case 'declined':
      return ['declined', { gatewayTransactionToken, ...declineFields(outcome.signals, recovery) }];
    case 'pending':
      return ['pending', { gatewayTransactionToken }];
    case 'unknown':
      return ['unknown', { loss: attempt.loss ?? outcome.loss, lostAt: attempt.lostAt ?? since }];
    case 'requires_action':
      return ['declined', { gatewayTransactionToken, declineCode: 'authentication_required' }];
    case 'requires_capture':
      return ['declined', { gatewayTransactionToken }];
    case 'canceled':
      return ['not_executed', {}];
  }
}

function declineFields(signals: DeclineSignals, recovery: Recovery): Partial<Attempt> {
  return {
    signals,
    declineCode: declineCodeOf(signals, hintsOf(recovery)),
    networkDeclineCode: signals.networkDeclineCode,
    adviceCode: signals.adviceCode ?? signals.networkAdviceCode,
  };
}

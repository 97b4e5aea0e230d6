import { Injectable } from '@nestjs/common';

import type { AccountRefused } from '../gateways/gateway.js';
import { Random } from '../platform/random.js';
import { decideFirstStep, needsMandate, type FirstStepDecision } from '../recovery/first-step.js';
import type { Decision } from '../recovery/facts.js';
import type { LimitHold } from '../recovery/network-limits.js';
import { nextAuthenticationPollAt } from '../recovery/looks.js';
import type { OriginalDecision, ReadingTime } from '../recovery/original.js';
import { decideLook, LOOK_BACK_MS } from '../recovery/payment-looks.js';
import { rule as ruleOf } from '../recovery/rules.js';
import { attemptsRemaining } from '../recovery/schedule.js';
import { quietly, unchanged, type Change } from './change.js';
import {
  awaitAccount,
  chargeNow,
  clears,
  fieldOf,
  inputsOf,
  planned,
  refusedLater,
  stopping,
  takenOnId,
  waitForReading,
  type AcceptancePlan,
} from './acceptance-plan.js';
import { callOptions, DebtReader } from './debt-reader.js';
import { DebtHistory } from './debt-history.js';
import { FallbackTokens } from './fallback-tokens.js';
import { readingEnds } from './reading-ends.js';
import { roundFactsOf, type Recovery } from './recovery.js';
import { limitAlert, refusalFacts } from './limit-refusal.js';
import { alertsOf, decided } from './recovery-writer.js';
import { readSiblings } from './siblings.js';
import { readTakenOn } from './taken-on.js';
import { isObserved } from './platforms-turn.js';
import { isNewer, understand, withOriginalDecision, type DebtReadings, type Understood } from './understanding.js';
import { afterMs, type WorkContext } from './work-context.js';

/** Reads what is owed and what would be charged, and takes the first step (docs/behaviour.md 2 and 3). */
@Injectable()
export class Acceptance {
  constructor(
    private readonly reader: DebtReader,
    private readonly history: DebtHistory,
    private readonly fallbacks: FallbackTokens,
    private readonly random: Random,
  ) {}

  /** `recovery` is as the request describes it; nothing of it needs to be stored yet. */
  async plan(recovery: Recovery, token: string, context: WorkContext, when: ReadingTime): Promise<AcceptancePlan> {
    const readings = await this.read(recovery, token, context);
    const understood = understand(recovery, readings, when);
    switch (understood.kind) {
      case 'refused':
        return when === 'acceptance' ? understood : planned(refusedLater(recovery, understood.refusal, context));
      case 'silent':
      case 'account':
        return this.untold(recovery, understood, context);
      case 'read':
        return this.afterReading(understood, token, context, when);
    }
  }

  private async read(recovery: Recovery, token: string, context: WorkContext): Promise<DebtReadings> {
    const { gateway, account } = context;
    const options = callOptions(context);
    const { originalGatewayTransactionId: originalId, invoiceId } = recovery;
    const [method, original, invoice] = await Promise.all([
      gateway.readPaymentMethod(account, token, options),
      originalId === null ? null : gateway.readOriginal(account, originalId, options),
      // Named twice, it is read once, as the original: that tells how its payment failed as well.
      invoiceId === null || invoiceId === originalId ? null : gateway.readInvoice(account, invoiceId, options),
    ]);
    return { method, original, invoice };
  }

  private async afterReading(
    { recovery: read, decision: original, failedCard }: Understood & { kind: 'read' },
    token: string,
    context: WorkContext,
    when: ReadingTime,
  ): Promise<AcceptancePlan> {
    const hasObject = read.invoiceId !== null || (original !== null && original.kind !== 'create_new');
    const before = await this.history.before(read, hasObject, context.now());
    // The same debt as before: read as if this request had named it too.
    if (before.named) return this.plan({ ...read, ...before.named }, token, context, when);
    const resolved = withOriginalDecision(before.recovery, original);
    const paymentId = takenOnId(resolved, read, original);
    const takenOn = paymentId === null ? null : await readTakenOn(resolved, paymentId, context, when);
    if (takenOn && takenOn.kind !== 'read') return this.untold(read, takenOn, context);
    const { recovery: charged, decision } = takenOn ?? { recovery: resolved, decision: original };
    if (decision && !clears(decision)) return this.notCleared(charged, decision, context, when);
    const beside = await readSiblings(charged, before.siblings, context, when);
    if (beside.kind === 'silent' || beside.kind === 'account') return this.untold(read, beside, context);
    if (beside.kind === 'decided') return this.notCleared(charged, beside.decision, context, when);
    const { recovery } = beside;
    if (recovery.nextTrigger === 'card_updated') return this.onGivenCard(recovery, context);
    const changed = isNewer(recovery.card, failedCard ?? before.card);
    const known = changed ? { ...recovery, hints: { ...recovery.hints, cardChanged: true as const } } : recovery;
    return this.firstStep(known, before.hold, false, context);
  }

  /** A card that the customer has just given is charged at once, whatever became of the one before. */
  private async onGivenCard(recovery: Recovery, context: WorkContext): Promise<AcceptancePlan> {
    return needsMandate(recovery.card?.country)
      ? this.authenticate(unchanged(recovery), ruleOf('india_without_mandate'), context)
      : chargeNow(unchanged(recovery), context);
  }

  /** The gateway told nothing: read again later, or once it lets the account in again. */
  private async untold(
    recovery: Recovery,
    why: { kind: 'silent' } | { kind: 'account'; refusal: AccountRefused },
    context: WorkContext,
  ): Promise<AcceptancePlan> {
    if (why.kind === 'silent') return planned(waitForReading(recovery, context));
    return planned(awaitAccount(await this.reader.pauseClient(recovery, why.refusal, context)));
  }

  /** A reading that leaves nothing to charge: refused, looked at again, or the end. */
  private notCleared(
    recovery: Recovery,
    decision: OriginalDecision,
    context: WorkContext,
    when: ReadingTime,
  ): AcceptancePlan {
    if (decision.kind === 'refuse') {
      const { code, message } = decision;
      const refusal = { field: fieldOf(recovery), code, message, accepted: 'see message' };
      return when === 'acceptance' ? { kind: 'refused', refusal } : planned(refusedLater(recovery, refusal, context));
    }
    if (decision.kind === 'wait') return planned(waitForReading(recovery, context));
    return planned(readingEnds(recovery, decision, context, when));
  }

  private async firstStep(
    recovery: Recovery,
    hold: LimitHold | null,
    lookFoundNone: boolean,
    context: WorkContext,
  ): Promise<AcceptancePlan> {
    const decision = decideFirstStep({
      signals: recovery.originalSignals,
      binPrefix: recovery.hints.binPrefix ?? null,
      paymentMethodType: recovery.hints.paymentMethodType ?? null,
      cardCountry: recovery.card?.country ?? null,
      cardOrigin: recovery.hints.cardOrigin ?? null,
      cardChangedSince: recovery.hints.cardChanged === true,
      hasFallback: recovery.fallbackLeft > 0,
      tokenReusable: recovery.tokenReusable,
      failedAt: recovery.lastAttemptAt,
      lookFoundNone,
      now: context.now(),
      policy: recovery.policy,
      round: roundFactsOf(recovery),
      limitsFreeAt: hold,
      jitter: this.random.fraction(),
    });
    if (hold === null && isForGivenCard(recovery, decision, context)) {
      return this.onGivenCard({ ...recovery, nextTrigger: 'card_updated', strategy: 'updated_card' }, context);
    }
    if (decision.kind !== 'look') return this.carryOut(recovery, decision, hold, context);
    switch (await this.look(recovery, context)) {
      case 'none':
        return this.firstStep(recovery, hold, true, context);
      case 'unread':
        return planned(waitForReading(recovery, context));
      case 'possibly_paid': {
        const end: Decision = {
          kind: 'failed',
          endReason: 'possibly_paid',
          detail: 'possibly_paid',
          rule: decision.rule,
        };
        return planned(decided(unchanged(recovery), end, 'initial', context));
      }
    }
  }

  /** The first charge may have gone through: does a payment of this customer and amount say so? */
  private async look(recovery: Recovery, context: WorkContext): Promise<'none' | 'unread' | 'possibly_paid'> {
    if (recovery.originalResolved !== null) return 'none'; // The original itself was read.
    const customerId = recovery.gatewayCustomerId;
    if (customerId === null) return 'possibly_paid';
    const now = context.now();
    const { amountMinor, currency } = recovery;
    const reading = await context.gateway.listPayments(
      context.account,
      { customerId, since: afterMs(now, -LOOK_BACK_MS), amountMinor, currency },
      callOptions(context),
    );
    if (reading.kind !== 'found') return 'unread';
    const otherDebtsPaymentIds = await this.history.paymentsOfOtherDebts(
      recovery,
      reading.value.map((each) => each.id),
    );
    return decideLook(reading.value, { amountMinor, currency, customerKnown: true, otherDebtsPaymentIds, now });
  }

  private async carryOut(
    recovery: Recovery,
    step: Exclude<FirstStepDecision, { kind: 'look' }>,
    hold: LimitHold | null,
    context: WorkContext,
  ): Promise<AcceptancePlan> {
    const now = context.now();
    const { rule } = step;
    const alerts = alertsOf({ ...recovery, lastSignals: recovery.originalSignals }, step.route);
    const refusal = hold !== null && rule.name === hold.rule.name ? hold : null;
    const change = {
      ...unchanged(recovery),
      alerts: refusal === null ? alerts : [...alerts, limitAlert(recovery, refusal)],
    };
    const inputs = { ...inputsOf(recovery), ...(refusal === null ? {} : refusalFacts(refusal)) };
    const to = (decision: Decision, start = change) => planned(decided(start, decision, 'initial', context, inputs));
    switch (step.kind) {
      case 'charge': {
        if (step.token === 'fallback') return this.onFallback(change, now, rule, hold, context);
        return chargeNow(quietly(change, { nextTrigger: 'initial' }), context);
      }
      case 'queue': {
        if (step.token === 'fallback') return this.onFallback(change, step.dueAt, rule, hold, context);
        const group = step.route?.group ?? 'ambiguous';
        const anchored = quietly(change, { anchorAt: recovery.anchorAt ?? now });
        const left = attemptsRemaining(recovery.policy, group, roundFactsOf(anchored.recovery));
        return to({ kind: 'retry', dueAt: step.dueAt, attemptsRemaining: left, rule }, anchored);
      }
      case 'fail':
        return to({ kind: 'failed', endReason: step.endReason, detail: step.detail, rule }, stopping(change));
      case 'block':
        return to({ kind: 'blocked', rule }, stopping(change));
      case 'authenticate':
        return this.authenticate(change, rule, context);
    }
  }

  /** The named card would fail, and another one has the customer's consent; where none can be charged, it fails. */
  private async onFallback(
    change: Change,
    dueAt: Date,
    rule: Decision['rule'],
    hold: LimitHold | null,
    context: WorkContext,
  ): Promise<AcceptancePlan> {
    const { kind, change: taken } = await this.fallbacks.take(change, context);
    const now = context.now();
    if (kind === 'none') return this.firstStep(taken.recovery, hold, true, context);
    if (dueAt <= now) return chargeNow(quietly(taken, { nextTrigger: 'initial' }), context);
    const anchored = quietly(taken, { anchorAt: taken.recovery.anchorAt ?? now });
    const { policy } = taken.recovery;
    const left = attemptsRemaining(policy, 'ambiguous', roundFactsOf(anchored.recovery));
    const decision: Decision = { kind: 'retry', dueAt, attemptsRemaining: left, rule };
    return planned(decided(anchored, decision, 'initial', context, inputsOf(taken.recovery)));
  }

  /** The customer needs a payment to authenticate: made unconfirmed if there is none. */
  private async authenticate(change: Change, rule: Decision['rule'], context: WorkContext): Promise<AcceptancePlan> {
    const now = context.now();
    if (await this.history.isHeldByAnother(change.recovery)) return planned(waitForReading(change.recovery, context));
    const payable = await this.reader.payableByCustomer(change.recovery, context);
    if (payable.kind === 'stop') return planned(payable.change);
    if (payable.kind === 'unread') return planned(waitForReading(change.recovery, context));
    const waiting = quietly({ ...change, recovery: payable.recovery }, { waitingSince: now });
    const dueAt = nextAuthenticationPollAt(now, now, change.recovery.deadlineAt);
    return planned(
      decided(waiting, { kind: 'action_required', dueAt, rule }, 'initial', context, inputsOf(change.recovery)),
    );
  }
}

/**
 * True where a platform's debt failed on another card than the one that the platform would charge now: the new card was
 * given before the failure was told, and is charged as if it had been given after it. What a person has to look at first
 * waits for that person in either order.
 */
function isForGivenCard(recovery: Recovery, step: FirstStepDecision, context: WorkContext): boolean {
  const { platform, cardChanged } = recovery.hints;
  if (platform === undefined || cardChanged !== true || isObserved(recovery, context)) return false;
  switch (step.kind) {
    case 'look':
      return false;
    case 'fail':
      return step.endReason === 'hard_decline' && step.route?.finalAction !== 'manual_review';
    case 'block':
      return step.route?.finalAction !== 'manual_review';
    default:
      return true;
  }
}

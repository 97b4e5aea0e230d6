import { Injectable } from '@nestjs/common';

import { isHeld } from '../recovery/advice.js';
import { Ids } from '../platform/ids.js';
import { composeEvent, type EventFacts } from '../webhooks/event-body.js';
import type { EventType } from '../webhooks/event-types.js';
import type { EventDraft } from '../webhooks/outbox.js';
import type { Change } from './change.js';
import { categoryShown, declineCodeShown, signalsShown } from './presenter.js';
import type { Recovery, TimelineEntry } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';
import { routeOf } from './transition.js';
import { afterMs, type WorkContext } from './work-context.js';

/** The test gateway's forced failure: like a simulated outcome, it is never held. */
export const FORCED_FAILURE_AMOUNT = 44;

/** Which events a step of the timeline is told by; steps without an entry are told by none. */
const EVENTS_OF_STEP: Readonly<Record<string, readonly EventType[]>> = {
  recovered: ['recovery.success'],
  failed: ['recovery.failed'],
  blocked: ['recovery.blocked'],
  authentication_required: ['recovery.blocked', 'recovery.action_required'],
  cancelled: ['recovery.cancelled'],
  held_out: ['recovery.holdout'],
  retry_scheduled: ['recovery.scheduled'],
  attempt_declined: ['recovery.attempt_failed'],
  outcome_unknown: ['recovery.unknown'],
};

/** Turns the steps of a change into the events that tell them, from the row as it will be stored. */
@Injectable()
export class EventComposer {
  constructor(
    private readonly ids: Ids,
    private readonly store: RecoveryStore,
  ) {}

  async withEvents(change: Change, context: WorkContext): Promise<Change> {
    const told = change.timeline.flatMap((entry) =>
      (EVENTS_OF_STEP[entry.type] ?? []).map((type) => ({ type, entry })),
    );
    if (told.length === 0) return change;
    const openOthers = context.openOthers ?? (await this.store.otherOpenOfCustomer(change.recovery));
    let recovery = change.recovery;
    const events: EventDraft[] = [];
    for (const { type, entry } of told) {
      const draft = this.draft(recovery, type, entry, openOthers, context);
      events.push(draft);
      if (draft.final) recovery = { ...recovery, finalEventId: draft.id };
    }
    return { ...change, recovery, events: [...change.events, ...events] };
  }

  private draft(
    recovery: Recovery,
    type: EventType,
    entry: TimelineEntry,
    openOthers: number,
    context: WorkContext,
  ): EventDraft {
    const id = this.ids.prefixed('evt');
    const facts = eventFacts(recovery, openOthers, context.client.dunningEnabled);
    const isSuccess = type === 'recovery.success';
    const supersedes = isSuccess ? recovery.finalEventId : null;
    const { subscription } = recovery.hints;
    const composed = composeEvent({
      ...facts,
      id,
      type,
      createdAt: entry.at,
      sequence: entry.sequence,
      ...(supersedes === null ? {} : { supersedes }),
      ...(isSuccess && subscription ? { subscription } : {}),
    });
    const holdMs = context.client.customerActionHoldMinutes * 60_000;
    const held = type === 'recovery.failed' && holdMs > 0 && waitsForLatePayment(recovery);
    return {
      ...composed,
      id,
      sequence: entry.sequence,
      createdAt: entry.at,
      heldUntil: held ? afterMs(entry.at, holdMs) : null,
    };
  }
}

function waitsForLatePayment(recovery: Recovery): boolean {
  return isHeld({
    endReason: recovery.endReason,
    route: routeOf(recovery),
    recommendedAction: recovery.advice.recommendedAction,
    simulated: recovery.simulateOutcome !== null || recovery.amountRequestedMinor === FORCED_FAILURE_AMOUNT,
  });
}

/** What every event tells of a recovery as it stands; `openOthers` counts its customer's other open ones. */
export function eventFacts(
  recovery: Recovery,
  openOthers: number,
  dunningEnabled: boolean,
): Omit<EventFacts, 'id' | 'type' | 'createdAt' | 'sequence'> {
  const signals = signalsShown(recovery);
  return {
    recovery: {
      id: recovery.id,
      amountMinor: recovery.amountMinor,
      amountRequestedMinor: recovery.amountRequestedMinor,
      currency: recovery.currency,
      message: recovery.message,
      strategy: recovery.strategy,
      idempotencyKey: recovery.idempotencyKey,
      reference: recovery.reference,
      customerId: recovery.customerId,
      trigger: recovery.trigger,
      gatewayTransactionToken: recovery.gatewayTransactionToken,
      attemptCount: recovery.attemptCount,
      endReason: recovery.endReason,
      round: recovery.round,
      livemode: recovery.livemode,
      isSimulated: recovery.simulateOutcome !== null,
      metadata: recovery.metadata,
    },
    advice: recovery.advice,
    decline: {
      declineCode: declineCodeShown(recovery),
      declineCategory: categoryShown(recovery),
      networkDeclineCode: signals?.networkDeclineCode ?? null,
      networkAdviceCode: signals?.networkAdviceCode ?? null,
    },
    nextAttemptAt: recovery.state === 'queued' ? recovery.dueAt : null,
    // This debt counts until it is paid or withdrawn: a merchant merges what is still owed into one message.
    openRecoveriesForCustomer: openOthers + (isOwed(recovery) ? 1 : 0),
    dunningEnabled,
  };
}

function isOwed({ state }: Recovery): boolean {
  return state !== 'succeeded' && state !== 'cancelled';
}

import { Injectable } from '@nestjs/common';

import type { OwnTransaction } from '../platform/db/database.js';
import type { Decision, Outcome, Route, Trigger } from '../recovery/facts.js';
import { declineCodeOf } from '../recovery/decline.js';
import type { UnchargedCard } from './card-ledger.js';
import { step, type AlertDraft, type Change } from './change.js';
import { EventComposer } from './event-composer.js';
import type { Attempt, AttemptOutcome, Recovery } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';
import { applyDecision, hintsOf, routeOf } from './transition.js';
import type { WorkContext } from './work-context.js';

/** Writes a change with its events and its answer, and hands the lease back unless the work goes on. */
@Injectable()
export class RecoveryWriter {
  constructor(
    private readonly store: RecoveryStore,
    private readonly composer: EventComposer,
  ) {}

  /** Writes an end of this unit of work: the lease goes back, and a waiting call gets its answer. */
  async finish(change: Change, context: WorkContext): Promise<Recovery> {
    const released: Change = { ...change, recovery: { ...change.recovery, leaseOwner: null, crashCount: 0 } };
    return this.store.save(await this.complete(released, context, context.answer(released.recovery)));
  }

  /** Writes an intermediate step: the lease is kept, and renewed by the write itself. */
  async proceed(change: Change, context: WorkContext, answer: Change['answer'] = null): Promise<Recovery> {
    const kept: Change = { ...change, recovery: { ...change.recovery, leaseOwner: this.store.owner } };
    return this.store.save(await this.complete(kept, context, answer));
  }

  /**
   * As `proceed`, unless `obstacle` finds something in the same transaction: then nothing is written. Of a card that was
   * never charged nothing can be found, and all of it is one flight.
   */
  async proceedUnless<T>(
    change: Change,
    context: WorkContext,
    card: UnchargedCard,
    obstacle: (tx: OwnTransaction) => Promise<T | null>,
  ): Promise<{ kind: 'written'; recovery: Recovery } | { kind: 'obstacle'; found: T }> {
    const kept: Change = { ...change, recovery: { ...change.recovery, leaseOwner: this.store.owner } };
    const complete = await this.complete(kept, context, null);
    if (await this.store.saveIfUncharged(complete, card)) {
      return { kind: 'written', recovery: complete.recovery };
    }
    const found = await this.store.saveUnless(complete, obstacle);
    return found === null ? { kind: 'written', recovery: complete.recovery } : { kind: 'obstacle', found };
  }

  /** A change ready to be written, for callers that write it in a transaction of their own. */
  async complete(change: Change, context: WorkContext, answer: Change['answer']): Promise<Change> {
    return { ...(await this.composer.withEvents(change, context)), answer };
  }
}

/** Ends an attempt with what is known of it, and counts it. Pure. */
export function endAttempt(
  change: Change,
  attempt: Attempt,
  outcome: AttemptOutcome,
  known: Partial<Attempt>,
  context: WorkContext,
): Change {
  const now = context.now();
  const ended: Attempt = { ...attempt, ...known, outcome, endedAt: isKnown(outcome) ? now : null };
  const { recovery } = change;
  const uncounted = outcome === 'not_executed';
  const patch: Partial<Recovery> = {
    gatewayTransactionToken: ended.gatewayTransactionToken ?? recovery.gatewayTransactionToken,
    ...(uncounted
      ? {
          attemptCount: recovery.attemptCount - 1,
          chargesMade: recovery.chargesMade - 1,
          scheduledTaken: recovery.scheduledTaken - (attempt.scheduled ? 1 : 0),
        }
      : {}),
  };
  return { ...change, recovery: { ...recovery, ...patch }, attemptsEnded: [...change.attemptsEnded, ended] };
}

function isKnown(outcome: AttemptOutcome): boolean {
  return outcome === 'succeeded' || outcome === 'declined' || outcome === 'not_executed';
}

/** Notes a decline on the timeline, with what it leads to: the card's stops and the operator's alerts. Pure. */
export function noteDecline(change: Change, outcome: Outcome & { kind: 'declined' }, context: WorkContext): Change {
  const now = context.now();
  const { signals } = outcome;
  const patched: Recovery = {
    ...change.recovery,
    lastSignals: signals,
    anchorAt: change.recovery.anchorAt ?? now,
    lastAttemptAt: now,
  };
  const route = routeOf(patched);
  const noted = step(
    { ...change, recovery: patched },
    {},
    {
      type: 'attempt_declined',
      rule: route?.rule ?? { name: 'no_code', source: 'the gateway named none' },
      at: now,
      actor: 'gateway',
      inputs: { ...signals },
    },
  );
  return {
    ...noted,
    cardStops: [...noted.cardStops, ...cardStopsOf(patched, route)],
    alerts: [...noted.alerts, ...alertsOf(patched, route)],
  };
}

function cardStopsOf(recovery: Recovery, route: Route | null): Change['cardStops'] {
  if (!route || !recovery.lastSignals || !(route.neverCharge || route.stopsCard)) return [];
  const { debtName, cardFingerprint, tokenHash, lastSignals: signals } = recovery;
  return [{ debtName, cardFingerprint, tokenHash, kind: route.neverCharge ? 'blocked' : 'stopped', signals }];
}

/** A code seen for the first time, and a request that the gateway refuses, are told to the operator once. */
export function alertsOf(recovery: Recovery, route: Route | null): AlertDraft[] {
  if (!route || !recovery.lastSignals) return [];
  const code = declineCodeOf(recovery.lastSignals, hintsOf(recovery)) ?? 'none';
  const facts = { transactionId: recovery.id, code, bucket: route.bucket };
  if (!route.listed) {
    return [{ kind: 'unlisted_decline_code', severity: 'info', facts, dedupeKey: `unlisted_decline_code:${code}` }];
  }
  if (route.bucket === 'configuration') {
    return [{ kind: 'configuration_error', severity: 'warning', facts, dedupeKey: `configuration_error:${code}` }];
  }
  return [];
}

/** A decision as the next step of a change, told apart by who made it. */
export function decided(
  change: Change,
  decision: Decision,
  trigger: Trigger,
  context: WorkContext,
  inputs: Record<string, unknown> = {},
): Change {
  return applyDecision(change, decision, trigger, { at: context.now(), actor: context.actor, inputs });
}

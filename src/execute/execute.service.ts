import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { clientNow, type ClientSettings } from '../clients/client-settings.js';
import { Acceptance } from '../engine/acceptance.js';
import type { AcceptancePlan } from '../engine/acceptance-plan.js';
import { unchanged, type Change } from '../engine/change.js';
import { Engine } from '../engine/engine.js';
import { boundToMode } from '../engine/platforms-turn.js';
import { executeBody } from '../engine/presenter.js';
import type { Recovery } from '../engine/recovery.js';
import { LeaseLost, RecoveryStore } from '../engine/recovery-store.js';
import { Simulation, type SimulatedOutcome } from '../engine/simulation.js';
import { move } from '../engine/transition.js';
import type { WorkContext } from '../engine/work-context.js';
import { WorkContexts } from '../engine/work-contexts.js';
import { Worker } from '../engine/worker.js';
import { Vault } from '../platform/crypto/vault.js';
import { isConnectionError } from '../platform/db/database.js';
import { badField, badFields, DomainError } from '../platform/http/domain-error.js';
import { Clock } from '../platform/clock.js';
import { Ids } from '../platform/ids.js';
import { Random } from '../platform/random.js';
import { Dispatcher } from '../webhooks/dispatcher.js';
import { answerStatus } from '../recovery/lifecycle.js';
import { encodeAnswer, type Answer } from './answer.js';
import { requestProblems } from './check-request.js';
import type { ExecuteRequest } from './execute-request.js';
import { heldOut, isHeldOut, unsettled, withoutMethod } from './first-ends.js';
import { fingerprintOf, Idempotency, KeyTaken } from './idempotency.js';
import { Intake, type CallKey, type PlannedAcceptance } from './intake.service.js';
import { newRecovery } from './new-recovery.js';
import { storedAnswer } from './stored-answer.js';

/** Readings at acceptance share this much, the charge has what is left of 22 s (docs/behaviour.md 2). */
const READINGS_MS = 8_000;
const REQUEST_MS = 22_000;

const ACCEPTED = { name: 'accepted', source: 'POST /api/recovery/execute' };

export interface ExecuteOptions {
  /** The header's key; the body may carry one as well. */
  headerKey: string | null;
  /** False for a batch: what would be charged in the request is queued, due at once. */
  chargeInRequest: boolean;
}

export interface ExecuteAnswer extends Answer {
  replayed: boolean;
  hasKey: boolean;
}

/** What a billing platform reports. */
export interface Reported {
  platform: string;
  /** False where the customer has no payment method that could be charged. */
  hasMethod: boolean;
}

/** `POST /execute`: check, deduplicate, read, store, hand to the engine, answer. */
@Injectable()
export class ExecuteService {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly intake: Intake,
    private readonly acceptance: Acceptance,
    private readonly simulation: Simulation,
    private readonly store: RecoveryStore,
    private readonly worker: Worker,
    private readonly contexts: WorkContexts,
    private readonly engine: Engine,
    private readonly dispatcher: Dispatcher,
    private readonly vault: Vault,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly ids: Ids,
  ) {}

  /** @throws {DomainError} for every refusal that openapi.yaml lists. */
  async execute(caller: Caller, request: ExecuteRequest, options: ExecuteOptions): Promise<ExecuteAnswer> {
    const { settings: client } = caller;
    const now = clientNow(client, this.clock.now());
    const key = keyOf(request, options.headerKey);
    const fingerprint = fingerprintOf('execute', request);
    const problems = requestProblems(client, request, now);
    if (problems.length > 0) {
      // A body that was accepted once is answered again, though an instant in it may lie out of range by now.
      const finished = key === null ? null : await this.idempotency.finished(client, key, fingerprint);
      if (!finished) throw badFields(problems);
      return { ...finished, replayed: true, hasKey: true };
    }
    if (key === null) return this.fresh(caller, request, null, options);
    const verdict = await this.idempotency.look(client, key, fingerprint);
    if (verdict.kind === 'replay') return { ...verdict.answer, replayed: true, hasKey: true };
    try {
      return await this.fresh(caller, request, { key, fingerprint }, options);
    } catch (error) {
      const answer = await this.byAnother(error, client, { key, fingerprint });
      return { ...answer, replayed: true, hasKey: true };
    }
  }

  /**
   * Accepts a debt that a billing platform reports, as if its merchant had executed it: the same readings, guards and first
   * step. What would be charged in the request is queued, due at once. Without a method to charge it ends at once: the
   * customer has to give one.
   * @throws {DomainError} 409 for a debt that is open or paid already, 400 for one that can not be collected.
   */
  async acceptReported(client: ClientSettings, request: ExecuteRequest, reported: Reported): Promise<Recovery> {
    const actor = `connector:${reported.platform}`;
    const given = await this.contexts.of(client, { actor });
    const problems = requestProblems(client, request, given.now());
    if (problems.length > 0) throw badFields(problems);
    const named = newRecovery(this.ids.ulid(), client, request, null, given.now(), this.vault);
    const recovery: Recovery = { ...named, hints: { ...named.hints, platform: reported.platform } };
    const context = boundToMode(recovery, given);
    const plan = reported.hasMethod
      ? await this.plan(recovery, request, context)
      : { change: withoutMethod(acceptedChange(recovery, context), context), chargeNow: false };
    const accepted = await this.intake.accept(plan, { key: null, chargeInRequest: false }, context);
    this.engine.wake();
    this.dispatcher.wake();
    return accepted;
  }

  /**
   * Two calls under one key are worked side by side until one of them accepts: what that one made of it is the answer, also
   * where the other was refused for it. @throws `error`, where no other call is there.
   */
  private async byAnother(error: unknown, client: ClientSettings, { key, fingerprint }: CallKey): Promise<Answer> {
    if (error instanceof KeyTaken || error instanceof LeaseLost) {
      return this.idempotency.takenOver(client, key, fingerprint);
    }
    const refused = error instanceof DomainError;
    const verdict = refused ? await this.idempotency.look(client, key, fingerprint) : null;
    if (verdict?.kind !== 'replay') throw error;
    return verdict.answer;
  }

  private async fresh(
    caller: Caller,
    request: ExecuteRequest,
    key: CallKey | null,
    { chargeInRequest }: ExecuteOptions,
  ): Promise<ExecuteAnswer> {
    const { settings: client } = caller;
    const context = await this.contexts.of(client, {
      actor: `api_key:${caller.keyId}`,
      timeMs: REQUEST_MS,
      answer: (recovery) => (key === null ? null : storedAnswer(key.key, recovery)),
    });
    const recovery = newRecovery(this.ids.ulid(), client, request, key?.key ?? null, context.now(), this.vault);
    const plan = await this.plan(recovery, request, context);
    const accepted = await this.intake.accept(plan, { key, chargeInRequest }, context);
    const finished = accepted.leaseOwner === null ? accepted : await this.workInRequest(accepted, context);
    this.engine.wake();
    this.dispatcher.wake();
    const answer = encodeAnswer(answerStatus(finished.state), executeBody(finished));
    return { ...answer, replayed: false, hasKey: key !== null };
  }

  /**
   * The outcome; without a key that tells it later, how it stands when another worker has taken it over meanwhile. Where
   * the database is gone, that a charge may be on its way.
   */
  private async workInRequest(accepted: Recovery, context: WorkContext): Promise<Recovery> {
    try {
      return await this.worker.work(accepted, context);
    } catch (error) {
      if (isConnectionError(error)) return unsettled(accepted); // Accepted it is: never to be sent again as new.
      if (!(error instanceof LeaseLost) || accepted.idempotencyKey !== null) throw error;
      const found = await this.store.find(accepted.clientId, accepted.id);
      if (!found) throw error;
      return found.recovery;
    }
  }

  private async plan(recovery: Recovery, request: ExecuteRequest, context: WorkContext): Promise<PlannedAcceptance> {
    const accepted = acceptedChange(recovery, context);
    if (isHeldOut(context, this.random.fraction())) return { change: heldOut(accepted, context), chargeNow: false };
    if (request.simulateOutcome) return this.simulated(accepted, request.simulateOutcome, context);
    const plan = await this.acceptance.plan(
      accepted.recovery,
      request.paymentMethodToken,
      { ...context, timeLeftMs: () => Math.min(READINGS_MS, context.timeLeftMs() - (REQUEST_MS - READINGS_MS)) },
      'acceptance',
    );
    return withFirstStep(plannedOf(plan), accepted);
  }

  private simulated(accepted: Change, outcome: SimulatedOutcome, context: WorkContext): PlannedAcceptance {
    return { change: this.simulation.begin(accepted, outcome, context), chargeNow: false };
  }
}

function acceptedChange(recovery: Recovery, context: WorkContext): Change {
  const at = context.now();
  const inputs = { debt: recovery.debtName, amount: recovery.amountMinor, currency: recovery.currency };
  return move(
    unchanged(recovery),
    { state: 'queued', dueAt: at, dueKind: 'charge', type: 'accepted', rule: ACCEPTED },
    { at, actor: context.actor, inputs },
  );
}

function plannedOf(plan: AcceptancePlan): PlannedAcceptance {
  if (plan.kind === 'planned') return plan;
  const { field, code, message, accepted } = plan.refusal;
  throw badField(field, code, message, accepted);
}

/** The acceptance itself is step 1 of the timeline, whatever follows in the same breath. */
function withFirstStep({ change, chargeNow }: PlannedAcceptance, accepted: Change): PlannedAcceptance {
  return { chargeNow, change: { ...change, timeline: [...accepted.timeline, ...change.timeline] } };
}

function keyOf(request: ExecuteRequest, headerKey: string | null): string | null {
  const bodyKey = request.idempotencyKey ?? null;
  if (bodyKey !== null && headerKey !== null && bodyKey !== headerKey) {
    throw badField(
      'idempotencyKey',
      'invalid_field',
      'differs from the Idempotency-Key header',
      'one key, in one place',
    );
  }
  return bodyKey ?? headerKey;
}

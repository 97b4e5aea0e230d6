import { createHash } from 'node:crypto';

import { ConflictException, Injectable, UnauthorizedException } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import Stripe from 'stripe';
import { DataSource, In, MoreThan } from 'typeorm';
import { ulid } from 'ulid';

import {
  ApiKey,
  Attempt,
  type Client,
  Delivery,
  Endpoint,
  Event,
  IdempotencyKey,
  Recovery,
  TimelineStep,
} from './entities.js';
import type { ExecuteDto } from './execute.dto.js';

const VELOCITY_MS = 300_000;
const DEADLINE_MS = 28 * 86_400_000;
const HOLDING = ['queued', 'in_progress', 'reconciling', 'succeeded'];
const ADVICE = {
  recommendedAction: 'none',
  recommendedActionReason: '',
  recommendedActionDetail: null,
  willRetry: false,
};

/**
 * The endpoint as a team would first write it: TypeORM's `save`, the SDK as it comes. It stores the rows that ours stores,
 * in the same three transactions around the same three calls, so that a comparison compares the way and not the work.
 */
@Injectable()
export class ExecuteService {
  private readonly stripe: Stripe;

  constructor(@InjectDataSource() private readonly source: DataSource) {
    const base = new URL(process.env.STRIPE_API_BASE ?? '');
    this.stripe = new Stripe(process.env.STRIPE_SECRET_KEY ?? '', {
      host: base.hostname,
      port: Number(base.port),
      protocol: 'http',
    });
  }

  async execute(rawKey: string, body: ExecuteDto): Promise<object> {
    const client = await this.authenticate(rawKey);
    const stored = await this.beginKey(client, body);
    if (stored) return stored;

    const method = await this.stripe.paymentMethods.retrieve(body.paymentMethodToken);
    const recovery = await this.accept(client, body, method);
    const payment = await this.stripe.paymentIntents.create(
      {
        amount: body.amount,
        currency: recovery.currency.toLowerCase(),
        customer: method.customer as string,
        automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
        metadata: { transactionId: recovery.id, reference: body.reference },
      },
      { idempotencyKey: `${recovery.id}:payment` },
    );
    const attempt = await this.open(recovery, payment.id);
    const charged = await this.stripe.paymentIntents.confirm(
      payment.id,
      {
        payment_method: body.paymentMethodToken,
        off_session: true,
        error_on_requires_action: true,
        expand: ['latest_charge'],
      },
      { idempotencyKey: attempt.gatewayKey },
    );
    return this.settle(recovery, attempt, charged);
  }

  private async authenticate(rawKey: string): Promise<Client> {
    const keys = this.source.getRepository(ApiKey);
    const key = await keys.findOne({ where: { hash: sha256(rawKey) }, relations: { client: true } });
    if (!key) throw new UnauthorizedException();
    return key.client;
  }

  /** The answer to repeat, or null when this call is the first under its key. */
  private async beginKey(client: Client, body: ExecuteDto): Promise<object | null> {
    const keys = this.source.getRepository(IdempotencyKey);
    const seen = await keys.findOne({ where: { clientId: client.id, key: body.idempotencyKey } });
    if (seen?.body) return JSON.parse(seen.body.toString('utf8')) as object;
    if (seen) throw new ConflictException('idempotency_in_flight');
    const fingerprint = sha256(JSON.stringify(body));
    await keys.save({ clientId: client.id, key: body.idempotencyKey, fingerprint, createdAt: new Date() });
    return null;
  }

  private accept(client: Client, body: ExecuteDto, method: Stripe.PaymentMethod): Promise<Recovery> {
    return this.source.transaction(async (manager) => {
      const now = new Date();
      const tokenHash = sha256(body.paymentMethodToken);
      const open = await manager.findOne(Recovery, {
        where: { clientId: client.id, debtName: body.reference, state: In(HOLDING) },
      });
      if (open) throw new ConflictException('recovery_already_open');
      const since = MoreThan(new Date(now.getTime() - VELOCITY_MS));
      const repeated = await manager.findOne(Recovery, {
        where: { clientId: client.id, tokenHash, amountRequestedMinor: body.amount, createdAt: since },
      });
      if (repeated) throw new ConflictException('velocity_duplicate');
      const recovery = manager.create(Recovery, {
        clientId: client.id,
        id: ulid(),
        state: 'queued',
        sequence: 1,
        debtName: body.reference,
        paymentIsOurs: false,
        idempotencyKey: body.idempotencyKey,
        reference: body.reference,
        gatewayCustomerId: method.customer as string,
        amountRequestedMinor: body.amount,
        amountMinor: body.amount,
        currency: body.currency ?? client.defaultCurrency,
        tokenSealed: Buffer.from(body.paymentMethodToken),
        tokenHash,
        card: method.card ?? null,
        cardFingerprint: method.card?.fingerprint ?? null,
        policy: { preset: 'standard', attemptsMax: 4 },
        livemode: client.livemode,
        isTest: client.isTest,
        roundOpenedAt: now,
        deadlineAt: new Date(now.getTime() + DEADLINE_MS),
        attemptsOpened: 0,
        attemptCount: 0,
        attemptsRemaining: 4,
        dueAt: now,
        dueKind: 'charge',
        advice: ADVICE,
        message: '',
        createdAt: now,
        updatedAt: now,
      });
      await manager.save(recovery);
      await manager.save(manager.create(TimelineStep, timeline(recovery, null, 'accepted')));
      return recovery;
    });
  }

  private open(recovery: Recovery, paymentId: string): Promise<Attempt> {
    return this.source.transaction(async (manager) => {
      const now = new Date();
      const id = `att_${ulid()}`;
      recovery.state = 'in_progress';
      recovery.sequence = 2;
      recovery.paymentObjectId = paymentId;
      recovery.paymentObjectKind = 'payment';
      recovery.paymentIsOurs = true;
      recovery.attemptsOpened = recovery.attemptCount = 1;
      recovery.dueAt = now;
      recovery.dueKind = 'settle';
      recovery.updatedAt = now;
      await manager.save(recovery);
      await manager.save(manager.create(TimelineStep, timeline(recovery, 'queued', 'charge_opened')));
      return manager.save(
        manager.create(Attempt, {
          clientId: recovery.clientId,
          id,
          recoveryId: recovery.id,
          number: 1,
          round: 1,
          trigger: 'initial',
          strategy: 'primary',
          amountMinor: recovery.amountMinor,
          currency: recovery.currency,
          tokenHash: recovery.tokenHash,
          cardFingerprint: recovery.cardFingerprint,
          paymentObjectId: paymentId,
          gatewayKey: `${recovery.id}:${id}`,
          witness: { paymentId },
          openedAt: now,
          sentAt: now,
        }),
      );
    });
  }

  private settle(recovery: Recovery, attempt: Attempt, charged: Stripe.PaymentIntent): Promise<object> {
    if (charged.status !== 'succeeded') throw new Error(`the bench charges cards that work, not ${charged.status}`);
    return this.source.transaction(async (manager) => {
      const now = new Date();
      const { clientId, id: recoveryId } = recovery;
      attempt.outcome = 'succeeded';
      attempt.endedAt = now;
      attempt.gatewayTransactionToken = charged.id;
      await manager.save(attempt);
      recovery.state = 'succeeded';
      recovery.sequence = 3;
      recovery.dueAt = recovery.dueKind = null;
      recovery.message = 'The payment was collected.';
      recovery.trigger = 'initial';
      recovery.recoveredAt = recovery.updatedAt = now;
      recovery.gatewayTransactionToken = charged.id;
      recovery.finalEventId = `evt_${ulid()}`;
      await manager.save(recovery);
      await manager.save(manager.create(TimelineStep, timeline(recovery, 'in_progress', 'recovered')));

      const answer = answerOf(recovery);
      const told = { id: recovery.finalEventId, type: 'recovery.success', createdAt: now, data: answer };
      const event = await manager.save(
        manager.create(Event, {
          clientId,
          id: recovery.finalEventId,
          recoveryId,
          type: 'recovery.success',
          isDefault: true,
          sequence: 3,
          final: true,
          body: Buffer.from(JSON.stringify(told)),
          createdAt: now,
        }),
      );
      const endpoints = await manager.find(Endpoint, { where: { clientId, enabled: true } });
      for (const { id: endpointId } of endpoints) {
        const status = 'pending';
        const times = { nextTryAt: now, createdAt: now, updatedAt: now };
        const place = { clientId, eventId: event.id, endpointId, recoveryId, eventSequence: 3 };
        await manager.save(manager.create(Delivery, { ...place, ...times, id: `dlv_${ulid()}`, status }));
      }
      const body = Buffer.from(JSON.stringify(answer));
      const key = recovery.idempotencyKey ?? '';
      await manager.update(IdempotencyKey, { clientId, key }, { recoveryId, statusCode: 200, body });
      return answer;
    });
  }
}

function timeline(recovery: Recovery, fromState: string | null, type: string): Partial<TimelineStep> {
  const { clientId, id: recoveryId, sequence, state: toState, updatedAt: at } = recovery;
  return { clientId, recoveryId, sequence, at, type, fromState, toState, rule: type, inputs: {}, actor: 'api' };
}

function answerOf(recovery: Recovery): object {
  return {
    success: true,
    status: recovery.state,
    state: recovery.state,
    message: recovery.message,
    transactionId: recovery.id,
    idempotencyKey: recovery.idempotencyKey,
    reference: recovery.reference,
    amount: recovery.amountMinor,
    currency: recovery.currency,
    attemptCount: recovery.attemptCount,
    ...recovery.advice,
    gatewayTransactionToken: recovery.gatewayTransactionToken,
    createdAt: recovery.createdAt,
    updatedAt: recovery.updatedAt,
  };
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

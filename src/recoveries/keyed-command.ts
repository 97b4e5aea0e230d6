import { Injectable } from '@nestjs/common';

import { clientNow } from '../clients/client-settings.js';
import { executeBody } from '../engine/presenter.js';
import { LeaseLost } from '../engine/recovery-store.js';
import { encodeAnswer, type Answer } from '../execute/answer.js';
import type { ExecuteAnswer } from '../execute/execute.service.js';
import { fingerprintOf, Idempotency } from '../execute/idempotency.js';
import { Clock } from '../platform/clock.js';
import { badField } from '../platform/http/domain-error.js';
import { answerStatus } from '../recovery/lifecycle.js';
import type { AnswerFor, Commander } from './recovery-hold.js';

export interface KeyedCall {
  /** Tells one command on one recovery from every other, under the same key. */
  name: string;
  body: { idempotencyKey?: string };
  headerKey: string | null;
}

/** A command that charges takes an idempotency key as execute does: one answer per key, replayed byte for byte. */
@Injectable()
export class KeyedCommand {
  constructor(
    private readonly idempotency: Idempotency,
    private readonly clock: Clock,
  ) {}

  async run(
    caller: Commander,
    call: KeyedCall,
    command: (answer: AnswerFor) => Promise<Answer>,
  ): Promise<ExecuteAnswer> {
    const key = keyOf(call);
    if (key === null) return { ...(await command(() => null)), replayed: false, hasKey: true };
    const now = clientNow(caller.settings, this.clock.now());
    const fingerprint = fingerprintOf(call.name, call.body);
    const verdict = await this.idempotency.begin(caller.settings, key, fingerprint, now);
    if (verdict.kind === 'replay') return { ...verdict.answer, replayed: true, hasKey: true };
    try {
      // The answer is stored in the same write as the outcome it tells.
      const answer = await command((recovery) => {
        const { status, body } = encodeAnswer(answerStatus(recovery.state), executeBody(recovery));
        return { key, statusCode: status, body };
      });
      return { ...answer, replayed: false, hasKey: true };
    } catch (error) {
      if (error instanceof LeaseLost) {
        const answer = await this.idempotency.takenOver(caller.settings, key, fingerprint);
        return { ...answer, replayed: true, hasKey: true };
      }
      // Where this fails too, the key's own lease frees it.
      await this.idempotency.forget(caller.clientId, key).catch(() => undefined);
      throw error;
    }
  }
}

function keyOf({ body, headerKey }: KeyedCall): string | null {
  const bodyKey = body.idempotencyKey ?? null;
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

import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { type Allowance, ExecuteRateLimit } from '../clients/execute-rate-limit.service.js';
import { accept, checkFields } from '../platform/http/check-fields.js';
import { badField, type DomainError } from '../platform/http/domain-error.js';
import { guardText } from '../platform/http/text-guard.js';
import { problemAnswer, refusalOf } from '../platform/http/problem.js';
import { ExecuteDto } from './execute.dto.js';
import { ExecuteService } from './execute.service.js';

/** Items read at the gateway and stored at once: more would only wait for the same connections. */
const IN_FLIGHT_MAX = 8;

interface ItemResult {
  index: number;
  status: number;
  body: unknown;
}

/** Many executes in one call. Each is what the single call would have been, but for the charge: that is due at once. */
@Injectable()
export class BatchService {
  constructor(
    private readonly executes: ExecuteService,
    private readonly rateLimit: ExecuteRateLimit,
  ) {}

  async execute(caller: Caller, items: unknown[], requestId: string): Promise<{ results: ItemResult[] }> {
    // Taken for all at once: whoever is over the limit stands at the end, whatever is worked first.
    const { granted, refusal } = await this.allowance(caller, items.length);
    const results = new Array<ItemResult>(items.length);
    const before = new Map<string, Promise<unknown>>();
    let next = 0;
    const lane = async () => {
      for (let index = next++; index < items.length; index = next++) {
        const work = this.inTurn(before, items[index], () => {
          const refused = index < granted ? null : refusal;
          return this.item(caller, items[index], index, { refused, requestId });
        });
        results[index] = await work;
      }
    };
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT_MAX, items.length) }, lane));
    return { results };
  }

  /** Where it can not be asked, each item is refused for that in its own place. */
  private async allowance(caller: Caller, count: number): Promise<Pick<Allowance, 'granted' | 'refusal'>> {
    try {
      return await this.rateLimit.take(caller, count);
    } catch (error) {
      return { granted: 0, refusal: refusalOf(error) };
    }
  }

  /** Items that name the same key or debt go one after the other, as they stand: each sees what the one before it did. */
  private async inTurn<T>(before: Map<string, Promise<unknown>>, item: unknown, work: () => Promise<T>): Promise<T> {
    const names = namesOf(item);
    const earlier = names.map((name) => before.get(name) ?? Promise.resolve());
    const done = Promise.all(earlier).then(work);
    for (const name of names) before.set(name, done);
    return done;
  }

  private async item(
    caller: Caller,
    item: unknown,
    index: number,
    { refused, requestId }: { refused: DomainError | null; requestId: string },
  ): Promise<ItemResult> {
    try {
      if (refused) throw refused;
      // The guard at the door leaves the items out: a card number in one must not refuse the others.
      guardText(item);
      const request = accept(checkFields(ExecuteDto, item));
      if (request.idempotencyKey === undefined) {
        throw badField('idempotencyKey', 'missing_field', 'is required in a batch', 'a key of 1 to 128 characters');
      }
      const answer = await this.executes.execute(caller, request, { headerKey: null, chargeInRequest: false });
      return { index, status: answer.status, body: JSON.parse(answer.body.toString('utf8')) as unknown };
    } catch (error) {
      // One item's failure, whatever it is, answers in its own place: the others have been accepted.
      const { status, body } = problemAnswer(refusalOf(error), requestId);
      return { index, status, body };
    }
  }
}

/** What an item may share with another; read before it is checked, so that it may be anything. */
function namesOf(item: unknown): string[] {
  if (typeof item !== 'object' || item === null) return [];
  const { idempotencyKey, reference, invoiceId, originalGatewayTransactionId } = item as Record<string, unknown>;
  return [idempotencyKey, reference, invoiceId, originalGatewayTransactionId].filter(
    (name) => typeof name === 'string',
  );
}

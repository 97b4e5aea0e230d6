import type { GatewayParts } from './execution.js';
import { newStripeId } from './stripe-ids.js';
import { BEGIN, COMMIT, flight, withClient } from './transactions.js';
import { UnitOfWork } from './unit-of-work.js';

/** Does something in an account that no request asked for, in one transaction. @throws when there is no such account. */
export async function inAccount<Result>(
  parts: GatewayParts,
  accountId: string,
  work: (uow: UnitOfWork) => Promise<Result>,
): Promise<Result> {
  return withClient(parts.pool, async (client) => {
    const text = 'SELECT clock_offset_ms, endpoints FROM test_gateway.accounts WHERE account_id = $1';
    const [, found] = await flight(client, [BEGIN, { text, values: [accountId] }]);
    const row = found?.rows[0];
    if (!row) throw new Error(`The test gateway has no account ${accountId}.`);
    const scope = {
      accountId,
      now: new Date(parts.clock.now().getTime() + Number(row.clock_offset_ms)),
      hasEndpoints: Number(row.endpoints) > 0,
      requestId: newStripeId(parts.random, 'req'),
      idempotencyKey: null,
      publicUrl: parts.publicUrl,
    };
    const uow = new UnitOfWork(client, scope, parts.random);
    const result = await work(uow);
    await flight(client, [...uow.writes(parts.clock.now()), COMMIT]);
    return result;
  });
}

import type { GatewayParts } from './execution.js';
import { newStripeId } from './stripe-ids.js';
import { BEGIN, COMMIT, flight, withClient } from './transactions.js';
import { UnitOfWork } from './unit-of-work.js';

/**
 * The time it is for an account `a`, in SQL: where its clock stands, as long as somebody holds it still, else real time
 * and its offset. `realNow` is a placeholder.
 */
export function accountNow(realNow: string): string {
  return `(CASE WHEN a.clock_frozen_until > ${realNow}::timestamptz THEN a.clock_frozen_at
    ELSE ${realNow}::timestamptz + a.clock_offset_ms * interval '1 millisecond' END)`;
}

/** Does something in an account that no request asked for, in one transaction. @throws when there is no such account. */
export async function inAccount<Result>(
  parts: GatewayParts,
  accountId: string,
  work: (uow: UnitOfWork) => Promise<Result>,
): Promise<Result> {
  return withClient(parts.pool, async (client) => {
    const text = `SELECT ${accountNow('$2')} AS now, a.endpoints FROM test_gateway.accounts a WHERE a.account_id = $1`;
    const [, found] = await flight(client, [BEGIN, { text, values: [accountId, parts.clock.now()] }]);
    const row = found?.rows[0];
    if (!row) throw new Error(`The test gateway has no account ${accountId}.`);
    const scope = {
      accountId,
      now: row.now as Date,
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

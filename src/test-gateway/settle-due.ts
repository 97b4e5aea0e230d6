import type { GatewayParts } from './execution.js';
import { inAccount } from './account-work.js';
import { settlePayment } from './settlement.js';

/** Ends every debit of an account whose time at the bank is over, on the account's clock. */
export async function settleDue(parts: GatewayParts, accountId: string): Promise<void> {
  await inAccount(parts, accountId, async (uow) => {
    const due = await uow.query<{ payment_intent_id: string; failure_code: string | null }>({
      text: `SELECT payment_intent_id, failure_code FROM test_gateway.settlements
        WHERE account_id = $1 AND due_at <= $2 ORDER BY due_at FOR UPDATE SKIP LOCKED`,
      values: [accountId, uow.scope.now],
    });
    for (const row of due.rows) {
      await settlePayment(uow, await uow.lock('payment_intent', row.payment_intent_id), row.failure_code);
    }
  });
}

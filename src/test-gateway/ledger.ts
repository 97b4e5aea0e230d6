import type { Pool } from 'pg';

/** A charge that the test gateway made, as `GET /api/sandbox/ledger` shows it. */
export interface LedgerEntry {
  /** Both ids are read from the engine's idempotency key, `<revtainTransactionId>:<attemptId>`; else null. */
  revtainTransactionId: string | null;
  attemptId: string | null;
  /** Minor units. */
  amount: number;
  /** ISO 4217, upper case. */
  currency: string;
  status: 'succeeded' | 'failed' | 'pending';
  declineCode: string | null;
  /** When the charge was made, on the account's clock. */
  at: Date;
  /** The gateway's own ids, for tests that look closer. */
  chargeId: string;
  paymentIntentId: string;
  invoiceId: string | null;
}

interface Row {
  charge_id: string;
  payment_intent_id: string;
  invoice_id: string | null;
  idempotency_key: string | null;
  amount: string;
  currency: string;
  at: Date;
  status: LedgerEntry['status'];
  decline_code: string | null;
}

/** Every charge made for an account, declined ones too, oldest first; one that was pending shows how it ended. */
export async function readLedger(pool: Pool, accountId: string): Promise<LedgerEntry[]> {
  const { rows } = await pool.query<Row>({
    text: `SELECT made.charge_id, made.payment_intent_id, made.invoice_id, made.idempotency_key, made.amount,
        made.currency, made.at, coalesce(ended.status, made.status) AS status,
        coalesce(ended.decline_code, made.decline_code) AS decline_code
      FROM test_gateway.ledger made
      LEFT JOIN test_gateway.ledger ended ON ended.account_id = made.account_id AND ended.charge_id = made.charge_id
        AND made.status = 'pending' AND ended.status <> 'pending'
      WHERE made.account_id = $1 AND NOT EXISTS (
        SELECT 1 FROM test_gateway.ledger before
        WHERE before.account_id = made.account_id AND before.charge_id = made.charge_id
          AND before.status = 'pending' AND made.status <> 'pending')
      ORDER BY made.seq`,
    values: [accountId],
  });
  return rows.map(entryOf);
}

const ENGINE_KEY = /^([0-9A-HJKMNP-TV-Z]{26}):(att_[0-9A-HJKMNP-TV-Z]{26})$/;

function entryOf(row: Row): LedgerEntry {
  const [, revtainTransactionId = null, attemptId = null] = ENGINE_KEY.exec(row.idempotency_key ?? '') ?? [];
  return {
    revtainTransactionId,
    attemptId,
    amount: Number(row.amount),
    currency: row.currency.toUpperCase(),
    status: row.status,
    declineCode: row.decline_code,
    at: row.at,
    chargeId: row.charge_id,
    paymentIntentId: row.payment_intent_id,
    invoiceId: row.invoice_id,
  };
}

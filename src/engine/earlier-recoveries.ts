import type { Statement } from '../platform/db/database.js';
import type { Recovery } from './recovery.js';

/** How an earlier recovery of the debt left it at the gateway. */
export interface EarlierRecovery {
  end_reason: string | null;
  invoice_id: string | null;
  original_resolved: string | null;
  payment_object_id: string | null;
  payment_object_kind: 'payment' | 'invoice' | null;
  payment_is_ours: boolean;
  payment_return_url: boolean;
  payment_to_cancel: string | null;
  amount_minor: string;
  currency: string;
  gateway_customer_id: string | null;
}

/** A debt that was tried more often than this has known its objects for long. */
const ROWS_MAX = 20;

const COLUMNS = `id, end_reason, invoice_id, original_resolved, payment_object_id, payment_object_kind, payment_is_ours,
  payment_return_url, payment_to_cancel, amount_minor, currency, gateway_customer_id`;
const EARLIER = `SELECT ${COLUMNS} FROM recoveries WHERE client_id = $1 AND id < $2`;

// By each name of the debt, open and closed ones alike; each name has an index of its own.
const TEXT = `
  SELECT * FROM (
    (${EARLIER} AND debt_name = ANY ($3::text[]) ORDER BY id DESC LIMIT ${ROWS_MAX})
    UNION
    (${EARLIER} AND reference = $4 AND $4 = $5 ORDER BY id DESC LIMIT ${ROWS_MAX})
    UNION
    (${EARLIER} AND original_resolved = ANY ($6::text[]) ORDER BY id DESC LIMIT ${ROWS_MAX})
    UNION
    (${EARLIER} AND payment_object_id = ANY ($6::text[]) ORDER BY id DESC LIMIT ${ROWS_MAX})) earlier
  ORDER BY id DESC LIMIT ${ROWS_MAX}`;

/** Every earlier recovery of the same debt, newest first. One order may have several invoices; named alone, it means all. */
export function earlierRecoveries(recovery: Recovery): Statement {
  const { clientId, id, debtName, reference, originalResolved, paymentObjectId, invoiceId } = recovery;
  const names = reference === null ? [debtName] : [debtName, reference];
  const objects = [originalResolved, paymentObjectId, invoiceId].filter((each) => each !== null);
  return { name: 'earlier_recoveries', text: TEXT, values: [clientId, id, names, reference, debtName, objects] };
}

/** What the debt is, where the request does not say it and an earlier recovery did. */
export interface NamedEarlier {
  invoiceId: string | null;
  originalGatewayTransactionId: string | null;
}

/** An invoice speaks before a payment, the newest first. One that was voided is owed no more. Null where none was named. */
export function namedEarlier(recovery: Recovery, earlier: readonly EarlierRecovery[]): NamedEarlier | null {
  if (recovery.invoiceId !== null || recovery.originalGatewayTransactionId !== null) return null;
  const standing = earlier.filter((row) => row.end_reason !== 'voided');
  const invoiceId = standing.find((row) => row.invoice_id !== null)?.invoice_id ?? null;
  if (invoiceId !== null) return { invoiceId, originalGatewayTransactionId: null };
  // An original that was adopted is the debt's own payment by now: it is gone on with as such.
  const original = standing.find(
    (row) => row.original_resolved !== null && row.original_resolved !== row.payment_object_id,
  );
  return original ? { invoiceId: null, originalGatewayTransactionId: original.original_resolved } : null;
}

/** Something else that can collect this debt, and whether we have made it. */
export interface Sibling {
  id: string;
  isOurs: boolean;
}

/** What earlier recoveries charged or named for this debt beside what this one charges; newest first, each once. */
export function siblingsOf(recovery: Recovery, earlier: readonly EarlierRecovery[]): Sibling[] {
  const { invoiceId, originalGatewayTransactionId, originalResolved, paymentObjectId, paymentToCancel } = recovery;
  const known = new Set([invoiceId, originalGatewayTransactionId, originalResolved, paymentObjectId, paymentToCancel]);
  const siblings: Sibling[] = [];
  for (const row of earlier) {
    const isPayment = row.payment_object_kind === 'payment';
    const objects: [string | null, boolean][] = [
      [row.payment_object_id, isPayment && row.payment_is_ours],
      [row.payment_to_cancel, true],
      [row.invoice_id, false],
      [row.original_resolved, false],
    ];
    for (const [id, isOurs] of objects) {
      if (id === null || known.has(id)) continue;
      known.add(id);
      siblings.push({ id, isOurs });
    }
  }
  return siblings;
}

import type { QueryConfig } from 'pg';

import type { Stored } from './bodies.js';
import type { EventType } from './event-types.js';
import type { RequestScope } from './unit-of-work.js';

/** The version whose shapes this gateway speaks: the one that the pinned SDK asks for. */
export const STRIPE_VERSION = '2026-10-28.endive';

/** One line of the money ledger: a charge this gateway made, or the end of one that was pending. */
export interface LedgerRow {
  chargeId: string;
  paymentIntentId: string;
  invoiceId: string | null;
  /** Minor units of `currency`. */
  amountMinor: number;
  currency: string;
  status: 'succeeded' | 'failed' | 'pending';
  declineCode: string | null;
  /** The key of the request that made the charge; null where it came without one. */
  idempotencyKey: string | null;
}

/** How a debit at the bank ends when its time has come on the account's clock. `failureCode` null: paid. */
export interface Settlement {
  dueAt: Date;
  failureCode: string | null;
}

interface StagedEvent {
  id: string;
  type: EventType;
  created: number;
  object: object;
  previous?: object;
  scope: RequestScope;
}

/** What one request wants written. Kept as data, then turned into a few statements that take any number of rows. */
export class StagedWrites {
  private readonly objects = new Map<string, Stored>();
  private readonly removed: string[] = [];
  private readonly events: { id: string; type: EventType; created: number; json: string }[] = [];
  private readonly booked: LedgerRow[] = [];
  private readonly settlements = new Map<string, Settlement | null>();

  save(stored: Stored): void {
    this.objects.set(stored.body.id, stored);
  }

  remove(stored: Stored): void {
    this.objects.delete(stored.body.id);
    this.removed.push(stored.body.id);
  }

  /** The event's text is made now: what happens to the object later in the same request is another event. */
  event(event: StagedEvent): void {
    const { id, type, created, object, previous, scope } = event;
    const body = {
      id,
      object: 'event',
      api_version: STRIPE_VERSION,
      created,
      data: { object, ...(previous ? { previous_attributes: previous } : {}) },
      livemode: false,
      pending_webhooks: 0,
      request: { id: scope.requestId, idempotency_key: scope.idempotencyKey },
      type,
    };
    this.events.push({ id, type, created, json: JSON.stringify(body) });
  }

  ledger(row: LedgerRow): void {
    this.booked.push(row);
  }

  settlement(paymentIntentId: string, settlement: Settlement | null): void {
    this.settlements.set(paymentIntentId, settlement);
  }

  clear(): void {
    this.objects.clear();
    this.removed.length = 0;
    this.events.length = 0;
    this.booked.length = 0;
    this.settlements.clear();
  }

  statements(scope: RequestScope, realNow: Date): QueryConfig[] {
    const events = this.eventsJson();
    const told = this.events.length > 0;
    const anything = told || this.objects.size > 0 || this.booked.length > 0;
    const rows = [JSON.stringify(this.objectRows()), events, JSON.stringify(this.ledgerRows(scope))];
    return [
      ...this.removals(scope),
      ...(anything ? [{ name: 'test_gateway_write', text: WRITE, values: [scope.accountId, ...rows] }] : []),
      ...this.settlementStatements(scope),
      ...(told && scope.hasEndpoints
        ? [{ name: 'test_gateway_deliver', text: DELIVER, values: [scope.accountId, events, realNow] }]
        : []),
    ];
  }

  private removals(scope: RequestScope): QueryConfig[] {
    if (this.removed.length === 0) return [];
    const text = 'DELETE FROM test_gateway.objects WHERE account_id = $1 AND id = ANY($2::text[])';
    return [{ name: 'test_gateway_remove', text, values: [scope.accountId, this.removed] }];
  }

  private objectRows(): object[] {
    return [...this.objects.values()].map((stored) => ({
      id: stored.body.id,
      kind: stored.kind,
      created: 'created' in stored.body ? stored.body.created : 0,
      customer_id: customerOf(stored),
      parent_id: stored.parentId,
      related_id: stored.relatedId,
      body: stored.body,
      hidden: stored.hidden,
    }));
  }

  private eventsJson(): string {
    const rows = this.events.map(
      ({ id, type, created, json }) => `{"id":"${id}","type":"${type}","created":${created},"body":${json}}`,
    );
    return `[${rows.join(',')}]`;
  }

  private ledgerRows(scope: RequestScope): object[] {
    return this.booked.map((row) => ({
      charge_id: row.chargeId,
      payment_intent_id: row.paymentIntentId,
      invoice_id: row.invoiceId,
      idempotency_key: row.idempotencyKey,
      amount: row.amountMinor,
      currency: row.currency,
      status: row.status,
      decline_code: row.declineCode,
      at: scope.now,
    }));
  }

  private settlementStatements(scope: RequestScope): QueryConfig[] {
    return [...this.settlements].map(([paymentIntentId, settlement]) =>
      settlement === null
        ? { name: 'test_gateway_settled', text: SETTLED, values: [scope.accountId, paymentIntentId] }
        : {
            name: 'test_gateway_settle_later',
            text: SETTLE_LATER,
            values: [scope.accountId, paymentIntentId, settlement.dueAt, settlement.failureCode],
          },
    );
  }
}

function customerOf({ body }: Stored): string | null {
  if (!('customer' in body)) return null;
  const { customer } = body;
  return typeof customer === 'string' ? customer : (customer?.id ?? null);
}

// One statement, because most of what a small one costs is the sending of it.
const WRITE = `
WITH saved AS (
  INSERT INTO test_gateway.objects (account_id, id, kind, created, customer_id, parent_id, related_id, body, hidden)
  SELECT $1, id, kind, created, customer_id, parent_id, related_id, body, hidden
  FROM json_to_recordset($2::json) AS o(id text, kind text, created bigint, customer_id text, parent_id text, related_id text, body json, hidden jsonb)
  ON CONFLICT (account_id, id) DO UPDATE SET
    customer_id = excluded.customer_id, parent_id = excluded.parent_id, related_id = excluded.related_id,
    body = excluded.body, hidden = excluded.hidden
), told AS (
  INSERT INTO test_gateway.events (account_id, id, type, created, body)
  SELECT $1, id, type, created, body
  FROM json_to_recordset($3::json) AS e(id text, type text, created bigint, body json)
)
INSERT INTO test_gateway.ledger
  (account_id, charge_id, payment_intent_id, invoice_id, idempotency_key, amount, currency, status, decline_code, at)
SELECT $1, charge_id, payment_intent_id, invoice_id, idempotency_key, amount, currency, status, decline_code, at
FROM json_to_recordset($4::json) AS l(charge_id text, payment_intent_id text, invoice_id text, idempotency_key text,
  amount bigint, currency text, status text, decline_code text, at timestamptz)`;

const SETTLED = 'DELETE FROM test_gateway.settlements WHERE account_id = $1 AND payment_intent_id = $2';

const SETTLE_LATER = `
INSERT INTO test_gateway.settlements (account_id, payment_intent_id, due_at, failure_code) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, payment_intent_id) DO UPDATE SET due_at = excluded.due_at, failure_code = excluded.failure_code`;

// Due in real time: webhooks do not wait for a clock that somebody moves.
const DELIVER = `
INSERT INTO test_gateway.deliveries (account_id, event_id, endpoint_id, due_at)
SELECT $1, e.id, w.id, $3
FROM json_to_recordset($2::json) AS e(id text, type text)
JOIN test_gateway.objects w ON w.account_id = $1 AND w.kind = 'webhook_endpoint'
  AND w.hidden->'enabledEvents' ?| ARRAY[e.type, '*']`;

import { Injectable } from '@nestjs/common';

import { sameCard } from '../engine/card-stops.js';
import type { Recovery } from '../engine/recovery.js';
import type { Obstacles } from '../engine/change-statement.js';
import type { OwnTransaction, Statement } from '../platform/db/database.js';
import type { DomainError } from '../platform/http/domain-error.js';
import type { DeclineSignals, State } from '../recovery/facts.js';
import { existing } from './idempotency.js';

/** The same card, amount and currency within this time is most likely the same charge sent twice. */
const VELOCITY_MS = 300_000;

export interface CardStopFound {
  kind: 'blocked' | 'stopped';
  signals: DeclineSignals;
}

export interface GuardVerdict {
  /** This card must not be charged again for this debt: answered from memory, nothing is charged. */
  cardStop: CardStopFound | null;
  /** An earlier recovery of this debt that waits for the customer: the new one takes its place. */
  supersedes: string | null;
}

interface Seen {
  guard: 'debt' | 'card' | 'velocity' | 'waiting';
  id: string | null;
  state: State | null;
  kind: 'blocked' | 'stopped' | null;
  signals: DeclineSignals | null;
}

/** What the guards compare, as parameters of a statement: the first of them stands at place `first`. */
function lookSql(first: number): string {
  const [client, debt, objects, token, fingerprint, since, amount, currency, reference, names] = Array.from(
    { length: LOOKED_AT },
    (_, index) => `$${first + index}`,
  );
  const held = `SELECT 'debt' AS guard, r.id, r.state, NULL::text AS kind, NULL::jsonb AS signals
   FROM recoveries r WHERE r.client_id = ${client} AND r.holds_debt`;
  const card = sameCard({ fingerprint: fingerprint ?? '', tokenHash: token ?? '' });
  // Each name of the debt is asked for by itself: with OR between them, no index serves and the table is read.
  return `
  (${held} AND r.debt_name = ANY (${names}::text[]) LIMIT 1)
  UNION ALL
  (${held} AND r.reference = ${reference} AND ${reference} = ${debt} LIMIT 1)
  UNION ALL
  (${held} AND r.original_resolved = ANY (${objects}::text[]) LIMIT 1)
  UNION ALL
  (${held} AND r.payment_object_id = ANY (${objects}::text[]) LIMIT 1)
  UNION ALL
  (SELECT 'card', NULL, NULL, s.kind, s.signals FROM card_stops s
   WHERE s.client_id = ${client} AND s.debt_name = ANY (${names}::text[]) AND ${card}
   ORDER BY s.kind LIMIT 1)
  UNION ALL
  (SELECT 'velocity', r.id, r.state, NULL, NULL FROM recoveries r
   WHERE r.client_id = ${client} AND r.token_hash = ${token} AND r.created_at > ${since}
     AND r.amount_requested_minor = ${amount} AND r.currency = ${currency}
     AND NOT coalesce(r.reference <> ${reference}::text, false)
   ORDER BY r.created_at DESC LIMIT 1)
  UNION ALL
  (SELECT 'waiting', r.id, r.state, NULL, NULL FROM recoveries r
   WHERE r.client_id = ${client} AND r.payment_object_id = ANY (${objects}::text[]) AND r.state = 'action_required' LIMIT 1)
  UNION ALL
  (SELECT 'waiting', r.id, r.state, NULL, NULL FROM recoveries r
   WHERE r.client_id = ${client} AND r.debt_name = ${debt} AND r.state = 'action_required' ORDER BY r.id DESC LIMIT 1)`;
}

const LOOKED_AT = 10;
const LOOK = lookSql(1);

/** Guards 4 to 6 of docs/behaviour.md 1, looked up in the transaction that accepts; unique indexes stand behind them. */
@Injectable()
export class Guards {
  /** Whatever any guard would speak of, for an insert that happens only where none does. */
  obstacles(recovery: Recovery, now: Date): Obstacles {
    return { sql: lookSql, values: valuesOf(recovery, now) };
  }

  /** The velocity guard has no index behind it: an advisory lock on what it compares keeps two calls apart. */
  lock({ clientId, tokenHash, amountRequestedMinor, currency }: Recovery): Statement {
    const text = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 0))';
    const compared = `${clientId}:${tokenHash.toString('hex')}:${amountRequestedMinor}:${currency}`;
    return { name: 'velocity_lock', text, values: [compared] };
  }

  /**
   * Which guard speaks, under the lock.
   * @throws {DomainError} 409 when the debt is open or paid, or the same charge was asked for a moment ago.
   */
  async check(tx: OwnTransaction, recovery: Recovery, now: Date): Promise<GuardVerdict> {
    const [, looked] = await tx.flight([
      this.lock(recovery),
      { name: 'execute_guards', text: LOOK, values: valuesOf(recovery, now) },
    ]);
    const rows = (looked?.rows ?? []) as Seen[];
    const seen = new Map(rows.map((row) => [row.guard, row]));
    const refusal = refusalOf(seen);
    if (refusal) throw refusal;
    const card = seen.get('card');
    return {
      cardStop: card?.kind && card.signals ? { kind: card.kind, signals: card.signals } : null,
      supersedes: seen.get('waiting')?.id ?? null,
    };
  }
}

function valuesOf(recovery: Recovery, now: Date): unknown[] {
  const objects = [recovery.originalResolved, recovery.paymentObjectId].filter((id) => id !== null);
  return [
    recovery.clientId,
    recovery.debtName,
    objects,
    recovery.tokenHash,
    recovery.cardFingerprint,
    new Date(now.getTime() - VELOCITY_MS),
    recovery.amountRequestedMinor,
    recovery.currency,
    recovery.reference,
    namesOf(recovery),
  ];
}

/** One order may have several invoices; where one of two calls names the order alone, both mean the same debt. */
function namesOf({ debtName, reference }: Recovery): string[] {
  return reference === null ? [debtName] : [debtName, reference];
}

function refusalOf(seen: ReadonlyMap<string, Seen>): DomainError | null {
  const debt = seen.get('debt');
  if (debt) return debtTaken(debt);
  // A card that is stopped on this debt answers for itself, however soon it is asked again.
  if (seen.has('card')) return null;
  const velocity = seen.get('velocity');
  if (!velocity) return null;
  const message = 'the same payment method, amount and currency were sent less than five minutes ago';
  return existing('velocity_duplicate', message, identified(velocity));
}

/** 409 for a debt that an open or paid recovery holds. */
export function debtTaken(holder: { id: string | null; state: State | null }): DomainError {
  const open = holder.state === 'queued' || holder.state === 'in_progress' || holder.state === 'reconciling';
  return open
    ? existing('recovery_already_open', 'a recovery of this debt is open', identified(holder))
    : existing('debt_already_paid', 'this debt was paid', identified(holder));
}

function identified({ id, state }: { id: string | null; state: State | null }): { id: string; state: State } | null {
  return id !== null && state !== null ? { id, state } : null;
}

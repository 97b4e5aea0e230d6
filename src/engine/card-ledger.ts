import { Injectable } from '@nestjs/common';

import type { DeclineSignals } from '../recovery/facts.js';
import type { LimitHold, SeenAttempt } from '../recovery/network-limits.js';
import { Database, type OwnTransaction, type Scope, type Statement } from '../platform/db/database.js';
import type { Obstacles } from './change-statement.js';
import { objectToRowJson, type Attempt, type AttemptOutcome, type Recovery } from './recovery.js';
import { foreignCharges, holdOn, seenOfForeign, type SeenCharge } from './seen-charges.js';

/** Charges on the wire are known within seconds; one that is lost is asked after for longer, at this pace. */
const UNDECIDED_MS = 10_000;
/** More declines than any network's limit counts, so that one busy card can not make a charge read for ever. */
const READ_MAX = 200;

// A decline reached the network somewhere between its sending and its answer: counted from the answer, its window is
// never left too early.
const OWN = `SELECT a.id, a.recovery_id, coalesce(a.ended_at, a.sent_at) AS at, a.amount_minor, a.currency, a.outcome, a.signals
    FROM attempts a WHERE a.client_id = $1 AND (a.outcome IS NULL OR a.outcome NOT IN ('succeeded', 'not_executed'))`;
const FOREIGN = `SELECT NULL, s.debt_name, s.at, s.amount_minor, s.currency, 'declined',
    jsonb_build_object('networkDeclineCode', s.network_decline_code, 'networkAdviceCode', s.network_advice_code)
    FROM seen_charges s WHERE s.client_id = $1`;

// The fingerprint tells a card, and its token does where either has none; each way has an index of its own.
const SEEN = `
  WITH own AS (
    (${OWN} AND a.card_fingerprint = $2 ORDER BY a.opened_at DESC LIMIT ${READ_MAX})
    UNION ALL
    (${OWN} AND a.token_hash = $3 AND (a.card_fingerprint IS NULL OR $2::text IS NULL)
     ORDER BY a.opened_at DESC LIMIT ${READ_MAX}))
  SELECT o.id, r.debt_name, o.at, o.amount_minor, o.currency, o.outcome, o.signals
  FROM own o JOIN recoveries r ON r.client_id = $1 AND r.id = o.recovery_id
  UNION ALL
  (${FOREIGN} AND s.card_fingerprint = $2 ORDER BY s.at DESC LIMIT ${READ_MAX})
  UNION ALL
  (${FOREIGN} AND s.token_hash = $3 AND (s.card_fingerprint IS NULL OR $2::text IS NULL)
   ORDER BY s.at DESC LIMIT ${READ_MAX})`;

interface SeenRow {
  /** Our attempt's id; null for a charge that others made. */
  id: string | null;
  debt_name: string;
  at: Date;
  amount_minor: string;
  currency: string;
  outcome: AttemptOutcome | null;
  signals: Partial<DeclineSignals> | null;
}

/** A card that nobody is known to have charged, as long as none of the `obstacles` is there under its `lock`. */
export interface UnchargedCard {
  /** What tells it from other cards, among all clients. */
  card: string;
  lock: Statement;
  obstacles: Obstacles;
}

/** A charge whose decline is known now, but not stored yet. */
type JustEnded = Pick<Attempt, 'id' | 'signals'>;

/**
 * The networks' limits on one card, counted over every charge of it that is known: ours, those that merchants tell with
 * a request, and failed charges read at the gateway. A charge is opened only by `held`, in the opening's transaction.
 */
@Injectable()
export class CardLedger {
  constructor(private readonly database: Database) {}

  /** Asks the ledger along with other statements of the same tenant; `fromRows` reads its answer. */
  statement(recovery: Recovery, role: Scope['role'] = 'tenant'): Statement {
    const { clientId, cardFingerprint, tokenHash } = recovery;
    // A name for each role: under another one PostgreSQL would plan it anew each time.
    return { name: `card_seen_${role}`, text: SEEN, values: [clientId, cardFingerprint, tokenHash] };
  }

  /** The hold on a charge of this recovery now, from rows that `statement` has read. */
  fromRows(rows: readonly object[], recovery: Recovery, now: Date): LimitHold | null {
    const stored = rows as readonly SeenRow[];
    // What the request tells is stored with it.
    const telling = recovery.sequence <= 1 ? foreignCharges(recovery) : [];
    const told = telling.filter((one) => !stored.some((row) => isSameCharge(row, one))).map(seenOfForeign);
    const hold = holdOn(recovery, [...stored.map((row) => seenOf(row, recovery)), ...told], now);
    if (hold === null) return null;
    // It may be full only of charges whose outcome is not known: they are asked after, and the hold is no longer than that.
    const decided = stored.filter(({ outcome }) => outcome === 'declined');
    const isFull = holdOn(recovery, [...decided.map((row) => seenOf(row, recovery)), ...told], now) !== null;
    return isFull ? hold : { ...hold, freeAt: new Date(now.getTime() + UNDECIDED_MS) };
  }

  /** The hold on the next charge of this card; null when every limit allows it now. */
  async hold(recovery: Recovery, now: Date, justEnded: JustEnded | null = null): Promise<LimitHold | null> {
    const { rows } = await this.database.query<SeenRow>({ role: 'worker' }, this.statement(recovery, 'worker'));
    const known = rows.map((row) => (row.id === justEnded?.id ? { ...row, ...ended(justEnded) } : row));
    return this.fromRows(known, recovery, now);
  }

  /** Counts a charge that others made. Told twice, it is one. */
  async note({ clientId, ...charge }: SeenCharge): Promise<void> {
    await this.database.query(
      { role: 'tenant', clientId },
      {
        name: 'note_seen_charge',
        text: `INSERT INTO seen_charges SELECT n.* FROM jsonb_populate_record(NULL::seen_charges, $1::jsonb) n
               ON CONFLICT DO NOTHING`,
        values: [JSON.stringify(objectToRowJson({ clientId, ...charge }))],
      },
    );
  }

  /** For a card that nobody is known to have charged: under its lock, no limit can be full where none of these rows is. */
  neverCharged(recovery: Recovery): UnchargedCard {
    const { clientId, cardFingerprint, tokenHash } = recovery;
    const sql = (first: number) => anyCharge(`$${first}::text`, `$${first + 1}::text`, `$${first + 2}::bytea`);
    const obstacles = { sql, values: [clientId, cardFingerprint, tokenHash] };
    return { card: cardOf(recovery), lock: lockOf(recovery), obstacles };
  }

  /**
   * The same, under the card's lock: whoever opens a charge in this transaction has taken the place that it found free.
   */
  async held(tx: OwnTransaction, recovery: Recovery, now: Date): Promise<LimitHold | null> {
    const [, seen] = await tx.flight([lockOf(recovery), this.statement(recovery, 'worker')]);
    return this.fromRows(seen?.rows ?? [], recovery, now);
  }
}

/** One at a time opens a charge of a card, among all workers. */
function lockOf(recovery: Recovery): Statement {
  const text = 'SELECT pg_advisory_xact_lock(hashtextextended($1, 1))';
  return { name: 'card_lock', text, values: [cardOf(recovery)] };
}

/** The locks of several cards, taken in one order by all. */
export function locksOf(cards: readonly string[]): Statement {
  const text = 'SELECT pg_advisory_xact_lock(hashtextextended(card, 1)) FROM unnest($1::text[]) card';
  return { name: 'card_locks', text, values: [[...cards].sort()] };
}

function cardOf({ clientId, cardFingerprint, tokenHash }: Recovery): string {
  return `${clientId}:${cardFingerprint ?? tokenHash.toString('hex')}`;
}

/** Any charge of the card, whoever made it and however it ended. */
function anyCharge(client: string, fingerprint: string, token: string): string {
  const from = (table: string) => `
    (SELECT FROM ${table} WHERE client_id = ${client} AND card_fingerprint = ${fingerprint} LIMIT 1)
    UNION ALL
    (SELECT FROM ${table} WHERE client_id = ${client} AND token_hash = ${token} LIMIT 1)`;
  return `${from('attempts')} UNION ALL ${from('seen_charges')}`;
}

/** The same, of the row `n` of a recovery. */
export const ANY_CHARGE_OF_ROW = anyCharge('n.client_id', 'n.card_fingerprint', 'n.token_hash');

function seenOf(row: SeenRow, { debtName }: Recovery): SeenAttempt {
  return {
    at: row.at,
    // What the gateway itself refused never reached the network; what is not known yet may have.
    declined: row.signals?.blockedByGateway !== true,
    amountMinor: Number(row.amount_minor),
    currency: row.currency,
    networkDeclineCode: row.signals?.networkDeclineCode ?? null,
    networkAdviceCode: row.signals?.networkAdviceCode ?? null,
    ofThisDebt: row.debt_name === debtName,
  };
}

function isSameCharge(row: SeenRow, { at, debtName }: SeenCharge): boolean {
  return row.id === null && row.debt_name === debtName && row.at.getTime() === at.getTime();
}

function ended({ signals }: JustEnded): Pick<SeenRow, 'signals' | 'outcome'> {
  return { signals, outcome: 'declined' };
}

import { Injectable } from '@nestjs/common';

import type { State } from '../recovery/facts.js';
import { Ids } from '../platform/ids.js';
import { Clock } from '../platform/clock.js';
import type { Allowances } from '../platform/fair-share.js';
import {
  Database,
  type Scope,
  type OwnTransaction,
  type Statement,
  type StatementResult,
  type Transaction,
} from '../platform/db/database.js';
import type { Change } from './change.js';
import type { UnchargedCard } from './card-ledger.js';
import {
  insertStatement,
  saveOf,
  saveStatement,
  type AcceptedUnder,
  type Obstacles,
  type Save,
} from './change-statement.js';
import { HeldRows } from './held-rows.js';
import { attemptFromRow, DUE_KINDS, recoveryFromRow, type Attempt, type Recovery } from './recovery.js';
import * as sql from './recovery-sql.js';
import { Saves } from './saves.js';

const WORKER: Scope = { role: 'worker' };

/** Thrown when a write named a lease that another worker has taken since: nothing was written. */
export class LeaseLost extends Error {
  constructor(recovery: Recovery) {
    super(`the lease on ${recovery.id} was taken over`);
  }
}

/** The rows of the engine. Each state change is one statement, guarded by the lease: all of it stands, or none. */
@Injectable()
export class RecoveryStore {
  /** Names this process in leases. */
  readonly owner: string;
  private readonly saves: Saves;
  private readonly held = new HeldRows();

  constructor(
    private readonly database: Database,
    private readonly ids: Ids,
    private readonly clock: Clock,
  ) {
    this.owner = ids.ulid();
    this.saves = new Saves(database);
  }

  /** The statement that accepts a recovery, under its call's key if it has one, to be run in the caller's transaction. */
  insertStatement(change: Change, under: AcceptedUnder | null = null, obstacles?: Obstacles): Statement {
    return insertStatement(change, this.ids, this.clock.now(), under, obstacles);
  }

  /** The statement that writes a change under the lease the recovery holds. */
  saveStatement(change: Change): Statement {
    return saveStatement(this.saveOf(change));
  }

  /** @throws {LeaseLost} when another worker holds the recovery by now. */
  async save(change: Change): Promise<Recovery> {
    if (!(await this.saves.add(this.saveOf(change)))) throw new LeaseLost(change.recovery);
    this.held.put(change.recovery);
    return change.recovery;
  }

  /** As `save`, if nobody is known to have charged the card; false when nothing was written, for whatever reason. */
  async saveIfUncharged(change: Change, card: UnchargedCard): Promise<boolean> {
    const isWritten = await this.saves.add(this.saveOf(change), card);
    if (isWritten) this.held.put(change.recovery);
    return isWritten;
  }

  /**
   * As `save`, unless `obstacle` finds something in the same transaction: then nothing is written, and that is returned.
   * @throws {LeaseLost}
   */
  async saveUnless<T>(change: Change, obstacle: (tx: OwnTransaction) => Promise<T | null>): Promise<T | null> {
    return this.database.transaction(WORKER, async (tx) => {
      const found = await obstacle(tx);
      if (found !== null) return found;
      const { rows } = await tx.end(this.saveStatement(change));
      if (rows[0]?.['written'] !== 1) throw new LeaseLost(change.recovery);
      this.held.put(change.recovery);
      return null;
    });
  }

  /** What is longest due, of no client more than it is allowed. */
  async claimDue(realNow: Date, countMax: number, allowances: Allowances = boundless(countMax)): Promise<Recovery[]> {
    const values = this.claimValues(realNow, countMax, allowances);
    return this.claim({ name: 'claim_due', text: sql.CLAIM_DUE, values });
  }

  /**
   * Some of each client in turn, whatever another one has due, beginning behind the client `after`. `lastLookedAt` is null
   * when all clients were looked at.
   */
  async claimFairly(
    realNow: Date,
    countMax: number,
    allowances: Allowances,
    after: string,
  ): Promise<{ claimed: Recovery[]; lastLookedAt: string | null }> {
    const { rows } = await this.database.query<Record<string, unknown>>(WORKER, {
      name: 'claim_fairly',
      text: sql.CLAIM_FAIRLY,
      values: [...this.claimValues(realNow, countMax, allowances), after],
    });
    const lastLookedAt = (rows[0]?.['last_looked_at'] ?? null) as string | null;
    const found = rows.filter(({ id }) => id !== null).map(({ last_looked_at: _, ...row }) => row);
    return { claimed: found.map((row) => this.holding(row)), lastLookedAt };
  }

  async claimDueOfClient(clientId: string, until: Date, countMax: number): Promise<Recovery[]> {
    const values = [this.owner, clientId, until, countMax];
    return this.claim({ name: 'claim_due_of_client', text: sql.CLAIM_DUE_OF_CLIENT, values });
  }

  /** Null when somebody else holds it, or there is no such recovery. */
  async claimOne(clientId: string, id: string): Promise<Recovery | null> {
    const values = [this.owner, clientId, id];
    const [claimed] = await this.claim({ name: 'claim_one', text: sql.CLAIM_ONE, values });
    return claimed ?? null;
  }

  async renew(held: Recovery[]): Promise<void> {
    const columns = [held.map((r) => r.clientId), held.map((r) => r.id), held.map((r) => r.leaseToken)];
    await this.database.query(WORKER, {
      name: 'renew_leases',
      text: sql.RENEW_LEASES,
      values: [this.owner, ...columns],
    });
  }

  async release(recovery: Recovery): Promise<void> {
    this.held.take(recovery);
    const values = [recovery.clientId, recovery.id, recovery.leaseToken];
    await this.database.query(WORKER, { name: 'release_lease', text: sql.RELEASE_LEASE, values });
  }

  /** Real time; null when nothing is waiting at all. */
  async nextDueAt(realNow: Date): Promise<Date | null> {
    const { rows } = await this.database.query<{ next_due_at: Date | null }>(WORKER, {
      name: 'next_due',
      text: sql.NEXT_DUE,
      values: [realNow, DUE_KINDS],
    });
    return rows[0]?.next_due_at ?? null;
  }

  async find(clientId: string, id: string): Promise<{ recovery: Recovery; isLeased: boolean } | null> {
    const { rows } = await this.database.query(
      { role: 'tenant', clientId },
      { name: 'load_recovery', text: sql.LOAD_RECOVERY, values: [clientId, id] },
    );
    const [row] = rows as Record<string, unknown>[];
    if (!row) return null;
    const { is_leased: isLeased, ...columns } = row;
    return { recovery: recoveryFromRow(columns), isLeased: isLeased === true };
  }

  async attempts(clientId: string, recoveryId: string): Promise<Attempt[]> {
    const { rows } = await this.database.query(
      { role: 'tenant', clientId },
      { name: 'load_attempts', text: sql.LOAD_ATTEMPTS, values: [clientId, recoveryId] },
    );
    return rows.map((row) => attemptFromRow(row as Record<string, unknown>));
  }

  async openAttempt(recovery: Recovery): Promise<Attempt | null> {
    const { rows } = await this.database.query(WORKER, {
      name: 'load_open_attempt',
      text: sql.LOAD_OPEN_ATTEMPT,
      values: [recovery.clientId, recovery.id],
    });
    return rows[0] ? attemptFromRow(rows[0]) : null;
  }

  /** This customer's recoveries that are still open, but for `recovery` itself. */
  async otherOpenOfCustomer(recovery: Recovery): Promise<number> {
    if (recovery.customerId === null) return 0;
    const { rows } = await this.database.query<{ open: number }>(
      { role: 'tenant', clientId: recovery.clientId },
      {
        name: 'open_of_customer',
        text: `SELECT count(*)::int AS open FROM recoveries WHERE client_id = $1 AND customer_id = $2 AND id <> $3
               AND ${sql.IS_OPEN}`,
        values: [recovery.clientId, recovery.customerId, recovery.id],
      },
    );
    return rows[0]?.open ?? 0;
  }

  /** The open recoveries that are charged to a token, oldest first; 100 at most. */
  async openOnToken(clientId: string, tokenHash: Buffer): Promise<string[]> {
    const text = `SELECT id FROM recoveries WHERE client_id = $1 AND token_hash = $2
      AND ${sql.IS_OPEN} ORDER BY id LIMIT 100`;
    const { rows } = await this.database.query<{ id: string }>(
      { role: 'tenant', clientId },
      { name: 'open_on_token', text, values: [clientId, tokenHash] },
    );
    return rows.map(({ id }) => id);
  }

  /** A client's open recoveries, oldest first; `countMax` at most. */
  async openOf(clientId: string, countMax: number): Promise<string[]> {
    const text = `SELECT id FROM recoveries WHERE client_id = $1
      AND ${sql.IS_OPEN} ORDER BY id LIMIT $2`;
    const { rows } = await this.database.query<{ id: string }>(
      { role: 'tenant', clientId },
      { text, values: [clientId, countMax] },
    );
    return rows.map(({ id }) => id);
  }

  /** Takes a recovery that waits for its customer, whoever is reading its payment: that reader's write is refused. */
  async claimWaiting(tx: Transaction, clientId: string, id: string): Promise<Recovery | null> {
    const { rows } = await tx.query({
      name: 'claim_waiting',
      text: sql.CLAIM_WAITING,
      values: [this.owner, clientId, id],
    });
    return rows[0] ? recoveryFromRow(rows[0]) : null;
  }

  /** The open or paid recovery that holds a debt, by any of its names. */
  async holderOfDebt(recovery: Recovery): Promise<{ id: string; state: State } | null> {
    const { clientId, debtName, originalResolved, paymentObjectId } = recovery;
    const { rows } = await this.database.query<{ id: string; state: State }>(
      { role: 'tenant', clientId },
      {
        name: 'holder_of_debt',
        text: `SELECT id, state FROM recoveries
               WHERE client_id = $1 AND holds_debt
                 AND (debt_name = $2 OR original_resolved = ANY ($3) OR payment_object_id = ANY ($3)) LIMIT 1`,
        values: [clientId, debtName, [originalResolved, paymentObjectId].filter((each) => each !== null)],
      },
    );
    return rows[0] ?? null;
  }

  /** Several statements of one tenant in one flight, which is one transaction. */
  flight(clientId: string, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.database.flight({ role: 'tenant', clientId }, statements);
  }

  /** Runs statements of one tenant in a transaction of their own, for callers that write more than one change. */
  transaction<T>(clientId: string, work: (tx: OwnTransaction) => Promise<T>): Promise<T> {
    return this.database.transaction({ role: 'tenant', clientId }, work);
  }

  private saveOf(change: Change): Save {
    return saveOf(change, this.held.take(change.recovery), this.ids, this.clock.now());
  }

  private holding(row: Record<string, unknown>): Recovery {
    const claimed = recoveryFromRow(row);
    this.held.put(claimed);
    return claimed;
  }

  private claimValues(realNow: Date, countMax: number, { clientIds, allowed, others }: Allowances): unknown[] {
    return [this.owner, realNow, countMax, DUE_KINDS, clientIds, allowed, others];
  }

  private async claim(statement: Statement): Promise<Recovery[]> {
    const { rows } = await this.database.query(WORKER, statement);
    return rows.map((row) => this.holding(row as Record<string, unknown>));
  }
}

function boundless(countMax: number): Allowances {
  return { clientIds: [], allowed: [], others: countMax };
}

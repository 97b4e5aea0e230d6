import type { Statement, StatementResult } from '../../../src/platform/db/database.js';
import type { Inhabitant } from '../timeline.js';
import { locksOf, meaningOf } from './statements.js';
import { Journal, type Tables, type Write } from './tables.js';

/** One transaction under way, and what it would take back. */
export class Transacting {
  readonly locks = new Set<string>();
  readonly writes: Write[] = [];
  /** Its connection is gone: nothing of it will stand. */
  isBroken = false;
}

/** Told of each flight, in the order in which the store has served them. */
export interface FlightListener {
  onFlight(transaction: Transacting, statements: readonly Statement[], results: StatementResult[] | Error): void;
  onRollback(transaction: Transacting): void;
}

/** Told of each commit: what was written, and by whom. */
export type CommitListener = (writes: readonly Write[], by: Inhabitant) => void;

/**
 * The in-memory store behind all processes of a world. Flights are atomic; transactions hold their advisory locks, and
 * once one has written, nobody else is served until it ends: row locks would make the others wait as well.
 */
export class MemoryDatabase {
  listener: FlightListener | null = null;
  private readonly lockedBy = new Map<string, Transacting>();
  private writing: Transacting | null = null;
  private waiting: (() => void)[] = [];

  constructor(
    readonly tables: Tables,
    private readonly onCommit: CommitListener,
  ) {}

  /** Runs a flight in its transaction, or null when it must wait its turn. @throws what its statement throws; it is undone. */
  tryFlight(statements: readonly Statement[], transaction: Transacting): StatementResult[] | null {
    if (this.writing !== null && this.writing !== transaction) return null;
    const locks = statements.flatMap(locksOf);
    const isTaken = locks.some((name) => (this.lockedBy.get(name) ?? transaction) !== transaction);
    if (isTaken) return null;
    for (const name of locks) {
      this.lockedBy.set(name, transaction);
      transaction.locks.add(name);
    }
    try {
      const results = statements.map((statement) => this.run(statement));
      this.listener?.onFlight(transaction, statements, results);
      return results;
    } catch (error) {
      this.listener?.onFlight(transaction, statements, error as Error);
      throw error;
    } finally {
      transaction.writes.push(...this.tables.journal.take());
      if (transaction.writes.length > 0) this.writing = transaction;
    }
  }

  commit(transaction: Transacting, by: Inhabitant): void {
    const writes = transaction.writes.splice(0);
    this.end(transaction);
    if (writes.length > 0) this.onCommit(writes, by);
  }

  rollback(transaction: Transacting): void {
    if (transaction.writes.length > 0) this.listener?.onRollback(transaction);
    Journal.undo(transaction.writes.splice(0));
    this.tables.journal.version++;
    this.end(transaction);
  }

  /** Calls back when another transaction has ended. */
  wait(retry: () => void): void {
    this.waiting.push(retry);
  }

  private run(statement: Statement): StatementResult {
    const { length: locks } = locksOf(statement);
    if (locks > 0) return { command: 'SELECT', rows: [], rowCount: locks };
    const rows = meaningOf(statement)(this.tables, statement.values ?? [], statement.name ?? '');
    return { command: 'SELECT', rows, rowCount: rows.length };
  }

  private end(transaction: Transacting): void {
    if (this.writing === transaction) this.writing = null;
    for (const name of transaction.locks) this.lockedBy.delete(name);
    transaction.locks.clear();
    const { waiting } = this;
    this.waiting = [];
    for (const retry of waiting) retry();
  }
}

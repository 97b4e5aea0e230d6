import pg from 'pg';

import { hasCode } from '../error-facts.js';
import { sendFlight, type SendFlight, type Statement, type StatementResult } from './flight.js';

/** Whose rows a transaction may see: one client's (requests), or every client's (claims and sweeps). */
export type Scope = { role: 'tenant'; clientId: string } | { role: 'worker' };

export type { Statement, StatementResult } from './flight.js';

/** A transaction that somebody else begins and ends. */
export interface Transaction {
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(statement: Statement): Promise<StatementResult<Row>>;
}

/** A transaction of one's own. */
export interface OwnTransaction extends Transaction {
  /** Runs several in one flight. Where one fails, those behind it have not run. */
  flight(statements: readonly Statement[]): Promise<StatementResult[]>;
  /** Runs the last statement and commits, in one flight. @throws {CommitOutcomeUnknown} */
  end(statement: Statement): Promise<StatementResult>;
}

/** Thrown when COMMIT was answered by nothing: the change may or may not stand, so the caller reads before it repeats. */
export class CommitOutcomeUnknown extends Error {
  constructor(cause: unknown) {
    super('the database did not answer a COMMIT', { cause });
  }
}

/** Thrown when no connection could be had: no statement was sent. */
export class DatabaseUnreachable extends Error {
  constructor(cause: unknown) {
    super('the database gives no connection', { cause });
  }
}

/** PostgreSQL, of a prepared statement: cached plan must not change result type. */
const FEATURE_NOT_SUPPORTED = '0A000';

const BEGIN: Statement = { name: 'begin', text: 'BEGIN' };
const COMMIT: Statement = { name: 'commit', text: 'COMMIT' };
const ROLLBACK: Statement = { name: 'rollback', text: 'ROLLBACK' };

// The role and the client travel in the same flight as the first statement; both end with the transaction, also behind
// pgbouncer. Use a statement's name under one role: under another one PostgreSQL plans it anew each time.
const ENTER_TENANT: Statement = {
  name: 'enter_tenant',
  text: `SELECT set_config('role', 'revtain_tenant', true), set_config('revtain.client_id', $1, true)`,
};
// A worker's statements are planned once for each connection, maybe while their tables are empty: what was right for ten rows
// must not read a million of them until the statistics are gathered anew. So a table is read whole only where no index serves.
const ENTER_WORKER: Statement = {
  name: 'enter_worker',
  text: `SELECT set_config('role', 'revtain_worker', true), set_config('revtain.client_id', '', true),
    set_config('enable_seqscan', 'off', true)`,
};

/**
 * As `ENTER_TENANT`, and every statement of the transaction is planned once and for all, whatever its values. For large
 * statements of index lookups: where PostgreSQL weighs the values each time, it plans for longer than it reads.
 */
const ENTER_TENANT_GENERIC: Statement = {
  name: 'enter_tenant_generic',
  text: `SELECT set_config('role', 'revtain_tenant', true), set_config('revtain.client_id', $1, true),
                set_config('plan_cache_mode', 'force_generic_plan', true)`,
};

/**
 * For statements that write sets of rows: each row is found by an index, whatever the planner thinks of sets and of tables
 * that were empty when it planned, once and for all. A set does not wait for what others hold: its rows are written one by
 * one then, and only one of them waits.
 */
const ENTER_WORKER_SETS: Statement = {
  name: 'enter_worker_sets',
  text: `SELECT set_config('role', 'revtain_worker', true), set_config('revtain.client_id', '', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
    set_config('enable_mergejoin', 'off', true), set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('lock_timeout', '500ms', true)`,
};

function enter(scope: Scope): Statement {
  return scope.role === 'tenant' ? { ...ENTER_TENANT, values: [scope.clientId] } : ENTER_WORKER;
}

/**
 * The only way to the engine's tables. Every statement runs inside a transaction that has first taken one of the two
 * roles that row-level security knows, so a query that forgot its filter still sees one client's rows only.
 */
export abstract class Database {
  /** `send` replaces how flights are sent, for a drill. */
  static connect(connectionString: string, connectionsMax: number, send?: SendFlight): Database {
    const pool = new pg.Pool({
      connectionString,
      max: connectionsMax,
      connectionTimeoutMillis: 5_000,
      idleTimeoutMillis: 30_000,
      keepAlive: true,
      // A statement of ours takes milliseconds; one that hangs must not hold a request for ever.
      statement_timeout: 15_000,
      // Nor may a stalled process keep the locks of a transaction that it does not go on with.
      idle_in_transaction_session_timeout: 15_000,
      application_name: 'revtain',
    });
    // An idle connection that the server closes is replaced at the next use; the query that needs one reports its own error.
    pool.on('error', () => undefined);
    // A connection that breaks while it is lent out tells the query on it, and nobody else may be told: without a
    // listener its `error` event would end the process.
    pool.on('connect', (client) => client.on('error', () => undefined));
    return new PooledDatabase(pool, send);
  }

  /** Whether one flight may carry the work of several clients. In a drill none does: there one stands still for one of them. */
  readonly mixesClients: boolean = true;

  /** Runs `work` in one transaction. Anything it throws rolls back. @throws {CommitOutcomeUnknown} */
  abstract transaction<T>(scope: Scope, work: (tx: OwnTransaction) => Promise<T>): Promise<T>;

  /** Sends all statements in one flight, which is one transaction. Either all stand or none does. */
  abstract flight(scope: Scope, statements: readonly Statement[]): Promise<StatementResult[]>;

  /** A flight of one tenant's lookups whose plans do not depend on what is looked up. */
  abstract lookups(clientId: string, statements: readonly Statement[]): Promise<StatementResult[]>;

  /** A worker's flight of statements that write sets of rows. @throws 55P03 for a row that others hold for half a second. */
  abstract sets(statements: readonly Statement[]): Promise<StatementResult[]>;

  /** One statement in a flight of its own. */
  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    scope: Scope,
    statement: Statement,
  ): Promise<StatementResult<Row>> {
    const [result] = await this.flight(scope, [statement]);
    return result as StatementResult<Row>;
  }

  abstract close(): Promise<void>;
}

/** Over a pool of connections to PostgreSQL. */
class PooledDatabase extends Database {
  override readonly mixesClients: boolean;

  constructor(
    private readonly pool: pg.Pool,
    private readonly send: SendFlight = sendFlight,
  ) {
    super();
    this.mixesClients = send === sendFlight;
  }

  override async transaction<T>(scope: Scope, work: (tx: OwnTransaction) => Promise<T>): Promise<T> {
    return this.borrowed(async (client) => {
      const tx = new OpenTransaction(client, scope, this.send);
      try {
        const result = await work(tx);
        await tx.commit();
        return result;
      } catch (error) {
        // The server rolls back by itself what lost its connection.
        if (!isConnectionError(error)) await tx.rollback();
        throw error;
      }
    });
  }

  override flight(scope: Scope, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.fly(enter(scope), statements);
  }

  override sets(statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.fly(ENTER_WORKER_SETS, statements);
  }

  private async fly(entering: Statement, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.borrowed(async (client) => {
      const send = () => committing(this.send(client, [entering, ...statements]));
      const [, ...results] = await send().catch((error: unknown) => {
        // A migration has changed a table under a prepared statement: nothing has run, and now it is parsed anew.
        if (hasCode(error, FEATURE_NOT_SUPPORTED)) return send();
        throw error;
      });
      return results;
    });
  }

  override async lookups(clientId: string, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.borrowed(async (client) => {
      const entering = { ...ENTER_TENANT_GENERIC, values: [clientId] };
      const [, ...results] = await committing(this.send(client, [entering, ...statements]));
      return results;
    });
  }

  override async close(): Promise<void> {
    await this.pool.end();
  }

  /** A connection for as long as `work` runs; a broken one does not come back to the pool. */
  private async borrowed<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.lend();
    let broken: Error | undefined;
    try {
      return await work(client);
    } catch (error) {
      if (isConnectionError(error)) broken = error as Error;
      throw error;
    } finally {
      client.release(broken);
    }
  }

  /** Whatever stands in the way of a connection (refused, closed for maintenance, out of slots): nothing was done. */
  private async lend(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect();
    } catch (error) {
      throw new DatabaseUnreachable(error);
    }
  }
}

/** Begins with its first flight, so that BEGIN and the role cost no turn of their own. */
class OpenTransaction implements OwnTransaction {
  private state: 'new' | 'open' | 'ended' = 'new';

  constructor(
    private readonly client: pg.PoolClient,
    private readonly scope: Scope,
    private readonly send: SendFlight,
  ) {}

  async query<Row extends pg.QueryResultRow = pg.QueryResultRow>(statement: Statement): Promise<StatementResult<Row>> {
    const [result] = await this.flight([statement]);
    return result as StatementResult<Row>;
  }

  async flight(statements: readonly Statement[]): Promise<StatementResult[]> {
    if (this.state === 'ended') throw new Error('the transaction has ended');
    const opening = this.state === 'new' ? [BEGIN, enter(this.scope)] : [];
    this.state = 'open';
    const results = await this.send(this.client, [...opening, ...statements]);
    return results.slice(opening.length);
  }

  async end(statement: Statement): Promise<StatementResult> {
    const [result] = await committing(this.flight([statement, COMMIT]));
    this.state = 'ended';
    return result as StatementResult;
  }

  async commit(): Promise<void> {
    if (this.state !== 'open') return;
    const [result] = await committing(this.flight([COMMIT]));
    this.state = 'ended';
    if (result?.command !== 'COMMIT') throw new Error('the transaction had failed and was rolled back');
  }

  async rollback(): Promise<void> {
    if (this.state === 'open') await this.flight([ROLLBACK]);
    this.state = 'ended';
  }
}

/** For a flight that commits: where its connection is lost, nobody knows whether it did. */
async function committing<T>(flight: Promise<T>): Promise<T> {
  try {
    return await flight;
  } catch (error) {
    throw isConnectionError(error) && !isReadOnly(error) ? new CommitOutcomeUnknown(error) : error;
  }
}

const CONNECTION_TEXTS =
  /Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|not queryable/;

/** A standby, or a primary that became one: the connection is given up, and the next one may find the new primary. */
function isReadOnly(error: unknown): boolean {
  return (error as { code?: unknown }).code === '25006';
}

/**
 * True when the database could not be reached, went away or lets nobody write: SQLSTATE class 08, 53, 57P0x, 25006, or a
 * socket error.
 */
export function isConnectionError(error: unknown): boolean {
  if (error instanceof CommitOutcomeUnknown || error instanceof DatabaseUnreachable) return true;
  if (typeof error !== 'object' || error === null) return false;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && (/^(08|57P|53|25006)/.test(code) || /^E[A-Z]+$/.test(code))) return true;
  return typeof message === 'string' && CONNECTION_TEXTS.test(message);
}

/**
 * True when the row itself was refused, and would be again: a value or a constraint that does not fit (SQLSTATE class 22,
 * 23, 54). Time-outs, locks and deadlocks say nothing about a row.
 */
export function isRowRefused(error: unknown): boolean {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as { code?: unknown };
  return typeof code === 'string' && /^(22|23|54)/.test(code);
}

/** The name of the violated unique index or constraint, or null when the error is another. */
export function violatedUnique(error: unknown): string | null {
  const { code, constraint } = error as { code?: string; constraint?: string };
  return code === '23505' ? (constraint ?? null) : null;
}

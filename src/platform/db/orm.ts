import type pg from 'pg';
import { DataSource, type EntityManager, type EntitySchema } from 'typeorm';

import type { Statement, StatementResult, Transaction } from './database.js';
import { sendFlight } from './flight.js';
import { pendingMigrations } from './migrate.js';

type EntityClass = new () => object;

/** Cold paths only; a few connections do. */
const CONNECTIONS_MAX = 4;

/**
 * TypeORM for cold paths (accounts, keys). Like `Database`, it reaches tables only in a transaction that has first
 * taken a role of row-level security, so that a forgotten filter shows one client's rows.
 */
export class Orm {
  private constructor(private readonly source: DataSource) {}

  /** Connects. @param entities every entity, by class. @throws the database's error. */
  static async connect(connectionString: string, entities: readonly (EntityClass | EntitySchema)[]): Promise<Orm> {
    const source = new DataSource({
      type: 'postgres',
      url: connectionString,
      entities: [...entities],
      synchronize: false,
      applicationName: 'revtain-orm',
      connectTimeoutMS: 5_000,
      poolErrorHandler: () => undefined, // The next use reports its own error.
      extra: { max: CONNECTIONS_MAX, statement_timeout: 15_000, idleTimeoutMillis: 30_000 },
    });
    return new Orm(await source.initialize());
  }

  /** As one client: sees and writes its rows only. Rolls back when `work` throws. */
  async tenant<T>(clientId: string, work: (manager: EntityManager, tx: Transaction) => Promise<T>): Promise<T> {
    return this.transaction('revtain_tenant', clientId, work);
  }

  /** Across clients: the operator's lists, sweeps. */
  async worker<T>(work: (manager: EntityManager, tx: Transaction) => Promise<T>): Promise<T> {
    return this.transaction('revtain_worker', '', work);
  }

  /** The names of migrations that the database still lacks. Asked as the login itself: neither role may see that table. */
  async pendingMigrations(): Promise<string[]> {
    return pendingMigrations((text) => this.source.query<{ name: string }[]>(text));
  }

  async close(): Promise<void> {
    await this.source.destroy();
  }

  private async transaction<T>(
    role: 'revtain_tenant' | 'revtain_worker',
    clientId: string,
    work: (manager: EntityManager, tx: Transaction) => Promise<T>,
  ): Promise<T> {
    return this.source.transaction(async (manager) => {
      const entering = `SELECT set_config('role', $1, true), set_config('revtain.client_id', $2, true)`;
      await manager.query(entering, [role, clientId]);
      return work(manager, await sameTransaction(manager));
    });
  }
}

/** The manager's own transaction for those who write SQL, such as a port that both kinds of caller use. */
async function sameTransaction(manager: EntityManager): Promise<Transaction> {
  const runner = manager.queryRunner;
  if (!runner) throw new Error('a transaction has a query runner');
  const connection = (await runner.connect()) as pg.PoolClient;
  return {
    query: async <Row extends pg.QueryResultRow>(statement: Statement) => {
      const [result] = await sendFlight(connection, [statement]);
      return result as StatementResult<Row>;
    },
  };
}

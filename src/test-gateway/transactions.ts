import type { Pool, PoolClient, QueryConfig, QueryResult } from 'pg';

/**
 * Lends a connection. When the work on it throws, the connection is thrown away, and with it whatever transaction was
 * open: PostgreSQL rolls that back.
 */
export async function withClient<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  // A connection that breaks tells so twice: to the query that runs on it, which throws, and by this event, which would
  // end the process if nobody listened.
  client.on('error', alreadyThrown);
  try {
    const result = await work(client);
    client.off('error', alreadyThrown);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

function alreadyThrown(): void {}

/**
 * Sends statements together, where the connection pipelines, else one after the other; the results in their order.
 * @throws the first failure. Those behind a failure inside a transaction fail as well, a COMMIT turns into a ROLLBACK.
 */
export async function flight(client: PoolClient, statements: QueryConfig[]): Promise<QueryResult<Row>[]> {
  if (!client.pipeline) {
    const results: QueryResult<Row>[] = [];
    for (const statement of statements) results.push(await client.query<Row>(statement));
    return results;
  }
  const settled = await Promise.allSettled(statements.map((statement) => client.query<Row>(statement)));
  return settled.map((one) => {
    if (one.status === 'fulfilled') return one.value;
    throw one.reason;
  });
}

type Row = Record<string, unknown>;

export const BEGIN: QueryConfig = { text: 'BEGIN' };
export const COMMIT: QueryConfig = { text: 'COMMIT' };
export const ROLLBACK: QueryConfig = { text: 'ROLLBACK' };

import type { QueryRunner } from 'typeorm';

/**
 * Builds or drops an index of a table that is in use, holding up nobody: for migrations that set `transaction = false`. One
 * that was cut short leaves an index that is not valid, so building drops what is there under its name first.
 * @param definition what comes after the name, such as `ON recoveries (client_id, due_at)`
 */
export async function buildConcurrently(
  runner: QueryRunner,
  name: string,
  definition: string,
  kind: 'INDEX' | 'UNIQUE INDEX' = 'INDEX',
): Promise<void> {
  await patiently(runner, `DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
  await patiently(runner, `CREATE ${kind} CONCURRENTLY ${name} ${definition}`);
}

export async function dropConcurrently(runner: QueryRunner, name: string): Promise<void> {
  await patiently(runner, `DROP INDEX CONCURRENTLY IF EXISTS ${name}`);
}

/** It waits for transactions that are open, with a lock that nobody else waits for: a short time-out would only end it. */
async function patiently(runner: QueryRunner, statement: string): Promise<void> {
  const [before] = (await runner.query('SHOW lock_timeout')) as { lock_timeout: string }[];
  await runner.query('SET lock_timeout = 0');
  try {
    await runner.query(statement);
  } finally {
    await runner.query(`SET lock_timeout = '${before?.lock_timeout ?? '0'}'`);
  }
}

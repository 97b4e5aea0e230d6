import { ENTITIES } from './entities.js';
import type { Config } from './platform/config.js';
import { armedFlights } from './platform/db/armed-flight.js';
import { checkDatabase } from './platform/db/database-check.js';
import { Database, isConnectionError } from './platform/db/database.js';
import { migrate } from './platform/db/migrate.js';
import { Orm } from './platform/db/orm.js';
import { startEmbeddedPostgres } from './platform/embedded-postgres/embedded-postgres.js';
import type { Failpoints } from './platform/failpoints/failpoints.js';
import type { Log } from './platform/logging/log.js';
import { StartRefused } from './platform/start-refused.js';
import type { Teardown } from './teardown.js';

export interface OpenDatabase {
  connectionString: string;
  database: Database;
  orm: Orm;
  /** An embedded one that a killed process had left running. */
  adopted: boolean;
  /** Tells our HTTP port to a second start on the same data folder. */
  announce(port: number): Promise<void>;
}

/** Whom to tell what. */
export interface DatabaseListeners {
  log: Log;
  /** The embedded database has ended under us. One of the operator's own comes back when it does. */
  onGone: (error: Error) => void;
  failpoints?: Failpoints | null;
}

/** Starts or reaches the database, migrates it, and opens both ways to it. @throws {StartRefused} */
export async function openDatabase(
  config: Config,
  listeners: DatabaseListeners,
  teardown: Teardown,
): Promise<OpenDatabase> {
  const { connectionString, adopted, announce } = await reach(config, listeners, teardown);
  try {
    await checkDatabase(connectionString);
    await migrate(connectionString, (text) => listeners.log.info('database.migrated', { text }));
  } catch (cause) {
    throw isConnectionError(cause) || isLoginRefused(cause) ? unreachable(cause) : cause;
  }
  const flights = listeners.failpoints ? armedFlights(listeners.failpoints) : undefined;
  const database = Database.connect(connectionString, config.databasePoolMax, flights);
  teardown.add(() => database.close());
  const orm = await Orm.connect(connectionString, ENTITIES);
  teardown.add(() => orm.close());
  return { connectionString, database, orm, adopted, announce };
}

type Reached = Pick<OpenDatabase, 'connectionString' | 'adopted' | 'announce'>;

async function reach(
  { database, port }: Config,
  { log, onGone }: DatabaseListeners,
  teardown: Teardown,
): Promise<Reached> {
  if (database.kind === 'external') {
    return { connectionString: database.url, adopted: false, announce: () => Promise.resolve() };
  }
  const postgres = await startEmbeddedPostgres({
    dataDir: database.dataDir,
    log: (text) => log.info('database.embedded', { text }),
    onGone,
    ...(port !== 0 && { servicePort: port }),
  });
  teardown.add((afterFailure) => (afterFailure ? postgres.stopUnlessAdopted() : postgres.stop()));
  const { connectionString, adopted } = postgres;
  return { connectionString, adopted, announce: (servicePort) => postgres.announce(servicePort) };
}

// Class 28: invalid authorization; 3D000: no such database; 42501: not allowed in it.
function isLoginRefused(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^(28|3D000|42501)/.test(code);
}

// The message names host and port, or the role; PostgreSQL and Node put no password into it.
function unreachable(cause: unknown): StartRefused {
  const reason =
    cause instanceof AggregateError ? String((cause.errors[0] as Error).message) : (cause as Error).message;
  return new StartRefused(`DATABASE_URL: the database can not be used: ${reason}`, { cause });
}

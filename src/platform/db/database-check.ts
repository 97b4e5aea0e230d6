import pg from 'pg';

import { StartRefused } from '../start-refused.js';

/** What a database is, as far as it decides whether we can run on it. */
export interface DatabaseFacts {
  /** `server_version_num`: 150018 is 15.18. */
  version: number;
  encoding: string;
  /** Of the login: tables can be made where it would make them, or were made before. */
  mayCreate: boolean;
}

// The oldest that the journeys are run on (docs/operating.md).
const VERSION_MIN = 150_000;

/**
 * Looks at a database before anything is changed in it. A wrong encoding would show only later, as a reference or a
 * gateway's message that can not be stored.
 * @throws {StartRefused} when we can not run on it; the database's own error when it can not be reached.
 */
export async function checkDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, application_name: 'revtain-check' });
  await client.connect();
  try {
    const { rows } = await client.query<DatabaseFacts>(FACTS);
    const reason = rows[0] ? whyUnfit(rows[0]) : 'does not tell what it is';
    if (reason !== null) throw new StartRefused(`DATABASE_URL: the database ${reason}`);
  } finally {
    await client.end();
  }
}

/** Completes "the database …"; null when we can run on it. */
export function whyUnfit({ version, encoding, mayCreate }: DatabaseFacts): string | null {
  if (version < VERSION_MIN) return `is PostgreSQL ${Math.floor(version / 10_000)}; needed is 15 or newer`;
  if (encoding !== 'UTF8') {
    return `has the encoding ${encoding}; needed is one made with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`;
  }
  if (!mayCreate)
    return 'does not let its login make tables; needed is a login that owns it: ALTER DATABASE … OWNER TO …';
  return null;
}

// Without a schema in its search path a login has nowhere to make tables either; one that runs on what another made need not.
const FACTS = `
  SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding,
         to_regclass('schema_migrations') IS NOT NULL
           OR coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate"`;

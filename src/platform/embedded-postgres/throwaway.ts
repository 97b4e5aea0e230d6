import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.js';

/** A server for tests; `dataDir` and `folder` are gone after `stop`. */
export interface ThrowawayPostgres extends Pick<EmbeddedPostgres, 'connectionString' | 'pid' | 'folder' | 'stop'> {
  readonly dataDir: string;
}

/** Starts a server on a temporary folder, fast and unsafe against power cuts. `stop` deletes all of it. */
export async function startThrowawayPostgres(
  log: (line: string) => void = () => undefined,
): Promise<ThrowawayPostgres> {
  const dataDir = mkdtempSync(join(tmpdir(), 'revtain-throwaway-'));
  const postgres = await startEmbeddedPostgres({ dataDir, log, durable: false });
  const { connectionString, pid, folder } = postgres;
  const stop = async () => {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true }); // Not always inside the data folder.
    rmSync(dataDir, { recursive: true, force: true });
  };
  return { connectionString, pid, folder, dataDir, stop };
}

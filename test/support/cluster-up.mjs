// Jest's global set-up: one PostgreSQL for all specs, told to them through REVTAIN_TEST_CLUSTER. With
// REVTAIN_TEST_DATABASE_URL (a superuser's URL) that server is used instead of a throwaway one of our own.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';

import { importLauncher } from './launcher-source.mjs';

export default async function clusterUp() {
  // Names the databases of this run, so that two runs on one server do not meet.
  process.env.REVTAIN_TEST_RUN = randomBytes(4).toString('hex');
  const given = process.env.REVTAIN_TEST_DATABASE_URL;
  if (given) {
    process.env.REVTAIN_TEST_CLUSTER = given;
    return;
  }

  const { startThrowawayPostgres } = await importLauncher('throwaway');
  const cluster = await startThrowawayPostgres();
  process.env.REVTAIN_TEST_CLUSTER = cluster.connectionString;
  globalThis.revtainTestCluster = cluster;
  cleanUpWhenCutShort(cluster);
}

// The server has a session of its own, so neither Ctrl-C nor the end of jest would stop it.
function cleanUpWhenCutShort(cluster) {
  process.once('exit', () => {
    if (globalThis.revtainTestCluster !== cluster) return; // Stopped as it should be.
    process.kill(cluster.pid, 'SIGQUIT'); // PostgreSQL's immediate shutdown.
    rmSync(cluster.folder, { recursive: true, force: true });
    rmSync(cluster.dataDir, { recursive: true, force: true });
  });
  for (const [signal, status] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.once(signal, () => process.exit(status));
  }
}

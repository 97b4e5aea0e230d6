// Jest's global teardown: leaves the machine, and a server that was lent to us, as they were found.
import pg from 'pg';

export default async function clusterDown() {
  const cluster = globalThis.revtainTestCluster;
  if (cluster) {
    await cluster.stop();
    globalThis.revtainTestCluster = undefined;
    return;
  }
  await dropDatabasesOfThisRun();
}

async function dropDatabasesOfThisRun() {
  const admin = new pg.Client({ connectionString: process.env.REVTAIN_TEST_CLUSTER });
  await admin.connect();
  try {
    const ours = `revtain\\_test\\_${process.env.REVTAIN_TEST_RUN}\\_%`;
    const { rows } = await admin.query('SELECT datname FROM pg_database WHERE datname LIKE $1', [ours]);
    for (const { datname } of rows) {
      await admin.query(`ALTER DATABASE ${datname} IS_TEMPLATE false`);
      await admin.query(`DROP DATABASE ${datname} WITH (FORCE)`);
    }
  } finally {
    await admin.end();
  }
}

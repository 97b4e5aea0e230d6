import pg from 'pg';

import type { TestAccounts } from './clients/ports.js';
import { badField, conflict } from './platform/http/domain-error.js';
import type { PlatformParts } from './platform/platform.module.js';
import type { LedgerCharge, SandboxGateway } from './sandbox/sandbox-gateway.js';
import { TestGatewayAdmin } from './test-gateway/admin.js';
import { prepareTestGateway } from './test-gateway/schema.js';
import { startTestGateway } from './test-gateway/server.js';

/** The test gateway of this process: its listener, and its admin side, over a pool of its own. */
export interface OwnTestGateway {
  url: string;
  admin: TestGatewayAdmin;
  stop(): Promise<void>;
}

const CONNECTIONS_MAX = 10;

/** Serves the test gateway on a free loopback port. Its state is in the database, so every process serves the same one. */
export async function startOwnTestGateway(
  connectionString: string,
  { clock, random, log }: Pick<PlatformParts, 'clock' | 'random' | 'log'>,
): Promise<OwnTestGateway> {
  const settings: pg.PoolConfig & { pipeline: boolean } = {
    connectionString,
    max: CONNECTIONS_MAX,
    pipeline: true,
    application_name: 'revtain-test-gateway',
  };
  const pool = new pg.Pool(settings);
  // The pool listens to idle connections only; a busy one that breaks must not end the process, as its query reports it.
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  // One that is being closed may be cut off before it has said good-bye.
  pool.on('error', (error) => {
    if (!pool.ending) log.error('test_gateway.connection_lost', {}, error);
  });
  const onError = (error: unknown) => log.error('test_gateway.failed', {}, error);
  try {
    await prepareTestGateway(pool);
    const gateway = await startTestGateway({ pool, clock, random, onError });
    const admin = new TestGatewayAdmin(pool, clock, random, gateway.url);
    const stop = async () => {
      await gateway.stop();
      await pool.end();
    };
    return { url: gateway.url, admin, stop };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** Where the test gateway is off (REVTAIN_TEST_GATEWAY), it has no accounts, no clocks and no ledger. */
export class NoTestGateway implements TestAccounts, SandboxGateway {
  createAccount(): Promise<{ secretKey: string }> {
    return Promise.reject(badField('gateway.provider', 'invalid_field', 'is not served here', 'stripe'));
  }

  setClock(): Promise<void> {
    return Promise.reject(NOT_SERVED);
  }

  ledger(): Promise<LedgerCharge[]> {
    return Promise.reject(NOT_SERVED);
  }
}

const NOT_SERVED = conflict('not_a_test_client', 'the test gateway is off on this server (REVTAIN_TEST_GATEWAY)');

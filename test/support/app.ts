import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';

import request from 'supertest';

import { bootService, type BootOverrides, type RunningService } from '../../src/boot.js';
import { type Config, loadConfig } from '../../src/platform/config.js';
import { Log } from '../../src/platform/logging/log.js';
import { createTestDatabase, type TestDatabase } from './database.js';

export const ADMIN_KEY = 'adm_of_the_tests';

export interface TestAppOptions extends Pick<BootOverrides, 'clock' | 'random'> {
  /** Further settings, by their names in the environment. */
  settings?: Record<string, string>;
  /** A database that another app of the same test uses, or used; a new one unless given. */
  database?: TestDatabase;
  /** The master key of that other app. */
  masterKey?: string;
}

/** What POST /api/clients answers, as far as tests use it. */
export interface TestClient {
  clientId: string;
  apiKey: string;
  publishableKey: string;
  webhookSigningSecret: string | null;
  connectorUrls: Record<string, string>;
}

export interface TestApp {
  url: string;
  service: RunningService;
  config: Config;
  adminKey: string;
  database: TestDatabase;
  masterKey: string;
  /** Every log line so far. */
  logLines: string[];
  /** Calls over a real socket. */
  http: () => ReturnType<typeof request>;
  /** Makes a client on the test gateway. */
  createClient: (overrides?: Record<string, unknown>) => Promise<TestClient>;
  /** Stops the service and, unless it was given, drops its database. */
  stop: () => Promise<void>;
}

/** Boots the whole service in this process, on a database of its own, as `npm start` does. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const database = options.database ?? (await createTestDatabase());
  const masterKey = options.masterKey ?? randomBytes(32).toString('base64');
  const config = loadConfig({
    DATABASE_URL: database.url,
    REVTAIN_MASTER_KEY: masterKey,
    REVTAIN_ADMIN_KEY: ADMIN_KEY,
    REVTAIN_DEMO: 'off',
    PORT: '0',
    ...options.settings,
  });
  const logLines: string[] = [];
  const { clock, random } = options;
  const overrides = {
    ...(clock && { clock }),
    ...(random && { random }),
    log: logTo(logLines),
  };
  const service = await bootService(config, overrides);
  const { url } = service;
  const http = () => request(url);
  return {
    url,
    service,
    config,
    adminKey: ADMIN_KEY,
    database,
    masterKey,
    logLines,
    http,
    createClient: (fields) => createClient(http, fields),
    stop: async () => {
      await service.stop();
      if (!options.database) await database.drop();
    },
  };
}

async function createClient(http: TestApp['http'], fields: Record<string, unknown> = {}): Promise<TestClient> {
  const body = { name: 'Acme', gateway: { provider: 'test' }, ...fields };
  const answer = await http().post('/api/clients').set('x-admin-key', ADMIN_KEY).send(body);
  if (answer.status !== 201) throw new Error(`no client was made: ${answer.status} ${answer.text}`);
  return answer.body as TestClient;
}

function logTo(lines: string[]): Log {
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
  return new Log('debug', sink);
}

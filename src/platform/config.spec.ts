import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ConfigError, helpText, loadConfig, loadOrCreateKeys, publicUrlAt, type Config } from './config.js';
import { SETTINGS } from './settings.js';

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');
const KEPT = { adminKey: 'adm_kept', masterKey: Buffer.alloc(32, 9).toString('base64') };

const external = {
  DATABASE_URL: 'postgres://revtain:secret@db.example/revtain',
  REVTAIN_MASTER_KEY: MASTER_KEY,
  REVTAIN_ADMIN_KEY: 'adm_given',
};

function embedded(env: NodeJS.ProcessEnv = {}): Config {
  return loadConfig(env, () => KEPT);
}

function refusalOf(env: NodeJS.ProcessEnv): ConfigError {
  try {
    embedded(env);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('These settings were accepted.');
}

describe('the settings, when nothing is set', () => {
  it('run everything on an embedded database, with the test gateway and the demo', () => {
    expect(embedded()).toEqual({
      production: false,
      role: 'all',
      database: { kind: 'embedded', dataDir: join(process.cwd(), '.data') },
      databasePoolMax: 10,
      host: '127.0.0.1',
      port: 3000,
      publicUrl: null,
      adminKey: 'adm_kept',
      masterKey: Buffer.alloc(32, 9),
      masterKeysPrevious: [],
      stripeApiBase: null,
      stripeConnect: null,
      testGateway: true,
      gatewayTimeoutMs: 20_000,
      gatewayCallsPerSecond: null,
      inFlightMax: 64,
      failpoints: null,
      egressPorts: [443, 8443],
      egressProxy: null,
      webhookRetentionDays: null,
      allowLoopback: true,
      smtpUrl: null,
      alertFrom: null,
      twilio: { accountSid: null, authToken: null, from: null, apiBase: 'https://api.twilio.com' },
      pagerDutyApiBase: 'https://events.pagerduty.com',
      demo: true,
      demoReceiverPort: 0,
      logLevel: 'warn',
    });
  });

  it('serve no test gateway, no loopback and no demo in production', () => {
    const config = embedded({ NODE_ENV: 'production' });
    expect(config).toMatchObject({ production: true, testGateway: false, allowLoopback: false, demo: false });
    expect(config.logLevel).toBe('info');
  });

  it.each(['development', 'test', ''])('mean the same where NODE_ENV is %j', (NODE_ENV) => {
    expect(embedded({ NODE_ENV })).toEqual(embedded());
  });

  it('count an empty value as unset', () => {
    expect(embedded({ PORT: '', REVTAIN_ROLE: ' ', DATABASE_URL: '' })).toEqual(embedded());
  });
});

describe('the settings, when given', () => {
  it('name a Connect platform whole, or not at all', () => {
    const both = { STRIPE_CONNECT_CLIENT_ID: 'ca_1', STRIPE_CONNECT_SECRET_KEY: 'sk_test_1' };
    expect(embedded(both).stripeConnect).toEqual({ clientId: 'ca_1', secretKey: 'sk_test_1' });
    for (const [name, value] of Object.entries(both)) {
      expect(refusalOf({ [name]: value }).message).toContain('is missing beside');
    }
    expect(refusalOf({ ...both, STRIPE_CONNECT_SECRET_KEY: 'rk_test_1' }).setting).toBe('STRIPE_CONNECT_SECRET_KEY');
  });

  it('run on the given database, without the demo', () => {
    const config = loadConfig(external);
    expect(config.database).toEqual({ kind: 'external', url: external.DATABASE_URL });
    expect(config).toMatchObject({ adminKey: 'adm_given', masterKey: Buffer.alloc(32, 7), demo: false });
  });

  it('let a worker go without the admin key', () => {
    const env = { ...external, REVTAIN_ADMIN_KEY: '', REVTAIN_ROLE: 'worker' };
    expect(loadConfig(env)).toMatchObject({ role: 'worker', adminKey: null });
  });

  it('prefer given keys to those of the data folder', () => {
    const config = embedded({ REVTAIN_ADMIN_KEY: 'mine', REVTAIN_MASTER_KEY: MASTER_KEY });
    expect(config).toMatchObject({ adminKey: 'mine', masterKey: Buffer.alloc(32, 7) });
  });

  it.each<[NodeJS.ProcessEnv, Partial<Config>]>([
    [
      { PORT: '0', HOST: '::1' },
      { port: 0, host: '::1' },
    ],
    [{ REVTAIN_PUBLIC_URL: 'https://pay.example/revtain/' }, { publicUrl: 'https://pay.example/revtain' }],
    [{ STRIPE_API_BASE: 'http://127.0.0.1:12111/' }, { stripeApiBase: 'http://127.0.0.1:12111' }],
    [{ REVTAIN_EGRESS_PORTS: '443, 9443' }, { egressPorts: [443, 9443] }],
    [{ REVTAIN_GATEWAY_TIMEOUT_MS: '1500' }, { gatewayTimeoutMs: 1500 }],
    [{ REVTAIN_GATEWAY_CALLS_PER_SECOND: '40' }, { gatewayCallsPerSecond: 40 }],
    [
      { REVTAIN_DATABASE_POOL: '1', LOG_LEVEL: 'warn' },
      { databasePoolMax: 1, logLevel: 'warn' },
    ],
    [{ REVTAIN_TEST_GATEWAY: 'off' }, { testGateway: false, demo: false }],
    [
      { REVTAIN_DEMO: 'off', REVTAIN_DEMO_RECEIVER_PORT: '4000' },
      { demo: false, demoReceiverPort: 4000 },
    ],
    [{ ALERT_FROM: 'Revtain <a@b.example>' }, { alertFrom: 'Revtain <a@b.example>' }],
    [{ SMTP_URL: 'smtps://u:p@mail.example' }, { smtpUrl: 'smtps://u:p@mail.example' }],
    [
      { REVTAIN_MASTER_KEY_PREVIOUS: `${MASTER_KEY}, ${KEPT.masterKey}` },
      { masterKeysPrevious: [Buffer.alloc(32, 7), Buffer.alloc(32, 9)] },
    ],
    [
      { NODE_ENV: 'production', REVTAIN_TEST_GATEWAY: 'on', REVTAIN_ALLOW_LOOPBACK: 'on', REVTAIN_DEMO: 'on' },
      { testGateway: true, allowLoopback: true, demo: true },
    ],
  ])('reads %j', (env, expected) => {
    expect(embedded(env)).toMatchObject(expected);
  });

  it('cannot be changed afterwards', () => {
    const config = embedded();
    expect(Object.isFrozen(config)).toBe(true);
    expect([config.database, config.twilio, config.egressPorts].every(Object.isFrozen)).toBe(true);
  });
});

describe('a bad or missing setting', () => {
  it.each<[keyof typeof SETTINGS, string[]]>([
    ['DATABASE_URL', ['mysql://a/b', 'localhost:5432', 'postgres']],
    ['PORT', ['-1', '65536', '3000.5', 'http', '0x50', '1e3']],
    ['HOST', ['two words', 'http://localhost', '[::1]']],
    ['REVTAIN_PUBLIC_URL', ['example.com', 'ftp://a.example', 'https://u:p@a.example', 'https://a.example/?q=1']],
    ['REVTAIN_ROLE', ['apii', 'ALL', 'api', 'worker']], // The last two: without DATABASE_URL.
    ['REVTAIN_ADMIN_KEY', ['two words', 'schlüssel']],
    ['REVTAIN_MASTER_KEY', ['short', MASTER_KEY.slice(4), `${MASTER_KEY}=`, `!${MASTER_KEY.slice(1)}`]],
    ['REVTAIN_MASTER_KEY_PREVIOUS', ['short', `${MASTER_KEY},`, `${MASTER_KEY},short`]],
    ['STRIPE_API_BASE', ['localhost:12111', 'http://127.0.0.1:12111/v1', 'http://k@127.0.0.1']],
    ['REVTAIN_TEST_GATEWAY', ['true', '1', 'ON']],
    ['REVTAIN_GATEWAY_TIMEOUT_MS', ['0', '99', '60001', '20s']],
    ['REVTAIN_GATEWAY_CALLS_PER_SECOND', ['0', '10001', '2.5']],
    ['REVTAIN_EGRESS_PORTS', ['0', '443;8443', '443,', '70000']],
    [
      'REVTAIN_EGRESS_PROXY',
      ['proxy.example:3128', 'socks5://a.example', 'http://a.example/path', 'http://a.example?q'],
    ],
    ['REVTAIN_WEBHOOK_RETENTION_DAYS', ['6', '3651', '1.5', '30d']],
    ['REVTAIN_ALLOW_LOOPBACK', ['yes']],
    ['SMTP_URL', ['mail.example:25', 'https://mail.example', 'smtp://']],
    ['ALERT_FROM', ['nobody', 'a@b@c', 'Name a@b.example']],
    ['TWILIO_ACCOUNT_SID', ['A C']],
    ['TWILIO_AUTH_TOKEN', ['a\tb']],
    ['TWILIO_FROM', ['+1 555']],
    ['TWILIO_API_BASE', ['api.twilio.com']],
    ['NODE_ENV', ['prod', 'Production', 'staging']],
    ['REVTAIN_DEMO', ['maybe']],
    ['REVTAIN_DEMO_RECEIVER_PORT', ['65536']],
    ['LOG_LEVEL', ['verbose']],
    ['REVTAIN_DATABASE_POOL', ['0', '201']],
    ['REVTAIN_IN_FLIGHT', ['0', '513']],
  ])('%s is refused in one line that names it and what is accepted', (name, values) => {
    for (const value of values) {
      const { setting, message } = refusalOf({ [name]: value });
      expect(setting).toBe(name);
      expect(message.startsWith(`${name} `)).toBe(true);
      expect(message.endsWith(`; accepted: ${SETTINGS[name].accepted}`)).toBe(true);
      expect(message).not.toContain('\n');
    }
  });

  it.each<[string, NodeJS.ProcessEnv, string]>([
    ['no master key', { ...external, REVTAIN_MASTER_KEY: '' }, 'REVTAIN_MASTER_KEY is required with DATABASE_URL; '],
    ['no admin key', { ...external, REVTAIN_ADMIN_KEY: '' }, 'REVTAIN_ADMIN_KEY is required with DATABASE_URL; '],
    ['a worker without a database', { REVTAIN_ROLE: 'worker' }, 'REVTAIN_ROLE is worker without DATABASE_URL; '],
    [
      'a weak admin key in production',
      { ...external, NODE_ENV: 'production', REVTAIN_ADMIN_KEY: 'admin' },
      'REVTAIN_ADMIN_KEY has fewer than 16 characters; ',
    ],
    [
      'a demo without its gateway',
      { REVTAIN_DEMO: 'on', REVTAIN_TEST_GATEWAY: 'off' },
      'REVTAIN_DEMO is on without what it needs; ',
    ],
  ])('%s is refused', (_case, env, beginning) => {
    expect(refusalOf(env).message.startsWith(beginning)).toBe(true);
  });

  it('is not told with its value, which may be a secret', () => {
    expect(refusalOf({ DATABASE_URL: 'mysql://root:hunter2@db' }).message).not.toContain('hunter2');
    expect(refusalOf({ REVTAIN_MASTER_KEY: 'hunter2' }).message).not.toContain('hunter2');
  });

  it('leaves no data folder behind', () => {
    const never = () => {
      throw new Error('The keys were asked for.');
    };
    expect(() => loadConfig({ PORT: 'bad' }, never)).toThrow(/^PORT /);
  });
});

describe('the keys of a data folder', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'revtain-keys-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('are made once, for us alone, and kept', () => {
    const dataDir = join(folder, 'new', '.data');
    const keys = loadOrCreateKeys(dataDir);
    expect(keys.adminKey).toMatch(/^adm_[A-Za-z0-9_-]{32}$/);
    expect(Buffer.from(keys.masterKey, 'base64')).toHaveLength(32);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataDir, 'admin.key')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir, 'master.key')).mode & 0o777).toBe(0o600);
    expect(loadOrCreateKeys(dataDir)).toEqual(keys);
  });

  it('are those that loadConfig answers', () => {
    const config = loadConfig({ REVTAIN_DATA_DIR: folder });
    const kept = loadOrCreateKeys(folder);
    expect(config.adminKey).toBe(kept.adminKey);
    expect(config.masterKey.toString('base64')).toBe(kept.masterKey);
  });

  it('are not touched with a database of the operator', () => {
    loadConfig({ ...external, REVTAIN_DATA_DIR: join(folder, 'unused') });
    expect(existsSync(join(folder, 'unused'))).toBe(false);
  });

  it('stop the start when the folder cannot be made or a key is damaged', () => {
    writeFileSync(join(folder, 'file'), '');
    expect(() => loadConfig({ REVTAIN_DATA_DIR: join(folder, 'file') })).toThrow(/^REVTAIN_DATA_DIR cannot be used \(/);
    writeFileSync(join(folder, 'master.key'), 'cut of');
    expect(() => loadConfig({ REVTAIN_DATA_DIR: folder })).toThrow(/^REVTAIN_MASTER_KEY as kept in .* is damaged; /);
  });
});

describe('the public address', () => {
  it('is the given one, or where the server listens', () => {
    expect(publicUrlAt({ publicUrl: 'https://pay.example', host: '0.0.0.0' }, 3000)).toBe('https://pay.example');
    expect(publicUrlAt({ publicUrl: null, host: '127.0.0.1' }, 41234)).toBe('http://127.0.0.1:41234');
    expect(publicUrlAt({ publicUrl: null, host: '::1' }, 3000)).toBe('http://[::1]:3000');
  });
});

describe('--help', () => {
  it('names every setting with its default', () => {
    const lines = helpText().split('\n');
    for (const [name, { fallback }] of Object.entries(SETTINGS)) {
      expect(lines.some((line) => line.startsWith(`  ${name} `) && line.endsWith(fallback))).toBe(true);
    }
  });
});

import { join, resolve } from 'node:path';

import { keepSecret } from './kept-secret.js';
import { SystemRandom, type Random } from './random.js';
import { SettingsReader } from './settings-reader.js';

export { ConfigError } from './settings-reader.js';
export { helpText } from './settings.js';

const ROLES = ['all', 'api', 'worker'] as const;
const ENVIRONMENTS = ['production', 'development', 'test'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export type Role = (typeof ROLES)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Every setting of this process, checked. Nothing else reads the environment. */
export interface Config {
  readonly production: boolean;
  readonly role: Role;
  /** Where PostgreSQL is: the operator's own, or one that we start on a data folder (an absolute path). */
  readonly database:
    { readonly kind: 'external'; readonly url: string } | { readonly kind: 'embedded'; readonly dataDir: string };
  readonly databasePoolMax: number;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Without a trailing slash; null: http://HOST:PORT, see `publicUrlAt`. */
  readonly publicUrl: string | null;
  /** Null only for a worker that was given none: it serves nobody. */
  readonly adminKey: string | null;
  /** 32 bytes. */
  readonly masterKey: Buffer;
  /** 32 bytes each; they open what was sealed before a rotation and seal nothing. */
  readonly masterKeysPrevious: readonly Buffer[];
  /** An origin such as `http://127.0.0.1:12111`; null: Stripe's own. */
  readonly stripeApiBase: string | null;
  /** Our own platform account at Stripe, to which merchants connect theirs; null: none. The key is never logged. */
  readonly stripeConnect: { readonly clientId: string; readonly secretKey: string } | null;
  readonly testGateway: boolean;
  readonly gatewayTimeoutMs: number;
  /** Due recoveries that the engine of this process works at once. */
  readonly inFlightMax: number;
  /** Calls of one account, all processes together; null: as its gateway publishes. */
  readonly gatewayCallsPerSecond: number | null;
  readonly egressPorts: readonly number[];
  readonly allowLoopback: boolean;
  /** An HTTP proxy for calls to addresses that merchants gave, credentials included; null: none. Never logged. */
  readonly egressProxy: string | null;
  /** Days that the log of webhook deliveries is kept; null: for ever. */
  readonly webhookRetentionDays: number | null;
  readonly smtpUrl: string | null;
  readonly alertFrom: string | null;
  readonly twilio: {
    readonly accountSid: string | null;
    readonly authToken: string | null;
    readonly from: string | null;
    readonly apiBase: string;
  };
  /** An origin. */
  readonly pagerDutyApiBase: string;
  readonly demo: boolean;
  /** 0: any free port. */
  readonly demoReceiverPort: number;
  /** How this process is to fail, for a drill; null in service. Read by src/failpoints.ts. */
  readonly failpoints: string | null;
  readonly logLevel: LogLevel;
}

/** The two keys of a data folder, as text. */
export interface DataFolderKeys {
  adminKey: string;
  masterKey: string;
}

/**
 * Checks the environment once and answers typed, frozen settings. With the embedded database, keys that are not set
 * come from the data folder, by `keysOf`; with DATABASE_URL they are required, for processes on one database must
 * agree on them.
 * @throws {ConfigError} for the first bad or missing setting: one line that names it and what is accepted.
 */
export function loadConfig(env: NodeJS.ProcessEnv, keysOf = loadOrCreateKeys): Config {
  const read = new SettingsReader(env);
  const production = read.oneOf('NODE_ENV', ENVIRONMENTS) === 'production';
  const database = readDatabase(read);
  const role = readRole(read, database.kind);
  const switches = readSwitches(read, production, database.kind);
  const settings = {
    production,
    role,
    database,
    databasePoolMax: read.integer('REVTAIN_DATABASE_POOL', 1, 200) ?? 10,
    host: read.host('HOST') ?? '127.0.0.1',
    port: read.integer('PORT', 0, 65_535) ?? 3000,
    publicUrl: read.webAddress('REVTAIN_PUBLIC_URL'),
    stripeApiBase: read.webOrigin('STRIPE_API_BASE'),
    stripeConnect: readStripeConnect(read),
    gatewayTimeoutMs: read.integer('REVTAIN_GATEWAY_TIMEOUT_MS', 100, 60_000) ?? 20_000,
    inFlightMax: read.integer('REVTAIN_IN_FLIGHT', 1, 512) ?? 64,
    gatewayCallsPerSecond: read.integer('REVTAIN_GATEWAY_CALLS_PER_SECOND', 1, 10_000),
    egressPorts: Object.freeze(read.ports('REVTAIN_EGRESS_PORTS') ?? [443, 8443]),
    egressProxy: read.proxyUrl('REVTAIN_EGRESS_PROXY'),
    webhookRetentionDays: read.integer('REVTAIN_WEBHOOK_RETENTION_DAYS', 7, 3_650),
    smtpUrl: read.smtpUrl('SMTP_URL'),
    alertFrom: read.emailSender('ALERT_FROM'),
    twilio: readTwilio(read),
    pagerDutyApiBase: read.webOrigin('PAGERDUTY_API_BASE') ?? 'https://events.pagerduty.com',
    demoReceiverPort: read.integer('REVTAIN_DEMO_RECEIVER_PORT', 0, 65_535) ?? 0,
    // The demo prints for people; a line per request would drown it.
    logLevel: read.oneOf('LOG_LEVEL', LOG_LEVELS) ?? (switches.demo ? ('warn' as const) : ('info' as const)),
    failpoints: readFailpoints(read, production),
    ...switches,
  };
  // Last, so that a folder is only made when everything else is right.
  return Object.freeze({ ...settings, ...readKeys(read, { production, role, database, keysOf }) });
}

/** The settings of this process. */
export function readSettings(): Config {
  return loadConfig(process.env);
}

/** Where people reach this server, once the port it listens on is known. */
export function publicUrlAt(config: Pick<Config, 'publicUrl' | 'host'>, port: number): string {
  return config.publicUrl ?? `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${port}`;
}

/**
 * The keys of a data folder, made on the first call and kept (`admin.key`, `master.key`, each 0600).
 * Whoever loses `master.key` loses every sealed secret with it: it belongs into the backup.
 */
export function loadOrCreateKeys(dataDir: string, random: Random = new SystemRandom()): DataFolderKeys {
  const adminKey = () => `adm_${random.bytes(24).toString('base64url')}`;
  const masterKey = () => random.bytes(32).toString('base64');
  return {
    adminKey: keepSecret(join(dataDir, 'admin.key'), random, adminKey),
    masterKey: keepSecret(join(dataDir, 'master.key'), random, masterKey),
  };
}

function readDatabase(read: SettingsReader): Config['database'] {
  const url = read.databaseUrl('DATABASE_URL');
  if (url !== null) return Object.freeze({ kind: 'external', url });
  return Object.freeze({ kind: 'embedded', dataDir: resolve(read.text('REVTAIN_DATA_DIR') ?? '.data') });
}

function readRole(read: SettingsReader, database: Config['database']['kind']): Role {
  const role = read.oneOf('REVTAIN_ROLE', ROLES) ?? 'all';
  if (role !== 'all' && database === 'embedded') throw read.refusal('REVTAIN_ROLE', `is ${role} without DATABASE_URL`);
  return role;
}

function readSwitches(read: SettingsReader, production: boolean, database: Config['database']['kind']) {
  const testGateway = read.onOff('REVTAIN_TEST_GATEWAY') ?? !production;
  const allowLoopback = read.onOff('REVTAIN_ALLOW_LOOPBACK') ?? !production;
  const demoCanRun = testGateway && allowLoopback;
  const demo = read.onOff('REVTAIN_DEMO') ?? (demoCanRun && database === 'embedded' && !production);
  if (demo && !demoCanRun) throw read.refusal('REVTAIN_DEMO', 'is on without what it needs');
  return { testGateway, allowLoopback, demo };
}

function readFailpoints(read: SettingsReader, production: boolean): string | null {
  const text = read.text('REVTAIN_FAILPOINTS');
  if (text !== null && production) throw read.refusal('REVTAIN_FAILPOINTS', 'is refused where NODE_ENV=production');
  return text;
}

/** Both or neither: a lone one would look as if merchants could connect. */
function readStripeConnect(read: SettingsReader): Config['stripeConnect'] {
  const clientId = read.matching('STRIPE_CONNECT_CLIENT_ID', /^ca_\w+$/);
  const secretKey = read.matching('STRIPE_CONNECT_SECRET_KEY', /^sk_(?:test|live)_\w+$/);
  if (clientId === null && secretKey === null) return null;
  if (clientId === null) throw read.refusal('STRIPE_CONNECT_CLIENT_ID', 'is missing beside STRIPE_CONNECT_SECRET_KEY');
  if (secretKey === null) throw read.refusal('STRIPE_CONNECT_SECRET_KEY', 'is missing beside STRIPE_CONNECT_CLIENT_ID');
  return Object.freeze({ clientId, secretKey });
}

function readTwilio(read: SettingsReader): Config['twilio'] {
  return Object.freeze({
    accountSid: read.word('TWILIO_ACCOUNT_SID'),
    authToken: read.word('TWILIO_AUTH_TOKEN'),
    from: read.word('TWILIO_FROM'),
    apiBase: read.webAddress('TWILIO_API_BASE') ?? 'https://api.twilio.com',
  });
}

interface KeyFacts extends Pick<Config, 'production' | 'role' | 'database'> {
  keysOf: (dataDir: string) => DataFolderKeys;
}

function readKeys(read: SettingsReader, { production, role, database, keysOf }: KeyFacts) {
  const adminKey = read.word('REVTAIN_ADMIN_KEY', production ? 16 : 1);
  const masterKey = read.key('REVTAIN_MASTER_KEY');
  const masterKeysPrevious = Object.freeze(read.keys('REVTAIN_MASTER_KEY_PREVIOUS') ?? []);

  if (database.kind === 'external') {
    if (masterKey === null) throw read.refusal('REVTAIN_MASTER_KEY', 'is required with DATABASE_URL');
    if (adminKey === null && role !== 'worker')
      throw read.refusal('REVTAIN_ADMIN_KEY', 'is required with DATABASE_URL');
    return { adminKey, masterKey, masterKeysPrevious };
  }
  const kept = read.attempt('REVTAIN_DATA_DIR', () => keysOf(database.dataDir));
  return {
    adminKey: adminKey ?? kept.adminKey,
    masterKey: masterKey ?? read.keyFrom('REVTAIN_MASTER_KEY', join(database.dataDir, 'master.key'), kept.masterKey),
    masterKeysPrevious,
  };
}

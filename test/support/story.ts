import pg from 'pg';
import Stripe from 'stripe';

import { SystemClock } from '../../src/platform/clock.js';
import { SystemRandom } from '../../src/platform/random.js';
import type { LedgerEntry } from '../../src/test-gateway/ledger.js';
import { TestGatewayAdmin } from '../../src/test-gateway/admin.js';
import { startTestGateway, type TestGateway } from '../../src/test-gateway/server.js';
import { Api, type Answer } from './api.js';
import { startTestApp } from './app.js';
import { Bank } from './bank.js';
import { Merchant } from './merchant.js';
import { Receiver } from './receiver.js';

type AppOptions = NonNullable<Parameters<typeof startTestApp>[0]>;
type App = Awaited<ReturnType<typeof startTestApp>>;

/** pino's number for `error`; only `fatal` is above. */
const ERROR_LEVEL = 50;

/** What a merchant's account is made with where the test says nothing: enough room for whole stories in a minute. */
const ACCOUNT = { name: 'Acme', gateway: { provider: 'test' }, executesPerMinute: 100_000 };

/** A gateway that never answers is given up after this long, so that a test of it takes no minute. */
const GATEWAY_TIMEOUT_MS = 1_500;

/** The app, a receiver of webhooks, and the database behind both, for one test file. */
export class World {
  private merchants = 0;
  private errorsExpected = false;
  private bankSide: { gateway: TestGateway; pool: pg.Pool; admin: TestGatewayAdmin } | null = null;

  private constructor(
    readonly app: App,
    readonly receiver: Receiver,
    /** The owner's connections: row-level security does not bind them, so that a test sees every row. */
    readonly database: pg.Pool,
  ) {}

  static async start(options: AppOptions = {}): Promise<World> {
    const settings = { REVTAIN_GATEWAY_TIMEOUT_MS: String(GATEWAY_TIMEOUT_MS), ...options.settings };
    const app = await startTestApp({ ...options, settings });
    const pool = new pg.Pool({ connectionString: app.database.url, max: 4 });
    // A test that cuts every connection cuts these too; a query that was on one tells its own caller.
    pool.on('error', () => undefined);
    return new World(app, await Receiver.start(), pool);
  }

  get operator(): Api {
    return new Api(this.app.url, { 'x-admin-key': this.app.adminKey });
  }

  /** A new account with an endpoint at a mailbox of its own. */
  async merchant(settings: Record<string, unknown> = {}): Promise<Merchant> {
    const mailbox = `/hooks/${++this.merchants}`;
    const webhookUrl = this.receiver.url(mailbox);
    const made = await this.operator.post('/api/clients', { ...ACCOUNT, webhookUrl, ...settings });
    if (made.status !== 201) throw new Error(`no account was made: ${made.bytes.toString()}`);
    const { clientId, apiKey, webhookSigningSecret } = made.body as Record<string, string>;
    return new Merchant(this.app.url, this.receiver, {
      clientId: clientId ?? '',
      apiKey: apiKey ?? '',
      webhookSecret: webhookSigningSecret ?? '',
      mailbox,
    });
  }

  /** The merchant's account at the test gateway, served by a listener of the test's own over the same schema. */
  async bank({ clientId }: Pick<Merchant, 'clientId'>): Promise<Bank> {
    const { gateway, admin } = (this.bankSide ??= await openBank(this.app.database.url));
    const { secretKey } = await admin.createAccount(clientId);
    const { hostname: host, port } = new URL(gateway.url);
    const stripe = new Stripe(secretKey, { host, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false });
    const { customer } = await stripe.paymentMethods.retrieve('pm_card_visa');
    return new Bank(clientId, stripe, admin, typeof customer === 'string' ? customer : (customer?.id ?? ''));
  }

  /** The gateway's own ledger of an account, read past the service. */
  async ledgerOf(clientId: string): Promise<LedgerEntry[]> {
    const { admin } = (this.bankSide ??= await openBank(this.app.database.url));
    return admin.ledger(clientId);
  }

  /** As if the reply to its charge had been lost longer ago than a request can run, and nobody had looked since. */
  async loseLongAgo(transactionId: string): Promise<void> {
    const text = `UPDATE attempts SET lost_at = lost_at - interval '61 s' WHERE recovery_id = $1 AND outcome = 'unknown'`;
    const { rowCount } = await this.database.query(text, [transactionId]);
    if (rowCount !== 1) throw new Error(`${rowCount} charges of ${transactionId} are unknown`);
  }

  /** The kinds of alert that are open for an account's operator. */
  async alertsOf(clientId: string): Promise<string[]> {
    const text = `SELECT kind FROM operator_alerts WHERE client_id = $1 AND resolved_at IS NULL ORDER BY id`;
    const { rows } = await this.database.query<{ kind: string }>(text, [clientId]);
    return rows.map(({ kind }) => kind);
  }

  /** How the deliveries of a recovery's events stand, in their order. */
  async deliveryStatuses(recoveryId: string): Promise<string[]> {
    const text = `SELECT status FROM webhook_deliveries WHERE recovery_id = $1 ORDER BY event_sequence, id`;
    const { rows } = await this.database.query<{ status: string }>(text, [recoveryId]);
    return rows.map(({ status }) => status);
  }

  /** How many rows each table holds that a request could write to. */
  async rowCounts(): Promise<Record<string, number>> {
    const counts = WRITTEN_TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
    const { rows } = await this.database.query<Record<string, number>>(`SELECT ${counts.join(', ')}`);
    return rows[0] ?? {};
  }

  /** The tables with a row that holds this text in some column. */
  async tablesThatHold(text: string): Promise<string[]> {
    const looks = WRITTEN_TABLES.map((table) => `EXISTS (SELECT FROM ${table} r WHERE r::text LIKE $1) AS ${table}`);
    const { rows } = await this.database.query<Record<string, boolean>>(`SELECT ${looks.join(', ')}`, [`%${text}%`]);
    return Object.entries(rows[0] ?? {}).flatMap(([table, held]) => (held ? [table] : []));
  }

  /** Says that a test of the file makes the service fail on purpose. */
  expectErrors(): void {
    this.errorsExpected = true;
  }

  /** Makes the database unreachable for everybody while `work` runs, as an outage does. */
  async withoutDatabase<T>(work: () => Promise<T>): Promise<T> {
    this.expectErrors();
    const name = new URL(this.app.database.url).pathname.slice(1);
    const server = new pg.Client({ connectionString: adminUrl(this.app.database.url) });
    await server.connect();
    try {
      await server.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, [name]);
      return await work();
    } finally {
      await server.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
      await server.end();
    }
  }

  /** What the service itself called an error: a bug, unless the test took its database away. */
  get errors(): string[] {
    return this.app.logLines.filter((line) => (JSON.parse(line) as { level: number }).level >= ERROR_LEVEL);
  }

  /** @throws when the service met an error that no test of the file asked for. */
  async stop(): Promise<void> {
    await this.close();
    if (!this.errorsExpected && this.errors.length > 0) throw new Error(`errors were logged:\n${this.errors.join('')}`);
  }

  private async close(): Promise<void> {
    await this.receiver.stop();
    await this.bankSide?.gateway.stop();
    await this.bankSide?.pool.end();
    await this.database.end();
    await this.app.stop();
  }
}

const WRITTEN_TABLES = [
  'recoveries',
  'attempts',
  'recovery_events',
  'idempotency_keys',
  'card_stops',
  'seen_charges',
  'webhook_events',
  'webhook_deliveries',
  'operator_alerts',
  'pulses',
];

function adminUrl(databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.pathname = '/postgres';
  return url.href;
}

async function openBank(databaseUrl: string) {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 6 });
  pool.on('error', () => undefined);
  pool.on('connect', (connection) => connection.on('error', () => undefined));
  const gateway = await startTestGateway({ pool, clock, random });
  return { gateway, pool, admin: new TestGatewayAdmin(pool, clock, random, gateway.url) };
}

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The instant so much later, as the API takes it. */
export function later(instant: string | Date, byMs: number): string {
  return new Date(new Date(instant).getTime() + byMs).toISOString();
}

/** The part of an answer that a test compares: its status beside the body's own fields. */
export function seen({ status, body }: Answer<object>): Record<string, unknown> {
  return { http: status, ...body };
}

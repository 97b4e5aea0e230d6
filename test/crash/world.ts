import { randomBytes } from 'node:crypto';

import pg from 'pg';
import { request } from 'undici';

import type { State } from '../../src/recovery/facts.js';
import { ADMIN_KEY } from '../support/app.js';
import { Bank } from '../support/bank.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { ownTestGateway, sdk, idOf, type OwnTestGateway } from '../support/own-test-gateway.js';
import { Receiver } from '../support/receiver.js';
import { ServiceProcess } from '../support/service-process.js';

/** Longer than one renewal of a lease, and no longer than a drill has to wait. */
const FAST = { REVTAIN_GATEWAY_TIMEOUT_MS: '5000' };

/** One merchant of a drill, with a bank account of its own at a gateway that no drill touches. */
export interface Actor {
  clientId: string;
  apiKey: string;
  /** The path of the receiver that its webhooks come to. */
  mailbox: string;
  bank: Bank;
}

/** How a merchant's newest recovery stands in the database. */
export interface Standing {
  clientId: string;
  id: string;
  state: State;
  isDue: boolean;
  dueInMs: number | null;
  isLeased: boolean;
  /** Grows with every claim: who holds a lease at a kill is taken over when it has grown. */
  leaseToken: number;
  heldEvents: number;
}

/**
 * Everything around the processes that a drill kills: their database, a gateway of its own with a ledger of its own in
 * another database, the receiver of all webhooks, and one process that only answers the API.
 */
export class World {
  private readonly masterKey = randomBytes(32).toString('base64');
  private readonly running: ServiceProcess[] = [];
  private actors = 0;
  private offsets = new Map<string, number>();

  private constructor(
    readonly database: TestDatabase,
    readonly rows: pg.Pool,
    readonly gateway: OwnTestGateway,
    readonly receiver: Receiver,
  ) {}

  static async open(): Promise<World> {
    const database = await createTestDatabase();
    const rows = new pg.Pool({ connectionString: database.url, max: 4 });
    // A drill cuts every connection of its database, ours among them; the next look takes a new one.
    rows.on('error', () => undefined);
    return new World(database, rows, await ownTestGateway(), await Receiver.start());
  }

  async start(settings: Record<string, string> = {}): Promise<ServiceProcess> {
    const started = await ServiceProcess.start({
      databaseUrl: this.database.url,
      masterKey: this.masterKey,
      settings: { REVTAIN_TEST_GATEWAY: 'off', STRIPE_API_BASE: this.gateway.gateway.url, ...FAST, ...settings },
    });
    this.running.push(started);
    return started;
  }

  /** A new merchant, made by one of the processes. */
  async actor({ url }: ServiceProcess): Promise<Actor> {
    const account = await this.gateway.newAccount();
    const mailbox = `/hooks/${++this.actors}`;
    const { statusCode, body } = await request(`${url}/api/clients`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-admin-key': ADMIN_KEY },
      body: JSON.stringify({
        name: 'Acme',
        gateway: { provider: 'stripe', secretKey: account.secretKey },
        webhookUrl: this.receiver.url(mailbox),
        executesPerMinute: 100_000,
      }),
    });
    const made = (await body.json()) as { clientId?: string; apiKey?: string };
    if (!made.clientId || !made.apiKey) throw new Error(`no merchant was made: ${statusCode} ${JSON.stringify(made)}`);
    const stripe = sdk(this.gateway.gateway, account.secretKey);
    const { customer } = await stripe.paymentMethods.retrieve('pm_card_visa');
    const bank = new Bank(account.accountId, stripe, this.gateway.admin, idOf(customer));
    return { clientId: made.clientId, apiKey: made.apiKey, mailbox, bank };
  }

  /** Lets time pass for one merchant, at the service and at the bank. */
  async pass({ clientId, bank }: Actor, ms: number): Promise<void> {
    const offsetMs = (this.offsets.get(clientId) ?? 0) + Math.ceil(ms);
    this.offsets.set(clientId, offsetMs);
    await bank.admin.setClock(bank.accountId, offsetMs);
    await this.rows.query('UPDATE clients SET clock_offset_ms = $2 WHERE id = $1', [clientId, offsetMs]);
  }

  /** Breaks every connection of the service; new ones can only read until told otherwise. */
  async failOver(readOnly: boolean): Promise<void> {
    const name = new URL(this.database.url).pathname.slice(1);
    const setting = readOnly ? 'SET default_transaction_read_only = on' : 'RESET default_transaction_read_only';
    // The way back has to be written through the door that was shut.
    await this.rows.query(`BEGIN READ WRITE; ALTER DATABASE ${name} ${setting}; COMMIT`);
    await this.rows.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'revtain%'`,
    );
  }

  /** The newest recovery of each of these merchants. */
  async look(clientIds: readonly string[]): Promise<Map<string, Standing>> {
    const { rows } = await this.rows.query<Standing>(LOOK, [clientIds]);
    return new Map(rows.map((row) => [row.clientId, { ...row, leaseToken: Number(row.leaseToken) }]));
  }

  /** Ends every process that still runs, and all that is around them. */
  async close(): Promise<void> {
    for (const each of this.running) await each.kill();
    await this.receiver.stop();
    await this.rows.end();
    await this.gateway.stop();
    await this.database.drop();
  }
}

const LOOK = `
  SELECT DISTINCT ON (r.client_id) r.client_id AS "clientId", r.id, r.state, r.lease_token AS "leaseToken",
    coalesce(r.lease_until > clock_timestamp(), false) AS "isLeased", r.due_at IS NOT NULL AS "isDue",
    (extract(epoch FROM r.due_at - client_time(clock_timestamp(), c.clock_offset_ms, c.clock_frozen_at, c.clock_frozen_until))
      * 1000)::float8 AS "dueInMs",
    (SELECT count(*)::int FROM webhook_deliveries d
     WHERE d.client_id = r.client_id AND d.recovery_id = r.id AND d.status = 'held') AS "heldEvents"
  FROM recoveries r JOIN clients c ON c.id = r.client_id
  WHERE r.client_id = ANY ($1) ORDER BY r.client_id, r.id DESC`;

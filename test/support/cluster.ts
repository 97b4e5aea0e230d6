import { randomBytes } from 'node:crypto';

import pg from 'pg';

import { ADMIN_KEY } from './app.js';
import { Api } from './api.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { Merchant } from './merchant.js';
import { Receiver } from './receiver.js';
import { ServiceProcess } from './service-process.js';

/** Several processes of the service on one database, and a receiver of their webhooks. */
export class Cluster {
  readonly running: ServiceProcess[] = [];
  private readonly masterKey = randomBytes(32).toString('base64');
  private merchants = 0;

  private constructor(
    readonly database: TestDatabase,
    readonly rows: pg.Pool,
    readonly receiver: Receiver,
  ) {}

  static async open(): Promise<Cluster> {
    const database = await createTestDatabase();
    return new Cluster(database, new pg.Pool({ connectionString: database.url, max: 2 }), await Receiver.start());
  }

  async start(settings: Record<string, string> = {}): Promise<ServiceProcess> {
    const started = await ServiceProcess.start({ databaseUrl: this.database.url, masterKey: this.masterKey, settings });
    this.running.push(started);
    return started;
  }

  /** A new account, made by and calling one of the processes. */
  async merchant({ url }: ServiceProcess): Promise<Merchant> {
    const mailbox = `/hooks/${++this.merchants}`;
    const operator = new Api(url, { 'x-admin-key': ADMIN_KEY });
    const made = await operator.post<Record<string, string>>('/api/clients', {
      name: 'Acme',
      gateway: { provider: 'test' },
      executesPerMinute: 100_000,
      webhookUrl: this.receiver.url(mailbox),
    });
    const { clientId = '', apiKey = '', webhookSigningSecret: webhookSecret = '' } = made.body;
    return new Merchant(url, this.receiver, { clientId, apiKey, webhookSecret, mailbox });
  }

  async count(table: string, clientId: string): Promise<number> {
    const text = `SELECT count(*)::int AS rows FROM ${table} WHERE client_id = $1`;
    const { rows } = await this.rows.query<{ rows: number }>(text, [clientId]);
    return rows[0]?.rows ?? 0;
  }

  async close(): Promise<void> {
    for (const each of this.running) await each.kill();
    await this.receiver.stop();
    await this.rows.end();
    await this.database.drop();
  }
}

import { encodeTime } from 'ulid';

import { AlertsWorker } from '../../src/alerts/alerts-worker.js';
import { Watch } from '../../src/alerts/watch.service.js';
import { Clock } from '../../src/platform/clock.js';
import { Database } from '../../src/platform/db/database.js';
import { Ids } from '../../src/platform/ids.js';
import { startTestApp, type TestApp, type TestClient } from './app.js';
import { AlertFakes, MailServer } from './alert-fakes.js';
import { createTestDatabase, type TestDatabase } from './database.js';

/** A clock that stands until the test moves it. */
export class StandingClock extends Clock {
  constructor(public at: Date) {
    super();
  }

  override now(): Date {
    return this.at;
  }

  override monotonicMs(): number {
    return performance.now();
  }

  advance(ms: number): void {
    this.at = new Date(this.at.getTime() + ms);
  }
}

export interface RaisedAlert {
  kind?: string;
  severity?: 'info' | 'warning' | 'critical';
  facts?: Record<string, string | number | boolean | null>;
  dedupeKey?: string;
}

/** Another process on the same database, as its crash leaves it. */
type Room = Pick<TestApp, 'service'>;

/** The whole service with its alerts standing still until told, on a clock of the test's, beside fakes of every channel. */
export class AlertRoom {
  private raised = 0;

  private constructor(
    readonly app: TestApp,
    readonly clock: StandingClock,
    readonly mail: MailServer,
    readonly fakes: AlertFakes,
    private readonly database: TestDatabase,
    private readonly settings: Record<string, string>,
  ) {}

  static async open(settings: Record<string, string> = {}, startAt = '2026-11-21T10:00:00.000Z'): Promise<AlertRoom> {
    const clock = new StandingClock(new Date(startAt));
    const mail = await MailServer.start();
    const fakes = await AlertFakes.start();
    const database = await createTestDatabase();
    const all = {
      // Without the loops of a worker: each look is the test's own.
      REVTAIN_ROLE: 'api',
      SMTP_URL: mail.url,
      ALERT_FROM: 'Revtain <alerts@revtain.example>',
      TWILIO_ACCOUNT_SID: 'AC1',
      TWILIO_AUTH_TOKEN: 'twilio_token',
      TWILIO_FROM: '+15005550006',
      TWILIO_API_BASE: fakes.url,
      PAGERDUTY_API_BASE: fakes.url,
      ...settings,
    };
    const app = await startTestApp({ clock, settings: all, database });
    return new AlertRoom(app, clock, mail, fakes, database, all);
  }

  /** A second process on the same database. @returns how to stop it. */
  async another(): Promise<TestApp> {
    const { clock, settings, database, app } = this;
    return startTestApp({ clock, settings, database, masterKey: app.masterKey });
  }

  client(settings: Record<string, unknown>): Promise<TestClient & { alertWebhookSigningSecret?: string }> {
    return this.app.createClient(settings);
  }

  /** Writes an alert as the engine does. */
  async raise({ clientId }: { clientId: string }, alert: RaisedAlert = {}): Promise<void> {
    await this.raiseMany({ clientId }, [alert]);
  }

  async raiseMany({ clientId }: { clientId: string }, alerts: RaisedAlert[]): Promise<void> {
    const ids = this.app.service.app.get(Ids);
    const rows = alerts.map(({ kind = 'late_success', severity = 'warning', facts, dedupeKey }) => {
      this.raised += 1;
      const transactionId = `${encodeTime(this.raised)}0000000000000000`;
      return {
        id: ids.ulid(),
        kind,
        severity,
        facts: facts ?? { transactionId, amount: 2_500, currency: 'USD' },
        key: dedupeKey ?? `${kind}:${this.raised}`,
      };
    });
    await this.sql(
      `INSERT INTO operator_alerts (client_id, id, kind, severity, facts, dedupe_key, created_at)
       SELECT $1, n.id, n.kind, n.severity, n.facts, n.key, $3
       FROM jsonb_to_recordset($2::jsonb) AS n (id text, kind text, severity text, facts jsonb, key text)`,
      [clientId, JSON.stringify(rows), this.clock.now()],
    );
  }

  async resolve({ clientId }: { clientId: string }, dedupeKey: string): Promise<void> {
    await this.sql('UPDATE operator_alerts SET resolved_at = $3 WHERE client_id = $1 AND dedupe_key = $2', [
      ...[clientId, dedupeKey, this.clock.now()],
    ]);
  }

  /** Works all that is due now, in this process or another one. */
  async work({ service }: Room = this.app): Promise<void> {
    const worker = service.app.get(AlertsWorker);
    for (let sent = 1; sent > 0;) {
      sent = await worker.round();
      await worker.settled();
    }
  }

  /** Lets so much time pass in steps, working after each. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      this.clock.advance(stepMs);
      await this.work();
    }
  }

  watch(): Promise<void> {
    return this.app.service.app.get(Watch).lookNow();
  }

  async log({ clientId, apiKey }: TestClient, query = ''): Promise<Record<string, unknown>[]> {
    const answer = await this.app
      .http()
      .get(`/api/clients/${clientId}/alerts?limit=200${query}`)
      .set('x-api-key', apiKey);
    return (answer.body as { data: Record<string, unknown>[] }).data;
  }

  async sql<Row extends Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
    const database = this.app.service.app.get(Database);
    return (await database.query<Row>({ role: 'worker' }, { text, values })).rows;
  }

  async close(): Promise<void> {
    await this.app.stop();
    await this.mail.stop();
    await this.fakes.stop();
    await this.database.drop();
  }
}

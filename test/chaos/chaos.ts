import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { request } from 'undici';

import { migrate } from '../../src/platform/db/migrate.js';
import { offendersOf } from '../crash/crashpoints.js';
import { ADMIN_KEY } from '../support/app.js';
import { CrashablePostgres } from '../support/crashable-postgres.js';
import { GatewayProxy } from '../support/gateway-proxy.js';
import { ownTestGateway, type OwnTestGateway } from '../support/own-test-gateway.js';
import { Seeded } from '../support/seeded.js';
import { ServiceProcess } from '../support/service-process.js';
import { Load, type LoadMerchant } from './load.js';
import { FailingReceiver } from './receiver.js';
import { compare, type Verdict } from './verdict.js';

export interface ChaosOptions {
  seed: number;
  /** How long everything fails. */
  durationMs: number;
  tell: (line: string) => void;
}

export interface ChaosReport extends Verdict {
  kills: number;
  databaseCrashes: number;
  calls: number;
  repliesLost: number;
  deliveries: number;
  contradictions: string[];
  offenders: string[];
  /** From the last fault until nothing was left to do. */
  drainMs: number;
}

const MERCHANTS = 4;
const CLERKS = 6;
const ROLES = ['api', 'api', 'worker', 'worker'] as const;
const DATABASE_CRASH_EVERY_MS = 10_000;
const REPLIES_LOST = 0.1;
const DELIVERIES_FAILED = 0.3;
/** So much of the merchants' time passes each second: weeks of retries fit into minutes. */
const PACE_MS = 6 * 3_600_000;
const DRAIN_MS_MAX = 120_000;
const DRAIN_PACE_MS = 24 * 3_600_000;

/** Real processes on a real PostgreSQL, all of which die again and again while merchants go on paying. */
export class Chaos {
  private readonly services: (ServiceProcess | null)[] = ROLES.map(() => null);
  private readonly masterKey = randomBytes(32).toString('base64');
  private readonly accounts = new Map<string, string>();
  private failing = true;
  private databaseStaysUp = false;
  /** Each ends soon after `failing` does. */
  private faults: Promise<void>[] = [];
  private offsetMs = 0;
  private kills = 0;
  private databaseCrashes = 0;
  private repliesLost = 0;

  private constructor(
    private readonly options: ChaosOptions,
    private readonly postgres: CrashablePostgres,
    private readonly gateway: OwnTestGateway,
    private readonly proxy: GatewayProxy,
    private readonly receiver: FailingReceiver,
    private readonly rows: pg.Pool,
  ) {}

  /** Needs a PostgreSQL of the tests for the gateway's own database (test/support/cluster-up.mjs). */
  static async run(options: ChaosOptions): Promise<ChaosReport> {
    const postgres = await CrashablePostgres.start();
    await migrate(postgres.url);
    const gateway = await ownTestGateway();
    const proxy = await GatewayProxy.start(gateway.gateway.url);
    const receiver = await FailingReceiver.start(new Seeded(options.seed, 'receiver'), DELIVERIES_FAILED);
    const rows = new pg.Pool({ connectionString: postgres.url, max: 2, connectionTimeoutMillis: 5_000 });
    rows.on('error', () => undefined); // It crashes on purpose.
    const chaos = new Chaos(options, postgres, gateway, proxy, receiver, rows);
    try {
      return await chaos.play();
    } finally {
      await chaos.end();
    }
  }

  private async play(): Promise<ChaosReport> {
    const { seed, durationMs, tell } = this.options;
    for (const place of ROLES.keys()) await this.start(place);
    const merchants = await this.merchants();
    const load = new Load(merchants, () => this.doors(), new Seeded(seed, 'load'));
    this.loseReplies();
    const working = load.run(CLERKS);
    this.faults = [this.killOn(), this.crashOn(), this.passTime()];
    const faults = Promise.all(this.faults);
    const endsAtMs = performance.now() + durationMs;
    while (performance.now() < endsAtMs) {
      await Promise.race([sleep(Math.min(15_000, endsAtMs - performance.now())), working, faults]);
      tell(`${load.acknowledged.length} debts, ${this.kills} kills, ${this.databaseCrashes} crashes of the database`);
    }
    load.stop();
    this.failing = false;
    this.proxy.calm();
    this.receiver.heal();
    await Promise.all([faults, working]);
    const drainMs = await this.drain();
    return this.report(load, drainMs);
  }

  private async start(place: number): Promise<void> {
    const settings = {
      REVTAIN_ROLE: ROLES[place] ?? 'api',
      REVTAIN_TEST_GATEWAY: 'off',
      STRIPE_API_BASE: this.proxy.url,
      REVTAIN_GATEWAY_TIMEOUT_MS: '3000',
      LOG_LEVEL: 'error',
    };
    const { masterKey, postgres } = this;
    for (;;) {
      const databaseStaysUp = this.databaseStaysUp;
      try {
        const process = { databaseUrl: postgres.url, masterKey, settings };
        this.services[place] = await ServiceProcess.start(process);
        return;
      } catch (error) {
        // The database was away when it started; whoever supervises it starts it again.
        if (databaseStaysUp) throw error;
      }
    }
  }

  private doors(): string[] {
    const apis = this.services.filter((each, place) => each !== null && ROLES[place] === 'api');
    return apis.map((each) => each?.url ?? '');
  }

  private async merchants(): Promise<LoadMerchant[]> {
    const made: LoadMerchant[] = [];
    for (let count = 0; count < MERCHANTS; count += 1) {
      const { accountId, secretKey } = await this.gateway.newAccount();
      const { body } = await request(`${this.doors()[0] ?? ''}/api/clients`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-admin-key': ADMIN_KEY },
        body: JSON.stringify({
          name: 'Acme',
          gateway: { provider: 'stripe', secretKey },
          webhookUrl: this.receiver.url(`/${count}`),
          executesPerMinute: 1_000_000,
          customerActionHoldMinutes: 0,
        }),
      });
      const { clientId, apiKey } = (await body.json()) as LoadMerchant;
      this.accounts.set(clientId, accountId);
      made.push({ clientId, apiKey });
    }
    return made;
  }

  private loseReplies(): void {
    const random = new Seeded(this.options.seed, 'gateway');
    this.proxy.interfere(() => {
      const draw = random.fraction();
      if (draw > REPLIES_LOST) return null;
      this.repliesLost += 1;
      return draw < REPLIES_LOST / 2 ? 'loseReply' : draw < REPLIES_LOST * 0.9 ? 'refuse' : 'withholdReply';
    });
  }

  /** The next victim dies as soon as the last one is ready again, up to two seconds after. */
  private async killOn(): Promise<void> {
    const random = new Seeded(this.options.seed, 'kills');
    while (this.failing) {
      const place = random.below(ROLES.length);
      await this.services[place]?.kill();
      this.kills += 1;
      this.services[place] = null;
      await this.start(place);
      await sleep(random.below(2_000));
    }
  }

  private async crashOn(): Promise<void> {
    try {
      await this.crashAgainAndAgain();
    } finally {
      this.databaseStaysUp = true;
    }
  }

  private async crashAgainAndAgain(): Promise<void> {
    let nextAtMs = performance.now() + DATABASE_CRASH_EVERY_MS;
    while (this.failing) {
      await sleep(100);
      if (performance.now() < nextAtMs) continue;
      await this.postgres.crash();
      this.databaseCrashes += 1;
      nextAtMs += DATABASE_CRASH_EVERY_MS;
    }
  }

  private async passTime(): Promise<void> {
    while (this.failing) {
      await sleep(1_000);
      await this.pass(PACE_MS).catch(() => undefined); // The database is away: that second does not count.
    }
  }

  private async pass(ms: number): Promise<void> {
    const offsetMs = this.offsetMs + ms;
    await this.rows.query('UPDATE clients SET clock_offset_ms = $1', [offsetMs]);
    for (const account of this.accounts.values()) await this.gateway.admin.setClock(account, offsetMs);
    this.offsetMs = offsetMs;
  }

  /** Until every recovery has ended and every event was received. @throws when that takes too long. */
  private async drain(): Promise<number> {
    const startedMs = performance.now();
    for (;;) {
      const left = await this.leftToDo();
      const drainMs = performance.now() - startedMs;
      if (left === 0) return drainMs;
      if (drainMs > DRAIN_MS_MAX) throw new Error(`${left} recoveries or deliveries are left after ${drainMs} ms`);
      await this.pass(DRAIN_PACE_MS);
      await this.deliverNow();
      await sleep(1_000);
    }
  }

  /** Webhooks are retried in real time, up to hours apart: the drill does not wait for those. */
  private async deliverNow(): Promise<void> {
    await this.rows.query(
      `UPDATE webhook_deliveries SET next_try_at = now() WHERE status = 'pending' AND next_try_at > now()`,
    );
    await this.rows.query(`UPDATE webhook_endpoints SET breaker_until = NULL, throttled_until = NULL`);
  }

  private async leftToDo(): Promise<number> {
    const { rows } = await this.rows.query<{ left: number }>(
      `SELECT (SELECT count(*) FROM recoveries WHERE due_at IS NOT NULL)::int
         + (SELECT count(*) FROM webhook_deliveries WHERE status IN ('pending', 'held'))::int AS left`,
    );
    return rows[0]?.left ?? 0;
  }

  private async report(load: Load, drainMs: number): Promise<ChaosReport> {
    const { rows, gateway, accounts, receiver, kills, databaseCrashes, repliesLost } = this;
    const { acknowledged, contradictions, calls } = load;
    const verdict = await compare({ rows, gateway, accounts, acknowledged, taken: receiver.taken });
    const api = this.services.find((each, place) => each !== null && ROLES[place] === 'api');
    if (!api) throw new Error('no process is left to ask');
    const offenders = await offendersOf(api);
    const { deliveries } = receiver;
    const faults = { kills, databaseCrashes, repliesLost, deliveries };
    return { ...verdict, ...faults, calls, contradictions, offenders, drainMs };
  }

  private async end(): Promise<void> {
    this.failing = false;
    await Promise.allSettled(this.faults); // One of them may have thrown: the others are still starting what is stopped here.
    for (const each of this.services) await each?.kill();
    await this.proxy.stop();
    await this.receiver.stop();
    await this.rows.end();
    await this.gateway.stop();
    await this.postgres.stop();
  }
}

/** What broke a promise, one line each; empty when all were kept. */
export function brokenPromises(report: ChaosReport): string[] {
  const told = (what: string, list: readonly string[]) =>
    list.length === 0 ? [] : [`${list.length} ${what}: ${list.slice(0, 5).join('; ')}`];
  return [
    ...told('lost', report.lost),
    ...told('collected twice', report.double),
    ...told('ends not told once', report.ends),
    ...told('disagree with the gateway', report.disagreeing),
    ...told('two answers to one key', report.contradictions),
    ...told('found by verify', report.offenders),
  ];
}

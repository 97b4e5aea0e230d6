import { Injectable } from '@nestjs/common';

import { GatewayRegistry } from '../gateways/registry.js';
import { Database } from '../platform/db/database.js';
import { Orm } from '../platform/db/orm.js';
import { Log } from '../platform/logging/log.js';

export const CHECKS = ['database', 'migrations', 'gateway'] as const;
export type CheckResults = Record<(typeof CHECKS)[number], 'ok' | 'failed'>;

/** Which gateway `/readyz` asks for. */
export class ReadinessSettings {
  constructor(readonly provider: 'test' | 'stripe') {}
}

const GATEWAY_TIMEOUT_MS = 3_000;

/** Whether this process can take work: its database, that database's migrations, and the gateway's address. */
@Injectable()
export class Readiness {
  private stopping = false;

  constructor(
    private readonly database: Database,
    private readonly orm: Orm,
    private readonly gateways: GatewayRegistry,
    private readonly settings: ReadinessSettings,
    private readonly log: Log,
  ) {}

  /** Called when the process begins to stop, so that a load balancer sends no more. */
  beginStop(): void {
    this.stopping = true;
  }

  get isStopping(): boolean {
    return this.stopping;
  }

  async check(): Promise<CheckResults> {
    const [database, migrations, gateway] = await Promise.all([
      this.passes('database', () => this.databaseAnswers()),
      this.passes('migrations', () => this.isMigrated()),
      this.passes('gateway', () => this.gatewayAnswers()),
    ]);
    return { database, migrations, gateway };
  }

  private async passes(kind: string, probe: () => Promise<boolean>): Promise<'ok' | 'failed'> {
    try {
      return (await probe()) ? 'ok' : 'failed';
    } catch (error) {
      this.log.error('readiness.failed', { kind }, error);
      return 'failed';
    }
  }

  private async databaseAnswers(): Promise<boolean> {
    const { rows } = await this.database.query({ role: 'worker' }, { text: 'SELECT 1 AS one' });
    return rows.length === 1;
  }

  private async isMigrated(): Promise<boolean> {
    return (await this.orm.pendingMigrations()).length === 0;
  }

  private gatewayAnswers(): Promise<boolean> {
    const { provider } = this.settings;
    return this.gateways.gatewayFor({ provider }).isReachable({ timeoutMs: GATEWAY_TIMEOUT_MS });
  }
}

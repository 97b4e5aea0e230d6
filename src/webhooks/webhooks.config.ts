import type { Config } from '../platform/config.js';

type Used = 'egressPorts' | 'allowLoopback' | 'egressProxy' | 'webhookRetentionDays';

/** What this room depends on of the server's settings. */
export abstract class WebhooksConfig implements Pick<Config, Used> {
  abstract readonly egressPorts: readonly number[];
  abstract readonly allowLoopback: boolean;
  abstract readonly egressProxy: string | null;
  abstract readonly webhookRetentionDays: number | null;
}

import type { Config } from '../platform/config.js';

/** What this room depends on of the server's settings. */
export abstract class WebhooksConfig implements Pick<Config, 'egressPorts' | 'allowLoopback'> {
  abstract readonly egressPorts: readonly number[];
  abstract readonly allowLoopback: boolean;
}

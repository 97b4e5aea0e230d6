import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';

import { ClientDirectory } from '../clients/client-directory.service.js';
import { clientNow, type ClientSettings } from '../clients/client-settings.js';
import { GatewayRegistry } from '../gateways/registry.js';
import { Clock } from '../platform/clock.js';
import { PublicUrl } from '../platform/public-url.js';
import type { StoredAnswer } from './change.js';
import type { Recovery } from './recovery.js';
import type { WorkContext } from './work-context.js';

/** What of the server's settings the engine works by. */
export class EngineSettings {
  constructor(
    /** How long one gateway call may take (REVTAIN_GATEWAY_TIMEOUT_MS). */
    readonly gatewayTimeoutMs: number,
    /** Due recoveries of one client that one process works at once; of all clients twice as many (REVTAIN_IN_FLIGHT). */
    readonly inFlightMax: number,
  ) {}
}

export interface ContextRequest {
  actor: string;
  /** Real time for all gateway calls together, from now; none for background work. */
  timeMs?: number;
  answer?: (recovery: Recovery) => StoredAnswer | null;
}

/** Makes the context of one unit of work. */
@Injectable()
export class WorkContexts {
  constructor(
    private readonly clock: Clock,
    private readonly directory: ClientDirectory,
    private readonly gateways: GatewayRegistry,
    private readonly settings: EngineSettings,
    private readonly publicUrl: PublicUrl,
  ) {}

  /** For a client whose settings the caller has just read. */
  async of(client: ClientSettings, request: ContextRequest): Promise<WorkContext> {
    const account = await this.directory.gatewayAccount(client.id);
    const startedMs = this.clock.monotonicMs();
    const { timeMs } = request;
    return {
      client,
      account,
      // Somebody waits for what has a bound of time.
      gateway: this.gateways.gatewayFor(account, timeMs === undefined ? 'background' : 'request'),
      now: () => clientNow(client, this.clock.now()),
      timeLeftMs: () => (timeMs === undefined ? Infinity : timeMs - (this.clock.monotonicMs() - startedMs)),
      callTimeoutMs: this.settings.gatewayTimeoutMs,
      returnUrl: this.publicUrl.current(),
      sleep: async (ms) => void (await sleep(ms)),
      actor: request.actor,
      answer: request.answer ?? (() => null),
    };
  }

  async ofClient(clientId: string, request: ContextRequest): Promise<WorkContext> {
    return this.of(await this.directory.settings(clientId), request);
  }
}

import { Injectable } from '@nestjs/common';

import { Endings } from '../../engine/endings.js';
import { WorkContexts } from '../../engine/work-contexts.js';
import { BackgroundLoop } from '../../platform/background-loop.js';
import { BackgroundWorks } from '../../platform/background-work.js';
import { Clock } from '../../platform/clock.js';
import { Log } from '../../platform/logging/log.js';
import { Dispatcher } from '../../webhooks/dispatcher.js';
import { ConnectStore } from './connect-store.js';

/** A disconnection that another process has taken waits this long at most. */
const POLL_MS = 1_000;
const PAUSE_AFTER_ERROR_MS = 2_000;
/** One that is being worked on ends its own work first. */
const BUSY_AGAIN_MS = 1_000;

const RULE = { name: 'deauthorised', source: 'docs/stripe.md#disconnecting' };

/** Ends every open recovery of an account that is no longer ours to charge. Any number of processes may run one. */
@Injectable()
export class ConnectStopper extends BackgroundLoop {
  override readonly name = 'stripe-disconnections';

  constructor(
    private readonly store: ConnectStore,
    private readonly endings: Endings,
    private readonly contexts: WorkContexts,
    private readonly dispatcher: Dispatcher,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  /** Ends what is open of one disconnected client. */
  protected override async turn(): Promise<number> {
    const clientId = await this.store.claimStop(this.clock.now());
    if (clientId === null) return POLL_MS;
    const context = await this.contexts.ofClient(clientId, { actor: 'stripe_connect' });
    const decision = { kind: 'cancelled' as const, endReason: 'deauthorised' as const, rule: RULE };
    const left = await this.endings.endOpenOf(clientId, decision, context);
    this.dispatcher.wake();
    const againAt = new Date(this.clock.now().getTime() + (left === 'busy' ? BUSY_AGAIN_MS : 0));
    await this.store.stopped(clientId, left === 'none' ? null : againAt);
    return 0;
  }

  protected override interrupted(error: unknown): number {
    this.log.error('stripe_disconnections.interrupted', {}, error);
    return PAUSE_AFTER_ERROR_MS;
  }
}

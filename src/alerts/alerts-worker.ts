import { Injectable } from '@nestjs/common';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Log } from '../platform/logging/log.js';
import { AlertDeliveries } from './deliveries.service.js';
import { type ClaimedMessage, MessageStore } from './message-store.js';
import { Turns } from './turns.service.js';

/** An alert waits half a minute for others like it; a second more is no loss. */
const POLL_MS = 1_000;
const PAUSE_AFTER_ERROR_MS = 2_000;
const ON_THE_WIRE_MAX = 16;

/**
 * Tells operators what waits: groups it, then sends what is due. Any number of processes may run one; what one that died
 * had claimed is sent again when its lease has run out.
 */
@Injectable()
export class AlertsWorker extends BackgroundLoop {
  override readonly name = 'alerts';
  private readonly onTheWire = new Set<Promise<void>>();

  constructor(
    private readonly turns: Turns,
    private readonly messages: MessageStore,
    private readonly deliveries: AlertDeliveries,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  /** One round: every due turn, then every message that may go on the wire. Answers how many messages went. */
  async round(): Promise<number> {
    await this.turns.takeDue();
    const room = ON_THE_WIRE_MAX - this.onTheWire.size;
    if (room <= 0) return 0;
    const claimed = await this.messages.claimDue(this.clock.now(), room);
    for (const message of claimed) this.put(message);
    return claimed.length;
  }

  /** Resolves when nothing is on the wire any more. */
  async settled(): Promise<void> {
    while (this.onTheWire.size > 0) await Promise.all(this.onTheWire);
  }

  protected override async turn(): Promise<number> {
    return (await this.round()) === 0 ? POLL_MS : 0;
  }

  protected override interrupted(error: unknown): number {
    this.log.error('alerts.interrupted', {}, error);
    return PAUSE_AFTER_ERROR_MS;
  }

  protected override async finish(): Promise<void> {
    await Promise.all(this.onTheWire);
  }

  private put(message: ClaimedMessage): void {
    const work = this.deliver(message).finally(() => {
      this.onTheWire.delete(work);
      this.wake();
    });
    this.onTheWire.add(work);
  }

  private async deliver(message: ClaimedMessage): Promise<void> {
    try {
      await this.deliveries.deliver(message);
    } catch (error) {
      // Its lease runs out, and the next claim tries again.
      this.log.error('alert.interrupted', { clientId: message.clientId, deliveryId: message.id }, error);
    }
  }
}

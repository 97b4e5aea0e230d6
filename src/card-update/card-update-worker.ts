import { Injectable } from '@nestjs/common';

import { BackgroundLoop } from '../platform/background-loop.js';
import { BackgroundWorks } from '../platform/background-work.js';
import { Clock } from '../platform/clock.js';
import { Log } from '../platform/logging/log.js';
import { CardUpdateBell } from './card-update-bell.js';
import { CardUpdates } from './card-updates.service.js';
import { FollowUp } from './follow-up.service.js';
import { LinkStore } from './link-store.js';
import { PageStore } from './page-store.js';

/** A card that another process has taken waits this long at most. */
const POLL_MS = 1_000;
const PAUSE_AFTER_ERROR_MS = 2_000;

/** Works what saved cards lead to, and looks at pages of which nobody has told anything. Any number may run. */
@Injectable()
export class CardUpdateWorker extends BackgroundLoop {
  override readonly name = 'card-updates';

  constructor(
    private readonly links: LinkStore,
    private readonly pages: PageStore,
    private readonly updates: CardUpdates,
    private readonly followUp: FollowUp,
    bell: CardUpdateBell,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super(bell);
    works.register(this);
  }

  /** One step of one saved card, or one look at a page. */
  protected override async turn(): Promise<number> {
    return (await this.round()) ? 0 : POLL_MS;
  }

  protected override interrupted(error: unknown): number {
    this.log.error('card_updates.interrupted', {}, error);
    return PAUSE_AFTER_ERROR_MS;
  }

  private async round(): Promise<boolean> {
    const link = await this.links.claimDue(this.clock.now());
    if (link) {
      await this.followUp.step(link);
      return true;
    }
    const page = await this.pages.claimDue(this.clock.now());
    if (!page) return false;
    await this.updates.completed(page.clientId, page.sessionId);
    await this.pages.looked(page);
    return true;
  }
}

import { Injectable } from '@nestjs/common';

import { BackgroundWork, BackgroundWorks } from '../platform/background-work.js';
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
export class CardUpdateWorker extends BackgroundWork {
  override readonly name = 'card-updates';
  private loop: Promise<void> | null = null;
  private stopping = false;

  constructor(
    private readonly links: LinkStore,
    private readonly pages: PageStore,
    private readonly updates: CardUpdates,
    private readonly followUp: FollowUp,
    private readonly bell: CardUpdateBell,
    private readonly clock: Clock,
    private readonly log: Log,
    works: BackgroundWorks,
  ) {
    super();
    works.register(this);
  }

  override start(): void {
    this.stopping = false;
    this.loop ??= this.run();
  }

  override async stop(): Promise<void> {
    this.stopping = true;
    this.bell.wake();
    await this.loop;
    this.loop = null;
  }

  /** One step of one saved card, or one look at a page. Answers whether there was anything to do. */
  async round(): Promise<boolean> {
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

  private async run(): Promise<void> {
    while (!this.stopping) {
      try {
        if (!(await this.round())) await this.bell.upTo(POLL_MS);
      } catch (error) {
        this.log.error('card_updates.interrupted', {}, error);
        await this.bell.upTo(PAUSE_AFTER_ERROR_MS);
      }
    }
  }
}

import { Injectable } from '@nestjs/common';

import { Endings, platformRule } from '../../engine/endings.js';
import type { Looked } from '../../engine/looking.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import type { Worked } from '../inbound-event.js';
import { again, type BillingTurn, done, hasType } from './billing-turn.js';

/** Money was taken back: what else would charge the same card by itself ends, and a person decides. */
@Injectable()
export class CardStopsAfterReversal {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly endings: Endings,
  ) {}

  /**
   * The event itself is worked to its end, however often that takes; any other look at the same payment, later on, ends
   * nothing more.
   */
  async after(looked: Looked & { kind: 'reversed' }, turn: BillingTurn): Promise<Worked> {
    const { recovery: reversed, how, fingerprint, isNew } = looked;
    const isTold = hasType(turn, 'charge.refunded', 'charge.dispute.created');
    if (fingerprint === null || !(isNew || isTold)) return done(how);
    const { clientId, context } = turn;
    const rule = platformRule(`card_${how}`);
    const decision = { kind: 'failed' as const, endReason: how, detail: null, rule };
    for (const recovery of await this.finder.openOfCard(clientId, fingerprint)) {
      const ended = await this.endings.end(recovery, decision, { reversed: reversed.id }, context);
      if (ended === 'busy') return again('another recovery of the card is being worked on');
    }
    return done(how);
  }
}

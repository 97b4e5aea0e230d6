import { Injectable } from '@nestjs/common';

import { Endings, platformRule } from '../../engine/endings.js';
import type { Recovery } from '../../engine/recovery.js';
import { RecoveryFinder } from '../../engine/recovery-finder.js';
import type { Worked } from '../inbound-event.js';
import { again, type BillingTurn, done } from './billing-turn.js';

/** Money was taken back: what else would charge the same card by itself ends, and a person decides. */
@Injectable()
export class CardStopsAfterReversal {
  constructor(
    private readonly finder: RecoveryFinder,
    private readonly endings: Endings,
  ) {}

  async after(reversed: Recovery, how: 'refunded' | 'disputed', { clientId, context }: BillingTurn): Promise<Worked> {
    const fingerprint = reversed.cardFingerprint;
    if (fingerprint === null) return done(how);
    const rule = platformRule(`card_${how}`);
    const decision = { kind: 'failed' as const, endReason: how, detail: null, rule };
    for (const recovery of await this.finder.openOfCard(clientId, fingerprint)) {
      const ended = await this.endings.end(recovery, decision, { reversed: reversed.id }, context);
      if (ended === 'busy') return again('another recovery of the card is being worked on');
    }
    return done(how);
  }
}

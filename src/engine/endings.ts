import { Injectable } from '@nestjs/common';

import type { Decision, Rule } from '../recovery/facts.js';
import { isClosed } from '../recovery/lifecycle.js';
import { unchanged } from './change.js';
import { watched } from './ended-charges.js';
import { LeaseKeeper } from './lease-keeper.js';
import { hasOpenCharge, type Recovery } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import type { WorkContext } from './work-context.js';

/** `busy`: somebody else works on it now; their work decides first. */
export type Ended = 'ended' | 'busy' | 'was_over';

/** Ends open recoveries from outside of their own work: nothing of them is charged after the commit. */
@Injectable()
export class Endings {
  constructor(
    private readonly store: RecoveryStore,
    private readonly writer: RecoveryWriter,
    private readonly leases: LeaseKeeper,
  ) {}

  async end(
    { clientId, id }: Pick<Recovery, 'clientId' | 'id'>,
    decision: Decision & { kind: 'cancelled' | 'failed' },
    inputs: Record<string, unknown>,
    context: WorkContext,
  ): Promise<Ended> {
    const recovery = await this.store.claimOne(clientId, id);
    if (!recovery) return 'busy';
    return this.leases.during(recovery, async () => {
      if (recovery.state === 'succeeded' || isClosed(recovery.state)) {
        await this.store.release(recovery);
        return 'was_over';
      }
      const ended = decided(unchanged(recovery), decision, recovery.nextTrigger, context, inputs);
      // An unknown charge is watched to its end: should it bring money after all, that is told.
      const open = hasOpenCharge(recovery) ? await this.store.openAttempt(recovery) : null;
      const change = open ? watched(ended, open, recovery, context.now()) : ended;
      await this.writer.finish(change, context);
      return 'ended';
    });
  }
}

/** Why a billing platform's word ended a recovery. */
export function platformRule(name: string): Rule {
  return { name, source: 'docs/connectors.md#what-each-event-does' };
}

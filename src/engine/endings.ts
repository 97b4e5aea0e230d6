import { Injectable } from '@nestjs/common';

import type { Decision, Rule } from '../recovery/facts.js';
import { isClosed } from '../recovery/lifecycle.js';
import { unchanged, type Change } from './change.js';
import { watched } from './ended-charges.js';
import { LeaseKeeper } from './lease-keeper.js';
import { hasOpenCharge, type Recovery } from './recovery.js';
import { RecoveryStore } from './recovery-store.js';
import { decided, RecoveryWriter } from './recovery-writer.js';
import type { WorkContext } from './work-context.js';

const AT_ONCE_MAX = 200;

type End = Decision & { kind: 'cancelled' | 'failed' };

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
    decision: End,
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
      await this.writer.finish(await this.endOf(recovery, decision, inputs, context), context);
      return 'ended';
    });
  }

  /** Ends what is open of a client, so many at a time. What is `left` then: somebody's work, more of them, or none. */
  async endOpenOf(clientId: string, decision: End, context: WorkContext): Promise<'busy' | 'more' | 'none'> {
    const open = await this.store.openOf(clientId, AT_ONCE_MAX);
    const ended: Ended[] = [];
    for (const id of open) ended.push(await this.end({ clientId, id }, decision, {}, context));
    if (ended.includes('busy')) return 'busy';
    return open.length === AT_ONCE_MAX ? 'more' : 'none';
  }

  /** The end of a recovery that is held and open; an unknown charge is watched on: should it bring money, that is told. */
  async endOf(
    recovery: Recovery,
    decision: End,
    inputs: Record<string, unknown>,
    context: WorkContext,
  ): Promise<Change> {
    const ended = decided(unchanged(recovery), decision, recovery.nextTrigger, context, inputs);
    const open = hasOpenCharge(recovery) ? await this.store.openAttempt(recovery) : null;
    return open ? watched(ended, open, recovery, context.now()) : ended;
  }
}

/** Why a billing platform's word ended a recovery. */
export function platformRule(name: string): Rule {
  return { name, source: 'docs/connectors.md#what-each-event-does' };
}
